#include <inttypes.h>
#include <string.h>

#include "base/b64.h"
#include "base/err.h"
#include "base/jcanon.h"
#include "base/jscan.h"
#include "base/json.h"
#include "p2p/message.h"
#include "p2p/wire.h"

/* ---- reading: values ---- */

/* Unescaped into the message's room, which was made large enough before: spans into it stay good. */
static bool take_str(struct message *m, struct span raw, size_t most, struct span *out)
{
	size_t at = buf_len(&m->room);

	if (raw.n < 2 || raw.p[0] != '"' || jscan_unescape(raw, &m->room) != 0)
		return false;
	*out = span_make(buf_data(&m->room) + at, buf_len(&m->room) - at);
	return out->n <= most && !memchr(out->p, 0, out->n);
}

/* Seconds with a fraction as µs; at most six digits of it count. */
static bool take_time(struct span raw, int64_t *us)
{
	ptrdiff_t dot = span_chr(raw, '.');
	struct span whole = dot < 0 ? raw : span_sub(raw, 0, (size_t)dot);
	struct span frac = dot < 0 ? span_of("") : span_sub(raw, (size_t)dot + 1, 6);
	uint64_t s, f = 0;

	if (!span_u64(whole, (uint64_t)1 << 40, &s) || (frac.n > 0 && !span_u64(frac, 999999, &f)))
		return false;
	for (size_t i = frac.n; i < 6; i++)
		f *= 10;
	*us = (int64_t)(s * 1000000 + f);
	return true;
}

/* An array of multiaddresses: those that are for us, as many as there is room for. */
static bool take_addrs(struct message *m, struct span array, struct multiaddr *out, size_t max, size_t *n)
{
	struct span key, raw, text;
	size_t at = 0;
	int rc;

	if (array.p[0] != '[')
		return false;
	while ((rc = jscan_next(array, &at, &key, &raw)) == 1) {
		size_t before = buf_len(&m->room);

		if (!take_str(m, raw, JSON_MAX, &text))
			return false;
		if (*n < max && multiaddr_parse(&out[*n], text) == 1)
			++*n;
		buf_truncate(&m->room, before);
	}
	return rc == 0;
}

static bool take_prefixes(struct message *m, struct span array)
{
	struct span key, raw;
	size_t at = 0;
	int rc;

	if (array.p[0] != '[')
		return false;
	while ((rc = jscan_next(array, &at, &key, &raw)) == 1) {
		if (m->nprefixes == MESSAGE_PREFIXES_MAX ||
		    !take_str(m, raw, JSON_MAX, &m->prefixes[m->nprefixes]))
			return false;
		m->nprefixes++;
	}
	return rc == 0;
}

/* ---- reading: entries ---- */

static bool take_hops(struct span v, unsigned *hops)
{
	uint64_t n;

	if (!span_u64(v, 255, &n))
		return false;
	*hops = (unsigned)n;
	return true;
}

static bool take_entry_member(struct message *m, struct message_entry *e, struct span key, struct span v)
{
	uint64_t n;

	if (jscan_str_eq(key, "key") || jscan_str_eq(key, "cache_key"))
		return take_str(m, v, JSON_MAX, &e->key);
	if (jscan_str_eq(key, "url"))
		return take_str(m, v, JSON_MAX, &e->url);
	if (jscan_str_eq(key, "cid"))
		return take_str(m, v, MESSAGE_TEXT_MAX, &e->cid);
	if (jscan_str_eq(key, "auth"))
		return take_str(m, v, MESSAGE_TEXT_MAX, &e->auth);
	if (jscan_str_eq(key, "proof"))
		return take_str(m, v, MESSAGE_TEXT_MAX, &e->proof);
	if (jscan_str_eq(key, "timestamp"))
		return take_time(v, &e->timestamp);
	if (jscan_str_eq(key, "ttl")) {
		if (!span_u64(v, (uint64_t)1 << 40, &n))
			return false;
		e->ttl = (int64_t)n;
	} else if (jscan_str_eq(key, "hops")) {
		return take_hops(v, &e->hops);
	} else if (jscan_str_eq(key, "size")) {
		return span_u64(v, (uint64_t)1 << 40, &e->size);
	}
	return true;
}

