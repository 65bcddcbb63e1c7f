#include "base/buf.h"
#include "base/hex.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "http/parse.h"
#include "http/server.h"
#include "http/url.h"
#include "metrics/page.h"
#include "proxy/control.h"

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json; charset=utf-8"
#define KEY_MAX 256
#define STATS_MAX ((size_t)4 << 20)

/* Every answer stays out of caches, and out of what other origins may include. */
static void reply(struct exchange *x, int status, const char *type, struct span body)
{
	struct http_field f[] = { { span_of("Content-Type"), span_of(type) },
		{ span_of("Cache-Control"), span_of("no-store") },
		{ span_of("X-Content-Type-Options"), span_of("nosniff") },
		{ span_of("Referrer-Policy"), span_of("no-referrer") },
		{ span_of("Cross-Origin-Resource-Policy"), span_of("same-origin") },
		{ span_of("Content-Security-Policy"), span_of(PAGE_POLICY) } };

	exchange_head(x, status, span_of(""), f, sizeof(f) / sizeof(f[0]), (int64_t)body.n);
	exchange_body(x, body.p, body.n);
	exchange_end(x);
}

static void say(struct exchange *x, int status, const char *text)
{
	reply(x, status, TEXT, span_of(text));
}

static void write_out(const struct control *c, struct exchange *x, void (*write)(void *, struct buf *),
    const char *type)
{
	struct buf b;

	buf_init(&b, STATS_MAX);
	write(c->arg, &b);
	if (b.failed)
		say(x, 500, "no memory\n");
	else
		reply(x, 200, type, buf_span(&b));
	buf_wipe(&b);
}

/* What changes something takes a POST, so that a link or an image can do nothing. */
static void act(const struct control *c, struct exchange *x, void (*what)(void *))
{
	if (!span_eq(exchange_request(x)->method, "POST")) {
		say(x, 405, "POST only\n");
		return;
	}
	what(c->arg);
	say(x, 200, "ok\n");
}

static void put(const struct control *c, struct exchange *x, struct span query)
{
	uint8_t key[KEY_MAX];
	ssize_t n =
	    span_starts(query, "key=") ? url_decode(key, sizeof(key), span_sub(query, 4, query.n)) : -1;

	if (!span_eq(exchange_request(x)->method, "POST")) {
		say(x, 405, "POST only\n");
	} else if (n <= 0) {
		say(x, 400, "no key\n");
	} else {
		c->put(c->arg, span_make(key, (size_t)n));
		say(x, 200, "ok\n");
	}
}

int control_make_key(struct control *c, struct err *err)
{
	uint8_t raw[CONTROL_KEY_LEN / 2];
	int rc = rand_bytes(raw, sizeof(raw), err);

	if (rc == 0)
		hex_encode(c->key, raw, sizeof(raw));
	wipe(raw, sizeof(raw));
	return rc;
}

/* One right `key=` among the query's parameters; a control without a key lets nobody in. */
static bool has_key(const struct control *c, struct span query)
{
	struct span part;

	while (span_cut(&query, '&', &part))
		if (part.n == CONTROL_KEY_LEN + 4 && span_starts(part, "key=") && c->key[0] != '\0' &&
		    mem_same_ct(part.p + 4, c->key, CONTROL_KEY_LEN))
			return true;
	return false;
}

static bool is_for_anybody(struct span path)
{
	return span_eq(path, "/_ghoard/health") || span_eq(path, "/_ghoard/metrics");
}

static bool is_for_key(struct span path)
{
	return span_eq(path, "/_ghoard/") || span_eq(path, "/_ghoard/stats");
}

void control_send(struct exchange *x, int status, struct span body)
{
	reply(x, status, status == 200 ? "application/octet-stream" : TEXT, body);
}

void control_answer(const struct control *c, struct exchange *x, struct span target)
{
	struct span path = span_before(target, '?'), query = span_sub(target, path.n + 1, target.n);

	if (!exchange_is_unix(x) && !is_for_anybody(path) && !(is_for_key(path) && has_key(c, query)))
		say(x, 403, is_for_key(path) ? "open the address that 'ghoard status' prints\n" :
					       "only on the unix socket\n");
	else if (span_eq(path, "/_ghoard/health"))
		say(x, 200, "ok\n");
	else if (span_eq(path, "/_ghoard/metrics"))
		write_out(c, x, c->metrics, "text/plain; version=0.0.4; charset=utf-8");
	else if (span_eq(path, "/_ghoard/"))
		reply(x, 200, "text/html; charset=utf-8", span_of(page_html));
	else if (span_eq(path, "/_ghoard/stats"))
		write_out(c, x, c->stats, JSON);
	else if (span_eq(path, "/_ghoard/status"))
		write_out(c, x, c->status, JSON);
	else if (span_eq(path, "/_ghoard/peers"))
		write_out(c, x, c->peers, JSON);
	else if (span_eq(path, "/_ghoard/cache"))
		write_out(c, x, c->cache, JSON);
	else if (span_eq(path, "/_ghoard/cache/forget"))
		act(c, x, c->forget);
	else if (span_eq(path, "/_ghoard/cache/put"))
		put(c, x, query);
	else if (span_eq(path, "/_ghoard/scan"))
		c->scan(c->arg, x, query);
	else if (span_eq(path, "/_ghoard/stop"))
		act(c, x, c->stop);
	else
		say(x, 404, "no such path\n");
}
