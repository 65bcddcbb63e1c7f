#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/kdf.h"
#include "p2p/mdnsmsg.h"
#include "p2p/wire.h"

#define HEADER_LEN 12
#define NAME_MAX_LEN 255		/* RFC 1035 §2.3.4 */
#define LABEL_MAX 63
#define FLAG_ANSWER 0x8000u
#define FLAGS_OF_ANSWER 0x8400u		/* RFC 6762 §18: authoritative */
#define CLASS_IN 1u
#define CLASS_ANY 255u
#define CLASS_TOP 0x8000u		/* §5.4: answer me alone; §10.2: flush */
#define DNSADDR "dnsaddr="
#define STRING_MAX 255

enum { TYPE_PTR = 12, TYPE_TXT = 16, TYPE_ANY = 255 };

void mdnsmsg_service(char out[static MDNSMSG_SERVICE_MAX], const uint8_t *group_key)
{
	uint8_t tag[8];
	char hex[17];

	kdf_hkdf(tag, sizeof(tag), span_make(group_key, WIRE_GROUP_KEY_LEN), span_of(""), "ghoard mdns 1");
	hex_encode(hex, tag, sizeof(tag));
	snprintf(out, MDNSMSG_SERVICE_MAX, "_p2p-%s._udp.local", hex);
}

/* ---- reading ---- */

struct reader {
	const uint8_t *p;
	size_t n, at;
	bool bad;
};

static unsigned take_u16(struct reader *r)
{
	unsigned v;

	if (r->n - r->at < 2) {
		r->bad = true;
		return 0;
	}
	v = (unsigned)r->p[r->at] << 8 | r->p[r->at + 1];
	r->at += 2;
	return v;
}

static void skip(struct reader *r, size_t n)
{
	if (n > r->n - r->at)
		r->bad = true;
	else
		r->at += n;
}

/* One label behind a dot; a byte that is none of a plain name's cannot be equal to one of ours. */
static size_t add_label(char *name, size_t have, const uint8_t *label, size_t n)
{
	if (have > 0)
		name[have++] = '.';
	for (size_t i = 0; i < n; i++)
		name[have++] = label[i] > ' ' && label[i] < 0x7f && label[i] != '.' ? (char)label[i] : '?';
	return have;
}

/* §4.1.4. A pointer goes back, before where its own name (or the last pointer) began. */
static bool take_name(struct reader *r, char name[static NAME_MAX_LEN + 1])
{
	size_t at = r->at, before = r->at, have = 0;
	unsigned jumps = 0;

	for (;;) {
		size_t len;

		if (at >= r->n)
			return false;
		len = r->p[at++];
		if (len == 0)
			break;
		if (len >= 0xc0) {
			size_t to;

			if (at >= r->n || ++jumps > MDNSMSG_JUMPS)
				return false;
			to = (len & 0x3f) << 8 | r->p[at++];
			if (to >= before)
				return false;
			r->at = jumps == 1 ? at : r->at;
			at = before = to;
			continue;
		}
		if (len > LABEL_MAX || len > r->n - at || have + 1 + len > NAME_MAX_LEN)
			return false;
		have = add_label(name, have, r->p + at, len);
		at += len;
	}
	name[have] = '\0';
	r->at = jumps > 0 ? r->at : at;
	return true;
}

static void take_question(struct reader *r, struct mdnsmsg *m, const char *service)
{
	char name[NAME_MAX_LEN + 1];
	unsigned type, class;

	if (!take_name(r, name)) {
		r->bad = true;
		return;
	}
	type = take_u16(r);
	class = take_u16(r);
	if (r->bad || !span_ieq(span_of(name), service) || (type != TYPE_PTR && type != TYPE_ANY) ||
	    ((class & ~CLASS_TOP) != CLASS_IN && (class & ~CLASS_TOP) != CLASS_ANY))
		return;
	m->asks = true;
	m->asks_unicast |= (class & CLASS_TOP) != 0;
}

static void take_strings(struct mdnsmsg *m, const uint8_t *p, size_t n)
{
	struct multiaddr *a = &m->addrs[m->naddrs];

	while (n > 0 && p[0] < n && m->naddrs < MDNSMSG_ADDRS_MAX) {
		struct span s = span_make(p + 1, p[0]);

		a = &m->addrs[m->naddrs];
		if (span_starts(s, DNSADDR) && multiaddr_parse(a, span_sub(s, strlen(DNSADDR), s.n)) == 1 &&
		    a->host != MULTIADDR_NONE && a->peer.n > 0)
			m->naddrs++;
		n -= 1u + p[0];
		p += 1u + p[0];
	}
}

/* Is it an instance of the service? */
static bool is_instance(const char *name, const char *service)
{
	size_t n = strlen(name), k = strlen(service);

	return n > k + 1 && name[n - k - 1] == '.' && span_ieq(span_of(name + n - k), service);
}