static bool take_members(struct message *m, struct message_entry *e, struct span object)
{
	struct span key, v;
	size_t at = 0;
	int rc;

	if (object.n == 0 || object.p[0] != '{')
		return false;
	while ((rc = jscan_next(object, &at, &key, &v)) == 1)
		if (!take_entry_member(m, e, key, v))
			return false;
	return rc == 0;
}

static bool is_whole(const struct message_entry *e)
{
	return e->key.n > 0 && e->cid.n > 0 && e->auth.n > 0 && e->timestamp > 0;
}

static bool take_entries(struct message *m, struct span array)
{
	struct span key, raw;
	size_t at = 0;
	int rc;

	if (array.p[0] != '[')
		return false;
	while ((rc = jscan_next(array, &at, &key, &raw)) == 1) {
		struct message_entry *e = &m->entries[m->nentries];

		if (m->nentries == MESSAGE_ENTRIES_MAX)
			return false;
		memset(e, 0, sizeof(*e));
		if (!take_members(m, e, raw) || !is_whole(e))
			return false;
		m->nentries++;
	}
	return rc == 0;
}

/* An entry's file without data: the reference's members above, ours below "ghoard". */
static bool take_file(struct message *m, struct span object)
{
	struct message_entry *e = &m->entries[0];
	struct span ours;

	memset(e, 0, sizeof(*e));
	m->file = object;
	m->nentries = 1;
	return take_members(m, e, object) && jscan_member(object, "ghoard", &ours) == 1 &&
	    take_members(m, e, ours) && is_whole(e);
}

/* ---- reading: messages ---- */

static const struct {
	const char *name;
	enum message_type type;
} types[] = {
	{ "peer_info", MESSAGE_PEER_INFO }, { "cache_entry", MESSAGE_CACHE_ENTRY },
	{ "invalidate", MESSAGE_INVALIDATE }, { "cache_request", MESSAGE_CACHE_REQUEST },
	{ "cache_response", MESSAGE_CACHE_RESPONSE }, { "error", MESSAGE_ERROR }
};

static bool take_result(struct message *m, struct span v)
{
	m->has_result = true;
	if (jscan_str_eq(v, "hit"))
		m->result = MESSAGE_HIT;
	else if (jscan_str_eq(v, "miss"))
		m->result = MESSAGE_MISS;
	else if (jscan_str_eq(v, "busy"))
		m->result = MESSAGE_BUSY;
	else
		m->has_result = false;
	return m->has_result;
}

static bool take_retry(struct message *m, struct span v)
{
	uint64_t n;

	if (!span_u64(v, (uint64_t)1 << 40, &n))
		return false;
	m->retry_ms = n < MESSAGE_RETRY_MAX ? (int64_t)n : MESSAGE_RETRY_MAX;
	return true;
}

static bool take_response(struct message *m, struct span key, struct span v)
{
	if (jscan_str_eq(key, "answer"))
		return take_result(m, v);
	if (jscan_str_eq(key, "retry_ms"))
		return take_retry(m, v);
	if (jscan_str_eq(key, "size"))
		return span_u64(v, (uint64_t)1 << 40, &m->size);
	if (jscan_str_eq(key, "hops"))
		return take_hops(v, &m->hops);
	return !jscan_str_eq(key, "entry") || take_file(m, v);
}

