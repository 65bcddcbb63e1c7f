#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/varint.h"
#include "net/addr.h"
#include "p2p/multiaddr.h"

/* multiformats/multiaddr protocols.csv; size of the value in bytes, VARIES: behind its length. */
enum {
	P_IP4 = 4,
	P_TCP = 6,
	P_IP6 = 41,
	P_DNS = 53,
	P_DNS4 = 54,
	P_DNS6 = 55,
	P_P2P = 421
};

#define VARIES (-1)

static const struct protocol {
	const char *name;
	uint64_t code;
	int size;
} protocols[] = {
	{ "ip4", P_IP4, 4 }, { "tcp", P_TCP, 2 }, { "ip6", P_IP6, 16 }, { "dns", P_DNS, VARIES },
	{ "dns4", P_DNS4, VARIES }, { "dns6", P_DNS6, VARIES }, { "p2p", P_P2P, VARIES },
	{ "ipfs", P_P2P, VARIES },	/* p2p's older name */
	/* known so that they can be passed over */
	{ "dccp", 33, 2 }, { "ip6zone", 42, VARIES }, { "ipcidr", 43, 1 }, { "dnsaddr", 56, VARIES },
	{ "sctp", 132, 2 }, { "udp", 273, 2 }, { "webrtc-direct", 280, 0 }, { "webrtc", 281, 0 },
	{ "p2p-circuit", 290, 0 }, { "udt", 301, 0 }, { "utp", 302, 0 }, { "unix", 400, VARIES },
	{ "https", 443, 0 }, { "tls", 448, 0 }, { "sni", 449, VARIES }, { "noise", 454, 0 },
	{ "quic", 460, 0 }, { "quic-v1", 461, 0 }, { "webtransport", 465, 0 }, { "certhash", 466, VARIES },
	{ "ws", 477, 0 }, { "wss", 478, 0 }, { "http", 480, 0 }, { "http-path", 481, VARIES }
};

#define NPROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

/* Where in the pattern host, tcp, p2p we are; anything else makes an address foreign. */
struct taker {
	struct multiaddr *m;
	unsigned components;
	bool port, foreign;
};

static void start(struct taker *t, struct multiaddr *m)
{
	memset(m, 0, sizeof(*m));
	*t = (struct taker){ .m = m };
}

static int finish(struct taker *t)
{
	bool whole = t->port || (t->m->host == MULTIADDR_NONE && t->m->peer.n > 0);

	if (!t->foreign && whole)
		return 1;
	/* What is half of an address is none that we can use. */
	memset(t->m, 0, sizeof(*t->m));
	return t->components > 0 ? 0 : -1;
}

/* Letters, digits, hyphens, underscores, single dots (RFC 1123 §2.1, and what service names hold). */
static bool is_name(struct span s)
{
	char last = '.';

	if (s.n == 0 || s.n > MULTIADDR_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_';

		if (!plain && !(c == '.' && last != '.'))
			return false;
		last = c;
	}
	return true;
}

static bool take_host(struct taker *t, enum multiaddr_host host)
{
	if (t->components > 1)
		t->foreign = true;
	else
		t->m->host = host;
	return !t->foreign;
}

/* One component in its binary form; false: malformed. */
static bool take(struct taker *t, uint64_t code, struct span value)
{
	struct multiaddr *m = t->m;

	if (++t->components > MULTIADDR_COMPONENTS_MAX)
		return false;
	switch (code) {
	case P_IP4:
	case P_IP6:
		if (take_host(t, code == P_IP4 ? MULTIADDR_IP4 : MULTIADDR_IP6))
			memcpy(m->ip, value.p, value.n);
		return true;
	case P_DNS:
	case P_DNS4:
	case P_DNS6:
		if (!is_name(value))
			return false;
		if (take_host(t, MULTIADDR_DNS + (enum multiaddr_host)(code - P_DNS)))
			span_copy(m->name, sizeof(m->name), value);
		return true;
	case P_TCP:
		t->foreign |= t->components != 2 || m->host == MULTIADDR_NONE;
		t->port = true;
		m->port = (uint16_t)((uint8_t)value.p[0] << 8 | (uint8_t)value.p[1]);
		return true;
	case P_P2P:
		t->foreign |= m->peer.n > 0 || (t->components > 1 && !t->port);
		return peerid_decode(&m->peer, value);
	}
	t->foreign = true;
	return true;
}

/* ---- binary ---- */

static bool take_varint(struct span *rest, uint64_t *v)
{
	int n = varint_get(rest->p, rest->n, v);

	if (n < 0)
		return false;
	*rest = span_sub(*rest, (size_t)n, rest->n);
	return true;
}

