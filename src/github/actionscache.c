#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/wipe.h"
#include "github/actionscache.h"
#include "http/client.h"
#include "http/parse.h"
#include "http/redirect.h"
#include "http/url.h"
#include "loop/loop.h"

#define PIECE ((size_t)65536)
#define RETRY_AFTER_MAX 86400

enum state { S_IDLE, S_CREATE, S_UPLOAD, S_FINALIZE, S_LOOKUP, S_DOWNLOAD };
static const char *const names[] = { "idle", "CreateCacheEntry", "the upload", "FinalizeCacheEntryUpload",
	"GetCacheEntryDownloadURL", "the download" };

struct actionscache {
	struct loop *loop;
	struct http_client *http;
	const char *agent;
	char url[1024];			/* ends in a slash */
	struct secret bearer;		/* "Bearer …" */
	struct cachewire_rights rights;
	int64_t retry_ms;
	enum state state;
	struct http_call *call;
	struct timer again;
	unsigned tries, hops;
	/* of the operation */
	struct buf request;		/* the body of a call */
	char key[CACHEWIRE_KEY_MAX + 1], version[128], matched[CACHEWIRE_KEY_MAX + 1];
	struct actionscache_blob blob;
	uint64_t sent;			/* of the blob's file */
	struct cachewire_answer answer;	/* its URL is the signed one */
	int (*on_body)(void *arg, const void *, size_t, struct err *);
	actionscache_done *done;
	void *arg;
	/* of the request under way */
	int status, retry_s;
	struct buf body, location;
	bool passed;			/* content went on: no second try */
	struct err err;			/* our own */
};

static void begin(struct actionscache *, enum state);

/* ---- life ---- */

int actionscache_new(const struct actionscache_params *p, struct actionscache **out, struct err *err)
{
	size_t n = p->url != NULL ? strlen(p->url) : 0;
	struct actionscache *c;
	char text[SECRET_MAX];
	struct url u;
	const char *why;

	if (n == 0 || n > sizeof(c->url) - 2 || url_parse(span_of(p->url), &u, &why) != 0 ||
	    (!u.tls && !url_is_loopback(&u)))
		return err_set(err, ERR_CONFIG, "ACTIONS_RESULTS_URL is no https address");
	n = (size_t)snprintf(text, sizeof(text), "Bearer %.*s", (int)p->token.n, p->token.p);
	if (p->token.n == 0 || n >= sizeof(text))
		return err_set(err, ERR_CONFIG, "ACTIONS_RUNTIME_TOKEN is empty or too long");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the cache service");
	c->loop = p->loop;
	c->http = p->http;
	c->agent = p->agent;
	c->retry_ms = p->retry_ms > 0 ? p->retry_ms : ACTIONSCACHE_RETRY_MS;
	snprintf(c->url, sizeof(c->url), "%s%s", p->url, p->url[strlen(p->url) - 1] == '/' ? "" : "/");
	secret_set(&c->bearer, span_make(text, n));
	wipe(text, sizeof(text));
	cachewire_judge(p->token, p->mode, p->server, &c->rights);
	buf_init(&c->request, 8 * CACHEWIRE_KEY_MAX * CACHEWIRE_KEYS_MAX);
	buf_init(&c->body, CACHEWIRE_ANSWER_MAX);
	buf_init(&c->location, URL_MAX);
	buf_init(&c->answer.url, URL_MAX);
	*out = c;
	return 0;
}

void actionscache_cancel(struct actionscache *c)
{
	if (c->call != NULL)
		http_call_cancel(c->call);
	c->call = NULL;
	timer_clear(c->loop, &c->again);
	c->state = S_IDLE;
}

void actionscache_free(struct actionscache *c)
{
	if (c == NULL)
		return;
	actionscache_cancel(c);
	secret_wipe(&c->bearer);
	cachewire_answer_free(&c->answer);
	buf_free(&c->request);
	buf_free(&c->body);
	buf_wipe(&c->location);
	free(c);
}

const struct cachewire_rights *actionscache_rights(const struct actionscache *c)
{
	return &c->rights;
}