static bool take_info(struct message *m, struct span key, struct span v)
{
	if (jscan_str_eq(key, "network_id"))
		return take_str(m, v, MESSAGE_TEXT_MAX, &m->network_id);
	if (jscan_str_eq(key, "agent"))
		return take_str(m, v, MESSAGE_TEXT_MAX, &m->agent);
	if (jscan_str_eq(key, "time"))
		return take_time(v, &m->time);
	if (jscan_str_eq(key, "addrs"))
		return take_addrs(m, v, m->addrs, MESSAGE_ADDRS_MAX, &m->naddrs);
	return !jscan_str_eq(key, "peers") || take_addrs(m, v, m->peers, MESSAGE_PEERS_MAX, &m->npeers);
}

static bool take_member(struct message *m, struct span key, struct span v)
{
	switch (m->type) {
	case MESSAGE_UNKNOWN:
		return true;
	case MESSAGE_PEER_INFO:
		return take_info(m, key, v);
	case MESSAGE_CACHE_ENTRY:
		return !jscan_str_eq(key, "entries") || take_entries(m, v);
	case MESSAGE_INVALIDATE:
		if (jscan_str_eq(key, "time"))
			return take_time(v, &m->time);
		return !jscan_str_eq(key, "prefixes") || take_prefixes(m, v);
	case MESSAGE_CACHE_REQUEST:
		if (jscan_str_eq(key, "key"))
			return take_str(m, v, JSON_MAX, &m->key);
		if (jscan_str_eq(key, "hops"))
			return take_hops(v, &m->hops);
		return !jscan_str_eq(key, "cid") || take_str(m, v, MESSAGE_TEXT_MAX, &m->cid);
	case MESSAGE_CACHE_RESPONSE:
		return take_response(m, key, v);
	case MESSAGE_ERROR:
		if (jscan_str_eq(key, "code"))
			return take_str(m, v, MESSAGE_TEXT_MAX, &m->code);
		return !jscan_str_eq(key, "message") || take_str(m, v, MESSAGE_TEXT_MAX, &m->text);
	}
	return false;
}

/* What must be there. */
static bool is_complete(struct message *m)
{
	switch (m->type) {
	case MESSAGE_UNKNOWN:
	case MESSAGE_ERROR:
		return true;
	case MESSAGE_PEER_INFO:
		return m->network_id.n > 0 && m->time > 0;
	case MESSAGE_CACHE_ENTRY:
		return m->nentries > 0;
	case MESSAGE_INVALIDATE:
		return m->nprefixes > 0 && m->time > 0;
	case MESSAGE_CACHE_REQUEST:
		return (m->key.n > 0) != (m->cid.n > 0);
	case MESSAGE_CACHE_RESPONSE:
		if (!m->has_result || (m->result == MESSAGE_HIT) != (m->nentries == 1))
			return false;
		m->entries[0].size = m->size;
		return true;
	}
	return false;
}

void message_init(struct message *m)
{
	memset(m, 0, sizeof(*m));
	buf_init(&m->room, 4 * JSON_MAX);
}

void message_free(struct message *m)
{
	buf_free(&m->room);
}

/* All but the room and what the counts make good. */
static void clear(struct message *m)
{
	m->type = MESSAGE_UNKNOWN;
	m->network_id = m->agent = m->key = m->cid = m->code = m->text = m->file = span_of("");
	m->naddrs = m->npeers = m->nentries = m->nprefixes = 0;
	m->time = m->retry_ms = 0;
	m->size = 0;
	m->has_result = false;
	m->result = MESSAGE_MISS;
	buf_clear(&m->room);
}

static bool take_all(struct message *m, struct span object)
{
	struct span key, v;
	size_t at = 0;
	int rc;

	while ((rc = jscan_next(object, &at, &key, &v)) == 1)
		if (!take_member(m, key, v))
			return false;
	return rc == 0 && is_complete(m);
}