static const struct protocol *by_code(uint64_t code)
{
	for (size_t i = 0; i < NPROTOCOLS; i++)
		if (protocols[i].code == code)
			return &protocols[i];
	return NULL;
}

int multiaddr_decode(struct multiaddr *m, struct span rest)
{
	struct taker t;
	uint64_t code, n;

	start(&t, m);
	while (rest.n > 0) {
		const struct protocol *p;

		if (!take_varint(&rest, &code))
			return -1;
		p = by_code(code);
		if (p == NULL) {
			/* Where its value ends is not known. */
			t.foreign = true;
			t.components++;
			break;
		}
		n = (uint64_t)(p->size >= 0 ? p->size : 0);
		if ((p->size == VARIES && !take_varint(&rest, &n)) || n > rest.n ||
		    !take(&t, code, span_sub(rest, 0, (size_t)n)))
			return -1;
		rest = span_sub(rest, (size_t)n, rest.n);
	}
	return finish(&t);
}

static void put_component(struct buf *b, uint64_t code, bool varies, struct span value)
{
	uint8_t v[VARINT_MAX_LEN];

	buf_add(b, v, varint_put(v, code));
	if (varies)
		buf_add(b, v, varint_put(v, value.n));
	buf_addspan(b, value);
}

void multiaddr_encode(const struct multiaddr *m, bool with_peer, struct buf *b)
{
	uint8_t port[2] = { (uint8_t)(m->port >> 8), (uint8_t)m->port };

	switch (m->host) {
	case MULTIADDR_NONE:
		break;
	case MULTIADDR_IP4:
		put_component(b, P_IP4, false, span_make(m->ip, 4));
		break;
	case MULTIADDR_IP6:
		put_component(b, P_IP6, false, span_make(m->ip, 16));
		break;
	case MULTIADDR_DNS:
	case MULTIADDR_DNS4:
	case MULTIADDR_DNS6:
		put_component(b, P_DNS + (uint64_t)(m->host - MULTIADDR_DNS), true, span_of(m->name));
		break;
	}
	if (m->host != MULTIADDR_NONE)
		put_component(b, P_TCP, false, span_make(port, 2));
	if (with_peer && m->peer.n > 0)
		put_component(b, P_P2P, true, peerid_span(&m->peer));
}

/* ---- text ---- */

static const struct protocol *by_name(struct span name)
{
	for (size_t i = 0; i < NPROTOCOLS; i++)
		if (span_eq(name, protocols[i].name))
			return &protocols[i];
	return NULL;
}

