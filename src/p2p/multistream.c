#include <string.h>

#include "base/buf.h"
#include "base/varint.h"
#include "p2p/multistream.h"

static void put(struct buf *out, const char *text)
{
	uint8_t len[VARINT_MAX_LEN];
	size_t n = strlen(text);

	buf_add(out, len, varint_put(len, n + 1));
	buf_add(out, text, n);
	buf_addc(out, '\n');
}

static void bad(struct multistream *m, const char *why)
{
	m->state = MULTISTREAM_BAD;
	m->why = why;
}

static void begin(struct multistream *m, const char *const *protocols, size_t n)
{
	memset(m, 0, sizeof(*m));
	m->protocols = protocols;
	m->nprotocols = n;
	m->why = "";
}

void multistream_dial(struct multistream *m, const char *const *protocols, size_t n, struct buf *out)
{
	begin(m, protocols, n);
	m->dialer = true;
	m->header_sent = true;
	put(out, MULTISTREAM_HEADER);
	put(out, protocols[0]);
}

void multistream_listen(struct multistream *m, const char *const *protocols, size_t n, bool greet,
    struct buf *out)
{
	begin(m, protocols, n);
	m->header_sent = greet;
	if (greet)
		put(out, MULTISTREAM_HEADER);
}

static void on_answer(struct multistream *m, struct span text, struct buf *out)
{
	if (span_eq(text, m->protocols[m->proposed])) {
		m->agreed = m->proposed;
		m->state = MULTISTREAM_AGREED;
	} else if (!span_eq(text, "na")) {
		bad(m, "the answer is neither what was proposed nor na");
	} else if (m->proposed + 1 == m->nprotocols) {
		m->state = MULTISTREAM_REFUSED;
	} else {
		put(out, m->protocols[++m->proposed]);
	}
}

static void on_proposal(struct multistream *m, struct span text, struct buf *out)
{
	for (size_t i = 0; i < m->nprotocols; i++) {
		if (!span_eq(text, m->protocols[i]))
			continue;
		put(out, m->protocols[i]);
		m->agreed = i;
		m->state = MULTISTREAM_AGREED;
		return;
	}
	if (++m->tries == MULTISTREAM_TRIES_MAX)
		bad(m, "too many proposals");
	else
		put(out, "na");
}

/* Answered at once: py sends no proposal before it has seen our header. */
static void on_header(struct multistream *m, struct buf *out)
{
	m->greeted = true;
	if (!m->header_sent)
		put(out, MULTISTREAM_HEADER);
	m->header_sent = true;
}

static void on_message(struct multistream *m, struct buf *out)
{
	struct span text = span_make(m->message, m->want - 1);

	if (m->message[m->want - 1] != '\n')
		bad(m, "a message without its line's end");
	else if (!m->greeted && !span_eq(text, MULTISTREAM_HEADER))
		bad(m, "it does not begin with " MULTISTREAM_HEADER);
	else if (!m->greeted)
		on_header(m, out);
	else if (m->dialer)
		on_answer(m, text, out);
	else
		on_proposal(m, text, out);
	m->want = m->have = 0;
}

/* One byte of a message's length: at most two make up MULTISTREAM_MESSAGE_MAX. */
static void on_length(struct multistream *m, uint8_t byte)
{
	uint64_t v;
	int n;

	m->message[m->have++] = byte;
	n = varint_get(m->message, m->have, &v);
	if (n == -2 && m->have < 2)
		return;
	if (n < 0 || v == 0 || v > MULTISTREAM_MESSAGE_MAX) {
		bad(m, "a message of no allowed length");
		return;
	}
	m->want = (size_t)v;
	m->have = 0;
}

ssize_t multistream_feed(struct multistream *m, const void *data, size_t n, struct buf *out)
{
	const uint8_t *p = data;
	size_t used = 0;

	while (m->state == MULTISTREAM_RUNNING && used < n) {
		if (m->want == 0) {
			on_length(m, p[used++]);
			continue;
		}
		size_t take = m->want - m->have < n - used ? m->want - m->have : n - used;

		memcpy(m->message + m->have, p + used, take);
		m->have += take;
		used += take;
		if (m->have == m->want)
			on_message(m, out);
	}
	return m->state == MULTISTREAM_BAD ? -1 : (ssize_t)used;
}