int message_parse(struct message *m, struct span given, struct err *err)
{
	struct span json, raw;

	clear(m);
	/* The text once, and each string once more unescaped. */
	if (given.n > JSON_MAX || buf_reserve(&m->room, 2 * given.n + 64) == NULL) {
		buf_clear(&m->room);
		return err_set(err, ERR_PROTO, "a message of %zu bytes", given.n);
	}
	buf_addspan(&m->room, given);
	json = buf_span(&m->room);
	if (!jscan_valid(json) || json.p[0] != '{' || jscan_member(json, "type", &raw) != 1)
		return err_set(err, ERR_PROTO, "a message that is no JSON object with a type");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (jscan_str_eq(raw, types[i].name))
			m->type = types[i].type;
	m->hops = m->type == MESSAGE_CACHE_REQUEST ? MESSAGE_HOPS_ANY : 0;
	if (!take_all(m, json))
		return err_set(err, ERR_PROTO, "a malformed message of type %.*s",
		    (int)(raw.n < 40 ? raw.n : 40), raw.p);
	return 0;
}

/* ---- writing ---- */

static void put_str(struct buf *b, const char *name, struct span value)
{
	buf_addf(b, "%s\"%s\":", buf_len(b) > 0 && buf_data(b)[buf_len(b) - 1] == '{' ? "" : ",", name);
	json_quote(b, value, false);
}

static void put_time(struct buf *b, const char *name, int64_t us)
{
	buf_addf(b, ",\"%s\":%" PRId64 ".%06" PRId64, name, us / 1000000, us % 1000000);
}

static void put_addrs(struct buf *b, const char *name, const struct multiaddr *addrs, size_t n)
{
	char text[MULTIADDR_TEXT_MAX];

	buf_addf(b, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		multiaddr_text(&addrs[i], text);
		buf_addf(b, "%s\"%s\"", i > 0 ? "," : "", text);
	}
	buf_addc(b, ']');
}

void message_put_peer_info(struct buf *b, const struct message *m)
{
	buf_adds(b, "{\"type\":\"peer_info\"");
	put_str(b, "network_id", m->network_id);
	put_str(b, "agent", m->agent);
	put_addrs(b, "addrs", m->addrs, m->naddrs);
	put_addrs(b, "peers", m->peers, m->npeers);
	put_time(b, "time", m->time);
	buf_addc(b, '}');
}

static void put_entry(struct buf *b, const struct message_entry *e)
{
	buf_addc(b, '{');
	put_str(b, "key", e->key);
	if (e->url.n > 0)
		put_str(b, "url", e->url);
	put_str(b, "cid", e->cid);
	put_str(b, "auth", e->auth);
	if (e->proof.n > 0)
		put_str(b, "proof", e->proof);
	put_time(b, "timestamp", e->timestamp);
	buf_addf(b, ",\"ttl\":%" PRId64 ",\"size\":%" PRIu64 ",\"hops\":%u}", e->ttl, e->size, e->hops);
}

size_t message_put_entries(struct buf *b, const struct message_entry *e, size_t n, size_t max)
{
	size_t start = buf_len(b), i;

	buf_adds(b, "{\"type\":\"cache_entry\",\"entries\":[");
	for (i = 0; i < n && i < MESSAGE_ENTRIES_MAX; i++) {
		size_t before = buf_len(b);

		if (i > 0)
			buf_addc(b, ',');
		put_entry(b, &e[i]);
		if (buf_len(b) - start + 2 <= max)
			continue;
		buf_truncate(b, before);
		break;
	}
	buf_adds(b, "]}");
	return i;
}

void message_put_invalidate(struct buf *b, const struct span *prefixes, size_t n, int64_t time)
{
	buf_adds(b, "{\"type\":\"invalidate\",\"prefixes\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(b, ',');
		json_quote(b, prefixes[i], false);
	}
	buf_addc(b, ']');
	put_time(b, "time", time);
	buf_addc(b, '}');
}

void message_put_request(struct buf *b, struct span key, struct span cid, unsigned hops)
{
	buf_adds(b, "{\"type\":\"cache_request\"");
	put_str(b, cid.n > 0 ? "cid" : "key", cid.n > 0 ? cid : key);
	if (hops != MESSAGE_HOPS_ANY)
		buf_addf(b, ",\"hops\":%u", hops);
	buf_addc(b, '}');
}