static void take_record(struct reader *r, struct mdnsmsg *m, const char *service)
{
	char name[NAME_MAX_LEN + 1];
	unsigned type, class, len;
	uint32_t ttl;
	size_t at;

	if (!take_name(r, name)) {
		r->bad = true;
		return;
	}
	type = take_u16(r);
	class = take_u16(r) & ~CLASS_TOP;
	ttl = (uint32_t)take_u16(r) << 16;
	ttl |= take_u16(r);
	len = take_u16(r);
	at = r->at;
	skip(r, len);
	/* A life of 0 is a goodbye (RFC 6762 §10.1). */
	if (!r->bad && type == TYPE_TXT && class == CLASS_IN && ttl > 0 && is_instance(name, service))
		take_strings(m, r->p + at, len);
}

bool mdnsmsg_parse(struct mdnsmsg *m, const void *data, size_t n, const char *service)
{
	struct reader r = { .p = data, .n = n };
	unsigned flags, questions, records;

	memset(m, 0, sizeof(*m));
	if (n < HEADER_LEN || n > MDNSMSG_RECEIVE_MAX)
		return false;
	skip(&r, 2);
	flags = take_u16(&r);
	questions = take_u16(&r);
	records = take_u16(&r);
	records += take_u16(&r);
	records += take_u16(&r);
	for (; questions > 0 && !r.bad; questions--)
		take_question(&r, m, service);
	for (; records > 0 && !r.bad; records--)
		take_record(&r, m, service);
	if (r.bad) {
		memset(m, 0, sizeof(*m));
		return false;
	}
	/* A query may list answers its sender knows (RFC 6762 §7.1): not ours to believe. */
	if (flags & FLAG_ANSWER)
		m->asks = m->asks_unicast = false;
	else
		m->naddrs = 0;
	return true;
}

/* ---- writing ---- */

static void put_u16(struct buf *b, unsigned v)
{
	buf_addc(b, (char)(v >> 8));
	buf_addc(b, (char)v);
}

static void put_name(struct buf *b, const char *name)
{
	struct span rest = span_of(name), label;

	while (span_cut(&rest, '.', &label)) {
		buf_addc(b, (char)label.n);
		buf_addspan(b, label);
	}
	buf_addc(b, 0);
}

static void put_header(struct buf *b, unsigned flags, unsigned questions, unsigned answers, unsigned more)
{
	put_u16(b, 0);
	put_u16(b, flags);
	put_u16(b, questions);
	put_u16(b, answers);
	put_u16(b, 0);
	put_u16(b, more);
}

void mdnsmsg_put_question(struct buf *b, const char *service)
{
	put_header(b, 0, 1, 0, 0);
	put_name(b, service);
	put_u16(b, TYPE_PTR);
	put_u16(b, CLASS_IN);
}

static void put_record(struct buf *b, const char *name, unsigned type, uint32_t ttl, struct span data)
{
	put_name(b, name);
	put_u16(b, type);
	put_u16(b, CLASS_IN);
	put_u16(b, ttl >> 16);
	put_u16(b, ttl & 0xffff);
	put_u16(b, (unsigned)data.n);
	buf_addspan(b, data);
}

static void put_strings(struct buf *b, const struct peerid *id, const struct multiaddr *addrs, size_t n,
    size_t room)
{
	char text[MULTIADDR_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		struct multiaddr a = addrs[i];
		size_t len;

		if (a.peer.n == 0)
			a.peer = *id;
		multiaddr_text(&a, text);
		len = strlen(DNSADDR) + strlen(text);
		if (len > STRING_MAX || buf_len(b) + 1 + len > room)
			continue;
		buf_addc(b, (char)len);
		buf_addf(b, "%s%s", DNSADDR, text);
	}
}

void mdnsmsg_put_answer(struct buf *b, const char *service, const char name[static MDNSMSG_NAME_LEN + 1],
    const struct peerid *id, const struct multiaddr *addrs, size_t n, uint32_t ttl_s)
{
	char instance[MDNSMSG_NAME_LEN + 1 + MDNSMSG_SERVICE_MAX];
	struct buf data;
	size_t start = buf_len(b), front;

	snprintf(instance, sizeof(instance), "%s.%s", name, service);
	buf_init(&data, MDNSMSG_MAX);
	put_name(&data, instance);
	put_header(b, FLAGS_OF_ANSWER, 0, 1, 1);
	put_record(b, service, TYPE_PTR, ttl_s, buf_span(&data));
	buf_clear(&data);
	/* the second record's name, type, class, life and length */
	front = buf_len(b) - start + strlen(instance) + 2 + 10;
	put_strings(&data, id, addrs, n, MDNSMSG_MAX - front);
	put_record(b, instance, TYPE_TXT, ttl_s, buf_span(&data));
	buf_free(&data);
}