struct span actionscache_matched(const struct actionscache *c)
{
	return span_of(c->matched);
}

/* ---- ends ---- */

static void end(struct actionscache *c, bool ok, const struct err *err)
{
	actionscache_done *done = c->done;
	struct actionscache_end e = { err, ok, span_of(c->matched) };

	c->state = S_IDLE;
	c->done = NULL;
	done(c->arg, &e);
}

static void on_again(struct timer *t)
{
	struct actionscache *c =
	    (struct actionscache *)(void *)((char *)t - offsetof(struct actionscache, again));

	begin(c, c->state);
}

static bool is_passing(const struct actionscache *c, int cls)
{
	bool by_status = c->status == 500 || (c->status >= 502 && c->status <= 504);
	bool by_net = c->status == 0 && (cls == ERR_UNAVAIL || cls == ERR_TIMEOUT || cls == ERR_IO);

	return (by_status || by_net) && !c->passed && c->tries < ACTIONSCACHE_TRIES;
}

/* 3 s, 4.5 s, 6.75 s, 10 s: as the official client waits. */
static void fail(struct actionscache *c, struct err *err)
{
	int64_t pause = c->retry_ms;

	if (!is_passing(c, err->cls)) {
		end(c, false, err);
		return;
	}
	for (unsigned i = 1; i < c->tries; i++)
		pause += pause / 2;
	log_debug("%s; again in %" PRId64 " ms", err->msg, pause);
	c->again.fire = on_again;
	timer_set(c->loop, &c->again, loop_now(c->loop) + pause);
}

/* ---- answers ---- */

static void on_head(void *arg, const struct http_head *h)
{
	struct actionscache *c = arg;
	uint64_t seconds = 0;

	c->status = h->status;
	if (span_u64(http_field(h, "retry-after"), RETRY_AFTER_MAX, &seconds))
		c->retry_s = (int)seconds;
	buf_clear(&c->location);
	buf_addspan(&c->location, http_field(h, "location"));
}

static int on_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct actionscache *c = arg;

	if (c->state == S_DOWNLOAD && c->status == 200) {
		c->passed = true;
		return c->on_body(c->arg, p, n, err);
	}
	/* what is too long for an answer of the service is not one: it ends as no JSON */
	if (buf_len(&c->body) + n <= CACHEWIRE_ANSWER_MAX)
		buf_add(&c->body, p, n);
	return 0;
}

/* A download may be moved to another host; nothing of ours goes along but the GET. */
static bool follows(struct actionscache *c, struct err *err)
{
	struct http_redirect next;
	struct url from, to;
	struct buf url;
	const char *why = "there are more than five";

	if (c->state != S_DOWNLOAD || !http_is_redirect(c->status))
		return false;
	buf_init(&url, URL_MAX);
	if (c->hops++ < HTTP_REDIRECTS_MAX &&
	    url_parse(buf_span(&c->answer.url), &from, &why) == 0 &&
	    http_redirect(c->status, "GET", &from, buf_span(&c->location), &url, &next, &why) == 0 &&
	    url_parse(buf_span(&url), &to, &why) == 0 && (to.tls || url_is_loopback(&to))) {
		cachewire_answer_free(&c->answer);
		c->answer.url = url;
		c->tries = 0;
		begin(c, S_DOWNLOAD);
		return true;
	}
	buf_free(&url);
	err_set(err, ERR_PROTO, "the cache service redirects the download, but %s", why);
	return false;
}

static void on_said(struct actionscache *c, struct err *err)
{
	enum cachewire_call call = c->state == S_CREATE ? CACHEWIRE_CREATE :
	    c->state == S_LOOKUP			? CACHEWIRE_LOOKUP :
							  CACHEWIRE_FINALIZE;

	cachewire_answer_free(&c->answer);
	if (cachewire_read(call, buf_span(&c->body), &c->answer, err) != 0) {
		end(c, false, err);
	} else if (c->state == S_FINALIZE && !c->answer.ok) {
		err_set(err, ERR_PROTO, "the cache service did not take the content%s%s",
		    c->answer.message[0] != '\0' ? ": " : "", c->answer.message);
		end(c, false, err);
	} else if (c->state == S_FINALIZE || !c->answer.ok) {
		end(c, c->answer.ok, err);
	} else {
		memcpy(c->matched, c->answer.matched, sizeof(c->matched));
		c->tries = 0;
		begin(c, c->state == S_CREATE ? S_UPLOAD : S_DOWNLOAD);
	}
}