#define DATA_MARK ",\"data\":"

static void begin_hit(struct buf *b, uint64_t size)
{
	buf_addf(b, "{\"type\":\"cache_response\",\"answer\":\"hit\",\"size\":%" PRIu64 ",\"entry\":", size);
}

void message_put_passed(struct buf *b, struct span file, uint64_t size)
{
	begin_hit(b, size);
	buf_addspan(b, file);
	buf_adds(b, ",\"hops\":1}");
}

int message_put_hit(struct buf *b, struct span image, uint64_t size)
{
	if (!span_ends(image, DATA_MARK) || image.p[0] != '{')
		return ERR_DAMAGED;
	begin_hit(b, size);
	buf_addspan(b, span_sub(image, 0, image.n - (sizeof(DATA_MARK) - 1)));
	buf_adds(b, "}}");
	return 0;
}

void message_put_miss(struct buf *b)
{
	buf_adds(b, "{\"type\":\"cache_response\",\"answer\":\"miss\"}");
}

void message_put_busy(struct buf *b, int64_t retry_ms)
{
	buf_addf(b, "{\"type\":\"cache_response\",\"answer\":\"busy\",\"retry_ms\":%" PRId64 "}", retry_ms);
}

void message_put_error(struct buf *b, const char *code, const char *text)
{
	buf_adds(b, "{\"type\":\"error\"");
	put_str(b, "code", span_of(code));
	put_str(b, "message", span_of(text));
	buf_addc(b, '}');
}

/* Those of the object's members that have these names, in this order, as they are written there. */
static void put_members(struct buf *b, struct span object, const char *const *names)
{
	struct span v;

	for (; *names != NULL; names++) {
		if (jscan_member(object, *names, &v) != 1)
			continue;
		buf_addf(b, "\"%s\":", *names);
		buf_addspan(b, v);
		buf_addc(b, ',');
	}
}

static bool is_same_json(struct span one, struct span two)
{
	struct buf a, b;
	bool same;

	buf_init(&a, WIRE_HEADER_MAX);
	buf_init(&b, WIRE_HEADER_MAX);
	same = jcanon(one, &a) == 0 && jcanon(two, &b) == 0 && span_same(buf_span(&a), buf_span(&b));
	buf_free(&a);
	buf_free(&b);
	return same;
}

static void put_variant(struct buf *b, struct span object, struct span ours)
{
	struct span v;

	if (jscan_member(object, "variant", &v) != 1)
		return;
	buf_adds(b, "\"variant\":");
	buf_addspan(b, span_same(v, ours) || !is_same_json(v, ours) ? v : ours);
	buf_addc(b, ',');
}

void message_entry_image(struct buf *b, struct span file, struct span variant, struct span body)
{
	/* The order of FORMATS §1, whatever the peer's: `encoding` and `data` stand last. */
	static const char *const outer[] = { "cache_key", "timestamp", "ttl", "content_hash",
		"validation_fields", NULL };
	static const char *const first[] = { "v", "cid", "status", "url", NULL };
	static const char *const second[] = { "auth", "proof", "scan", "sig", "headers", NULL };
	struct span ours = span_of("{}"), encoding;
	bool base64;

	jscan_member(file, "ghoard", &ours);
	base64 = jscan_member(ours, "encoding", &encoding) == 1 && jscan_str_eq(encoding, "base64");
	buf_addc(b, '{');
	put_members(b, file, outer);
	buf_adds(b, "\"ghoard\":{");
	put_members(b, ours, first);
	put_variant(b, ours, variant);
	put_members(b, ours, second);
	buf_addf(b, "\"encoding\":\"%s\"}" DATA_MARK "%s", base64 ? "base64" : "json", base64 ? "\"" : "");
	if (base64)
		b64_encode(b, body.p, body.n);
	else
		buf_addspan(b, body);
	buf_adds(b, base64 ? "\"}" : "}");
}
