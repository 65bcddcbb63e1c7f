#include <string.h>

#include "base/err.h"
#include "base/varint.h"
#include "p2p/identify.h"
#include "p2p/protobuf.h"

/* specs/identify/README.md, "The Identify Message" */
enum {
	F_KEY = 1,
	F_ADDR = 2,
	F_PROTOCOL = 3,
	F_OBSERVED = 4,
	F_VERSION = 5,
	F_AGENT = 6
};

/* ---- writing ---- */

static void put_addr(struct buf *b, uint32_t number, const struct multiaddr *m)
{
	struct buf bin;

	buf_init(&bin, MULTIADDR_BIN_MAX);
	multiaddr_encode(m, false, &bin);
	protobuf_put_bytes(b, number, buf_span(&bin));
	buf_free(&bin);
}

/* Append a field unless the message would become too long. */
static bool fits(struct buf *b, size_t before)
{
	if (buf_len(b) <= IDENTIFY_SEND_MAX - VARINT_MAX_LEN)
		return true;
	buf_truncate(b, before);
	return false;
}

static void put_fields(struct buf *b, const struct identify *id)
{
	size_t before;
	bool room = true;

	protobuf_put_bytes(b, F_KEY, id->key);
	protobuf_put_bytes(b, F_VERSION, id->version);
	protobuf_put_bytes(b, F_AGENT, id->agent);
	if (id->has_observed)
		put_addr(b, F_OBSERVED, &id->observed);
	for (size_t i = 0; i < id->nprotocols && room; i++) {
		before = buf_len(b);
		protobuf_put_bytes(b, F_PROTOCOL, id->protocols[i]);
		room = fits(b, before);
	}
	for (size_t i = 0; i < id->naddrs && room; i++) {
		before = buf_len(b);
		put_addr(b, F_ADDR, &id->addrs[i]);
		room = fits(b, before);
	}
}

void identify_encode(const struct identify *id, struct buf *out)
{
	uint8_t len[VARINT_MAX_LEN];
	struct buf b;

	buf_init(&b, 2 * IDENTIFY_SEND_MAX);
	put_fields(&b, id);
	buf_add(out, len, varint_put(len, buf_len(&b)));
	buf_addspan(out, buf_span(&b));
	out->failed |= b.failed;
	buf_free(&b);
}

/* ---- reading ---- */

void identify_reader_init(struct identify_reader *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->body, IDENTIFY_TOTAL_MAX);
}

void identify_reader_free(struct identify_reader *r)
{
	buf_free(&r->body);
}

static void on_length(struct identify_reader *r, uint8_t byte)
{
	uint64_t v;
	int n;

	r->len[r->nlen++] = byte;
	n = varint_get(r->len, r->nlen, &v);
	if (n == -2)
		return;
	r->nlen = 0;
	if (n < 0 || v > IDENTIFY_MESSAGE_MAX || ++r->messages > IDENTIFY_MESSAGES_MAX)
		r->bad = true;
	else
		r->left = (size_t)v;
}

int identify_reader_feed(struct identify_reader *r, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0 && !r->bad) {
		size_t take = r->left < n ? r->left : n;

		if (r->left == 0) {
			on_length(r, *p++);
			n--;
			continue;
		}
		buf_add(&r->body, p, take);
		r->left -= take;
		p += take;
		n -= take;
	}
	if (r->body.failed)
		return ERR_LIMIT;
	return r->bad ? ERR_PROTO : 0;
}

/* For a log and a screen: no control characters. */
static struct span printable(struct span s)
{
	s = span_sub(s, 0, IDENTIFY_TEXT_MAX);
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f)
			return span_of("");
	return span_utf8(s) ? s : span_of("");
}

static void take_field(struct identify *id, const struct protobuf_field *f)
{
	switch (f->number) {
	case F_KEY:
		id->key = f->bytes;
		break;
	case F_ADDR:
		if (id->naddrs < IDENTIFY_ADDRS_MAX &&
		    multiaddr_decode(&id->addrs[id->naddrs], f->bytes) == 1 &&
		    id->addrs[id->naddrs].host != MULTIADDR_NONE)
			id->naddrs++;
		break;
	case F_PROTOCOL:
		if (id->nprotocols < IDENTIFY_PROTOCOLS_MAX)
			id->protocols[id->nprotocols++] = f->bytes;
		break;
	case F_OBSERVED:
		id->has_observed = multiaddr_decode(&id->observed, f->bytes) == 1;
		break;
	case F_VERSION:
		id->version = printable(f->bytes);
		break;
	case F_AGENT:
		id->agent = printable(f->bytes);
		break;
	default:
		break;
	}
}

/* Messages laid end to end are one message with all their fields (encoding.md, "Last One Wins"). */
int identify_reader_end(const struct identify_reader *r, struct identify *id)
{
	struct span rest = buf_span(&r->body);
	struct protobuf_field f;
	int rc;

	memset(id, 0, sizeof(*id));
	if (r->bad || r->left > 0 || r->nlen > 0 || r->messages == 0)
		return ERR_PROTO;
	while ((rc = protobuf_next(&rest, &f)) == 1)
		if (f.kind == PROTOBUF_BYTES)
			take_field(id, &f);
	return rc == 0 ? 0 : ERR_PROTO;
}

bool identify_speaks(const struct identify *id, const char *protocol)
{
	for (size_t i = 0; i < id->nprotocols; i++)
		if (span_eq(id->protocols[i], protocol))
			return true;
	return false;
}