static void on_done(void *arg, const struct err *result)
{
	struct actionscache *c = arg;
	struct err err = c->err.cls != 0 ? c->err : *result;
	bool good = c->status == 200 || (c->state == S_UPLOAD && c->status == 201);

	c->call = NULL;
	if (err.cls != 0)
		err_prefix(&err, "%s of the cache service", names[c->state]);
	else if (follows(c, &err))
		return;
	else if (!good && err.cls == 0)
		cachewire_refusal(names[c->state], c->status, buf_span(&c->body), c->retry_s, &err);
	if (err.cls != 0)
		fail(c, &err);
	else if (c->state == S_DOWNLOAD)
		end(c, true, &err);
	else if (c->state == S_UPLOAD)
		begin(c, S_FINALIZE);
	else
		on_said(c, &err);
}

/* ---- requests ---- */

static void pump(struct actionscache *c)
{
	uint8_t piece[PIECE];

	while (c->state == S_UPLOAD && c->blob.bytes.p == NULL && c->call != NULL && c->sent < c->blob.size &&
	    http_call_unsent(c->call) < PIECE) {
		uint64_t left = c->blob.size - c->sent;
		ssize_t n = pread(c->blob.fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)c->sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {			/* it shrank: the service must not wait for the rest */
			err_set(&c->err, ERR_IO, "the file that is uploaded cannot be read to its end");
			http_call_cancel(c->call);
			c->call = NULL;
			c->again.fire = on_again;
			c->tries = ACTIONSCACHE_TRIES;
			timer_set(c->loop, &c->again, loop_now(c->loop));
			return;
		}
		c->sent += (uint64_t)n;
		http_call_send(c->call, piece, (size_t)n);
		if (c->sent == c->blob.size)
			http_call_send_end(c->call);
	}
}

static void on_drained(void *arg)
{
	pump(arg);
}

static size_t headers(const struct actionscache *c, struct http_header h[static 6])
{
	size_t n = 0;

	h[n++] = (struct http_header){ span_of("User-Agent"), span_of(c->agent) };
	h[n++] = (struct http_header){ span_of("Accept-Encoding"), span_of("identity") };
	if (c->state == S_UPLOAD) {
		h[n++] = (struct http_header){ span_of("x-ms-blob-type"), span_of("BlockBlob") };
		h[n++] = (struct http_header){ span_of("x-ms-version"), span_of("2025-11-05") };
		h[n++] = (struct http_header){ span_of("Content-Type"), span_of("application/octet-stream") };
	} else if (c->state != S_DOWNLOAD) {
		h[n++] = (struct http_header){ span_of("Authorization"),
			span_make(c->bearer.bytes, c->bearer.len) };
		h[n++] = (struct http_header){ span_of("Content-Type"), span_of("application/json") };
	}
	return n;
}

static void set_body(struct actionscache *c, struct http_request *r)
{
	bool is_file = c->state == S_UPLOAD && c->blob.bytes.p == NULL && c->blob.size > 0;

	r->has_body = c->state != S_DOWNLOAD;
	r->streamed = is_file;
	r->length = is_file ? (int64_t)c->blob.size : 0;
	if (c->state == S_UPLOAD && !is_file)
		r->body = c->blob.bytes;
	else if (r->has_body && !is_file)
		r->body = buf_span(&c->request);
}