static bool take_ip(struct taker *t, uint64_t code, struct span text)
{
	char literal[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	return span_copy(literal, sizeof(literal), text) &&
	    inet_pton(code == P_IP4 ? AF_INET : AF_INET6, literal, ip) == 1 &&
	    take(t, code, span_make(ip, code == P_IP4 ? 4 : 16));
}

static bool take_port(struct taker *t, uint64_t code, struct span text)
{
	uint8_t port[2];
	uint64_t v;

	if (!span_u64(text, UINT16_MAX, &v))
		return false;
	port[0] = (uint8_t)(v >> 8);
	port[1] = (uint8_t)v;
	return take(t, code, span_make(port, 2));
}

static bool take_text(struct taker *t, const struct protocol *p, struct span text)
{
	struct peerid id;

	switch (p->code) {
	case P_IP4:
	case P_IP6:
		return take_ip(t, p->code, text);
	case P_P2P:
		return peerid_parse(&id, text) && take(t, p->code, peerid_span(&id));
	default:
		if (p->size == 2)
			return take_port(t, p->code, text);
		return text.n > 0 && take(t, p->code, text);
	}
}

int multiaddr_parse(struct multiaddr *m, struct span text)
{
	struct taker t;
	struct span rest, name, value;

	start(&t, m);
	/* go prints none and takes one */
	if (text.n > 1 && text.p[text.n - 1] == '/')
		text.n--;
	rest = span_sub(text, 1, text.n);
	if (text.n < 2 || text.n > 2 * MULTIADDR_TEXT_MAX || text.p[0] != '/')
		return -1;
	while (span_cut(&rest, '/', &name)) {
		const struct protocol *p = by_name(name);

		if (name.n == 0)
			return -1;
		if (p == NULL) {
			t.foreign = true;
			t.components++;
			break;
		}
		value = span_of("");
		if (p->size == 0 ? !take(&t, p->code, value)
				 : !span_cut(&rest, '/', &value) || !take_text(&t, p, value))
			return -1;
	}
	return finish(&t);
}

void multiaddr_text(const struct multiaddr *m, char out[static MULTIADDR_TEXT_MAX])
{
	static const char *const names[] = { "", "ip4", "ip6", "dns", "dns4", "dns6" };
	char host[MULTIADDR_NAME_MAX + 1], id[PEERID_TEXT_MAX];
	int n = 0;

	out[0] = '\0';
	if (multiaddr_dial_host(m, host))
		n = snprintf(out, MULTIADDR_TEXT_MAX, "/%s/%s/tcp/%u", names[m->host], host, m->port);
	if (m->peer.n == 0)
		return;
	peerid_text(&m->peer, id);
	snprintf(out + n, MULTIADDR_TEXT_MAX - (size_t)n, "/p2p/%s", id);
}

/* ---- sockets ---- */

void multiaddr_of_addr(struct multiaddr *m, const struct addr *a)
{
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	memset(m, 0, sizeof(*m));
	m->host = n == 4 ? MULTIADDR_IP4 : MULTIADDR_IP6;
	memcpy(m->ip, ip, n);
	m->port = addr_port(a);
}

bool multiaddr_addr(const struct multiaddr *m, struct addr *a)
{
	if (m->host != MULTIADDR_IP4 && m->host != MULTIADDR_IP6)
		return false;
	return addr_of_ip(a, m->ip, m->host == MULTIADDR_IP4 ? 4 : 16, m->port);
}

bool multiaddr_dial_host(const struct multiaddr *m, char out[static MULTIADDR_NAME_MAX + 1])
{
	switch (m->host) {
	case MULTIADDR_NONE:
		break;
	case MULTIADDR_IP4:
		return inet_ntop(AF_INET, m->ip, out, MULTIADDR_NAME_MAX) != NULL;
	case MULTIADDR_IP6:
		return inet_ntop(AF_INET6, m->ip, out, MULTIADDR_NAME_MAX) != NULL;
	case MULTIADDR_DNS:
	case MULTIADDR_DNS4:
	case MULTIADDR_DNS6:
		memcpy(out, m->name, sizeof(m->name));
		return true;
	}
	return false;
}

bool multiaddr_same(const struct multiaddr *a, const struct multiaddr *b)
{
	return a->host == b->host && a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 &&
	    strcmp(a->name, b->name) == 0;
}

/* ---- may it be dialled? ---- */

static const char *refuse_ip4(const uint8_t ip[static 4], bool over_loopback)
{
	if (ip[0] == 0)
		return "an unspecified address";
	if (ip[0] == 127)
		return over_loopback ? NULL : "a loopback address heard from another machine";
	if (ip[0] == 169 && ip[1] == 254)
		return "a link-local address";
	return ip[0] >= 224 ? "no unicast address" : NULL;
}

/* The IPv4 address that an IPv6 one stands for; NULL: it is its own. */
static const uint8_t *inner_ip4(const uint8_t ip[static 16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff },	/* RFC 4291 §2.5.5.2 */
	    nat64[12] = { 0, 0x64, 0xff, 0x9b },			/* RFC 6052 §2.1 */
	    local64[6] = { 0, 0x64, 0xff, 0x9b, 0, 1 };		/* RFC 8215: any prefix of a site's within */

	if (memcmp(ip, mapped, 12) == 0 || memcmp(ip, nat64, 12) == 0 || memcmp(ip, local64, 6) == 0)
		return ip + 12;
	if (ip[0] == 0x20 && ip[1] == 0x02)				/* RFC 3056: 6to4 */
		return ip + 2;
	return NULL;
}

static const char *refuse_ip6(const uint8_t ip[static 16], bool over_loopback)
{
	static const uint8_t zeros[15];
	const uint8_t *v4 = inner_ip4(ip);

	if (v4 != NULL)
		return refuse_ip4(v4, over_loopback);
	if (memcmp(ip, zeros, 15) == 0 && ip[15] == 1)
		return over_loopback ? NULL : "a loopback address heard from another machine";
	if (memcmp(ip, zeros, 12) == 0)
		return "an unspecified address";	/* and the withdrawn ::a.b.c.d */
	if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
		return "a link-local address";
	return ip[0] == 0xff ? "no unicast address" : NULL;
}

const char *multiaddr_refusal(const struct multiaddr *m, bool over_loopback)
{
	if (m->host != MULTIADDR_IP4 && m->host != MULTIADDR_IP6)
		return "no IP address";
	if (m->peer.n == 0)
		return "no peer id";
	if (m->port < MULTIADDR_PORT_MIN)
		return "a port below 1024";
	return m->host == MULTIADDR_IP4 ? refuse_ip4(m->ip, over_loopback) : refuse_ip6(m->ip, over_loopback);
}