static int build(struct actionscache *c, struct buf *url, struct err *err)
{
	struct cachewire_ask ask = { .key = span_of(c->key),
		.version = span_of(c->version),
		.size = c->blob.bytes.p != NULL ? c->blob.bytes.n : c->blob.size };

	if (c->state == S_UPLOAD || c->state == S_DOWNLOAD) {
		buf_addspan(url, buf_span(&c->answer.url));
		return 0;
	}
	buf_adds(url, c->url);
	buf_adds(url,
	    cachewire_path(c->state == S_CREATE ? CACHEWIRE_CREATE :
		    c->state == S_LOOKUP	? CACHEWIRE_LOOKUP :
						  CACHEWIRE_FINALIZE));
	if (c->state == S_LOOKUP)		/* made when it was asked for */
		return 0;
	buf_clear(&c->request);
	return cachewire_body(c->state == S_CREATE ? CACHEWIRE_CREATE : CACHEWIRE_FINALIZE, &ask, &c->request,
	    err);
}

static int start(struct actionscache *c, struct err *err)
{
	struct http_header h[6];
	struct http_sink sink = { on_head, on_body, on_done, on_drained, c };
	struct http_request r = { .method = c->state == S_UPLOAD ? "PUT" :
		    c->state == S_DOWNLOAD		       ? "GET" :
								 "POST",
		.headers = h, .nheaders = headers(c, h) };
	struct buf url;
	int rc;

	buf_init(&url, URL_MAX);
	rc = build(c, &url, err);
	r.url = buf_span(&url);
	set_body(c, &r);
	if (rc == 0)
		rc = http_client_start(c->http, &r, &sink, &c->call, err);
	buf_wipe(&url);
	return rc;
}

/* Each step, and each further try of one. What cannot start ends like what failed. */
static void begin(struct actionscache *c, enum state state)
{
	struct err err = c->err;

	c->state = state;
	c->tries++;
	c->status = c->retry_s = 0;
	c->sent = 0;
	buf_clear(&c->body);
	if (err.cls == 0 && start(c, &err) == 0)
		pump(c);
	else
		end(c, false, &err);
}

static int take(struct actionscache *c, enum state state, struct span key, struct span version,
    actionscache_done *done, void *arg, struct err *err)
{
	if (c->state != S_IDLE)
		return err_set(err, ERR_LIMIT, "the cache service is being asked already");
	if (!span_copy(c->key, sizeof(c->key), key) || !span_copy(c->version, sizeof(c->version), version))
		return err_set(err, ERR_USAGE, "the cache key or its version is too long");
	c->state = state;
	c->tries = c->hops = 0;
	c->passed = false;
	c->done = done;
	c->arg = arg;
	c->matched[0] = '\0';
	err_init(&c->err);
	/* the first request starts from the loop too, so that its failing to start is told like any other */
	c->again.fire = on_again;
	timer_set(c->loop, &c->again, loop_now(c->loop));
	return 0;
}

int actionscache_put(struct actionscache *c, struct span key, struct span version,
    const struct actionscache_blob *blob, actionscache_done *done, void *arg, struct err *err)
{
	uint64_t size = blob->bytes.p != NULL ? blob->bytes.n : blob->size;

	if (!c->rights.write)
		return err_set(err, ERR_DENIED, "%s", c->rights.why);
	if (size > CACHEWIRE_PUT_MAX)
		return err_set(err, ERR_LIMIT,
		    "%" PRIu64 " MiB are more than the 128 MiB that go into the Actions cache in one piece",
		    size >> 20);
	c->blob = *blob;
	return take(c, S_CREATE, key, version, done, arg, err);
}

int actionscache_get(struct actionscache *c, const struct cachewire_ask *ask,
    int (*on_content)(void *arg, const void *, size_t, struct err *), actionscache_done *done, void *arg,
    struct err *err)
{
	int rc;

	if (!c->rights.read)
		return err_set(err, ERR_DENIED, "%s", c->rights.why);
	rc = take(c, S_LOOKUP, ask->key, ask->version, done, arg, err);
	if (rc != 0)
		return rc;
	buf_clear(&c->request);
	rc = cachewire_body(CACHEWIRE_LOOKUP, ask, &c->request, err);
	if (rc != 0)
		actionscache_cancel(c);
	c->on_body = on_content;
	return rc;
}
