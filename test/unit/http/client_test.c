#include <dirent.h>
#include <errno.h>

#include "script.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/client.h"
#include "http/origin.h"
#include "http/parse.h"
#include "loop/loop.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct fixture {
	struct loop *loop;
	struct http_env env;
	struct http_client *http;
	struct http_call *call;
	struct script server;
	bool done;
	unsigned heads, ends;
	int status;
	struct buf body;
	struct err err;
	int body_says;			/* what on_body returns */
	const char *again;		/* on_done asks for this path */
	int64_t took;
};

static void on_head(void *arg, const struct http_head *h)
{
	struct fixture *f = arg;

	f->heads++;
	f->status = h->status;
	assert_int_equal(f->ends, 0);
}

static int on_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct fixture *f = arg;

	assert_int_equal(f->heads, 1);
	assert_true(n > 0);
	buf_add(&f->body, p, n);
	if (f->body_says == ERR_IO)
		return err_set(err, ERR_IO, "the disk is full");
	return f->body_says;
}

static void start(struct fixture *f, const char *method, const char *path, const char *body);

static void on_done(void *arg, const struct err *err)
{
	struct fixture *f = arg;
	const char *again = f->again;

	f->ends++;
	f->err = *err;
	f->call = NULL;
	f->again = NULL;
	f->done = again == NULL;
	if (again != NULL)
		start(f, "GET", again, NULL);
}

static int setup(void **state)
{
	struct http_timeouts t = { .first_byte_ms = 2000 };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	http_env_init(&f->env, f->loop);
	buf_init(&f->body, BUF_MAX_ANY);
	assert_int_equal(http_client_new(&f->env, &t, &f->http, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_client_free(f->http);
	alarm(5);
	f->done = false;
	loop_run(f->loop, &f->done, NULL);	/* until nothing is held */
	alarm(0);
	loop_free(f->loop);
	http_env_wipe(&f->env);
	script_stop(&f->server);
	buf_free(&f->body);
	free(f);
	return 0;
}

static void new_timeouts(struct fixture *f, int64_t first_byte_ms, int64_t total_ms)
{
	struct http_timeouts t = { first_byte_ms, total_ms };

	http_client_free(f->http);
	assert_int_equal(http_client_new(&f->env, &t, &f->http, NULL), 0);
}

#define SERVE(f, steps) script_start(&(f)->server, steps, COUNT(steps))

static int try_start(struct fixture *f, const char *method, const char *path, const char *body,
    const struct http_header *headers, size_t n, struct err *err)
{
	struct http_sink sink = { .on_head = on_head, .on_body = on_body, .on_done = on_done,
		.arg = f };
	char url[200];
	struct http_request r = { .method = method,
		.headers = headers,
		.nheaders = n,
		.has_body = body != NULL,
		.body = span_of(body) };
	int len = snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", f->server.port, path);
	int rc;

	r.url = span_make(url, (size_t)len);
	rc = http_client_start(f->http, &r, &sink, &f->call, err);
	memset(url, '#', sizeof(url));		/* the spans are copied */
	return rc;
}

static void start(struct fixture *f, const char *method, const char *path, const char *body)
{
	f->heads = f->ends = 0;
	f->status = 0;
	f->done = false;
	err_init(&f->err);
	buf_clear(&f->body);
	assert_int_equal(try_start(f, method, path, body, NULL, 0, NULL), 0);
	assert_int_equal(f->heads + f->ends, 0);
}

static void run(struct fixture *f)
{
	int64_t began = clock_mono();

	alarm(10);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
	assert_int_equal(f->ends, 1);
	f->took = clock_mono() - began;
}

static void ask(struct fixture *f, const char *method, const char *path, const char *body)
{
	start(f, method, path, body);
	run(f);
}

static void answered(struct fixture *f, int status, const char *body)
{
	assert_string_equal(f->err.msg, "");
	assert_int_equal(f->err.cls, 0);
	assert_int_equal(f->heads, 1);
	assert_int_equal(f->status, status);
	assert_string_equal(buf_cstr(&f->body), body);
}

static void failed(struct fixture *f, int cls, const char *want)
{
	assert_string_equal(f->err.msg, want);
	assert_int_equal(f->err.cls, cls);
}

/* How many requests came, over how many connections. */
static void saw(struct fixture *f, size_t requests, size_t conns)
{
	script_stop(&f->server);
	assert_int_equal(f->server.nrequests, requests);
	assert_int_equal(f->server.nconns, conns);
}

static void stop_soon(struct timer *t)
{
	*(bool *)(void *)(t + 1) = true;
}

/* Let things happen for so long. */
static void idle(struct fixture *f, int64_t ms)
{
	struct {
		struct timer timer;
		bool over;
	} t = { { .fire = stop_soon }, false };

	timer_set(f->loop, &t.timer, clock_mono() + ms);
	assert_int_equal(loop_run(f->loop, &t.over, NULL), 0);
}

/* ---- the request ---- */

static void test_request(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK }, { .first = true, .send = OK } };
	static const struct http_header h[] = { { { "Accept", 6 }, { "*/*", 3 } },
		{ { "X", 1 }, { "", 0 } } };
	struct fixture *f = *state;
	char want[200];

	SERVE(f, steps);
	assert_int_equal(try_start(f, "GET", "/a?b=%20#part", NULL, h, 2, NULL), 0);
	run(f);
	answered(f, 200, "ok");
	ask(f, "POST", "", "");
	answered(f, 200, "ok");
	saw(f, 2, 2);
	snprintf(want, sizeof(want),
	    "GET /a?b=%%20 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: */*\r\nX: \r\n\r\n", f->server.port);
	assert_string_equal(f->server.requests[0], want);
	snprintf(want, sizeof(want), "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 0\r\n\r\n",
	    f->server.port);
	assert_string_equal(f->server.requests[1], want);
}

static void test_request_body(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK } };
	struct fixture *f = *state;

	SERVE(f, steps);
	ask(f, "PATCH", "/x", "{\"a\":1}");
	answered(f, 200, "ok");
	saw(f, 1, 1);
	assert_non_null(strstr(f->server.requests[0], "\r\nContent-Length: 7\r\n\r\n{\"a\":1}"));
}

static void test_nothing_is_smuggled(void **state)
{
	static const struct http_header bad[] = { { { "A\r\nB", 4 }, { "x", 1 } },
		{ { "A", 1 }, { "x\r\nB: y", 7 } }, { { "A", 1 }, { "x\ny", 3 } },
		{ { "A", 1 }, { "x\0y", 3 } }, { { "", 0 }, { "x", 1 } }, { { "A b", 3 }, { "x", 1 } },
		{ { "A:", 2 }, { "x", 1 } }, { { "A", 1 }, { " x", 2 } } };
	static const char *const methods[] = { "", "GET /x HTTP/1.1\r\n", "G T", "GET\n" };
	static const char *const paths[] = { " HTTP/1.1\r\nA: b", "/a b", "/a\r\n", "/%zz", "/\x7f",
		"@evil/" };
	struct fixture *f = *state;
	struct err err;

	f->server.port = 9;		/* nobody is asked */
	for (size_t i = 0; i < COUNT(bad); i++) {
		err_init(&err);
		assert_int_equal(try_start(f, "GET", "/", NULL, &bad[i], 1, &err), ERR_USAGE);
		assert_int_equal(strncmp(err.msg, "a header that HTTP does not allow: '", 36), 0);
	}
	for (size_t i = 0; i < COUNT(methods); i++)
		assert_int_equal(try_start(f, methods[i], "/", NULL, NULL, 0, NULL), ERR_USAGE);
	for (size_t i = 0; i < COUNT(paths); i++)
		assert_int_equal(try_start(f, "GET", paths[i], NULL, NULL, 0, NULL), ERR_USAGE);
	f->done = false;
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	assert_int_equal(f->heads + f->ends, 0);
}

/* ---- answers ---- */

static const struct {
	const char *method, *send;
	int status;
	const char *body;
	bool kept, drip;
} answers[] = {
	{ "GET", OK, 200, "ok", true, false },
	{ "GET", OK, 200, "ok", true, true },
	{ "GET", "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200, "", true, false },
	{ "GET", "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone", 404, "gone", true, false },
	{ "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 200, "", true, false },
	{ "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", true, false },
	{ "GET", "HTTP/1.1 204 No\r\n\r\n", 204, "", true, false },
	{ "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 7\r\n\r\n", 304, "", true,
	    true },
	{ "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: <a>\r\n\r\n" OK, 200, "ok", true,
	    true },
	{ "GET",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n"
	    "Trailer: t\r\nMore: u\r\n\r\n",
	    200, "abc0123456789", true, false },
	{ "GET",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n"
	    "Trailer: t\r\nMore: u\r\n\r\n",
	    200, "abc0123456789", true, true },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true, false },
	{ "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false,
	    false },
	{ "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false, false },
	/* more than was announced: whoever says that is not asked again */
	{ "GET", OK "x", 200, "ok", false, false },
	{ "GET", OK OK, 200, "ok", false, false },
	{ "HEAD", OK, 200, "", false, false },
	{ "GET", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", 204, "", false, false },
};

static void test_answers(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(answers); i++) {
		const struct step steps[] = {
			{ .first = true, .send = answers[i].send, .drip = answers[i].drip },
			{ .first = !answers[i].kept, .send = OK }
		};

		SERVE(f, steps);
		ask(f, answers[i].method, "/1", NULL);
		answered(f, answers[i].status, answers[i].body);
		ask(f, "GET", "/2", NULL);
		answered(f, 200, "ok");
		saw(f, 2, answers[i].kept ? 1 : 2);
		teardown(state);
		setup(state);
		f = *state;
	}
}

static const struct {
	const char *method, *send;
	unsigned heads;
	const char *body;
	int cls;		/* 0: an answer all the same */
	const char *want;
} ends[] = {
	{ "GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", 1, "until the end", 0, "" },
	{ "GET", "HTTP/1.0 200 OK\r\n\r\n", 1, "", 0, "" },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 1, "hello", ERR_PROTO,
	    "the answer was cut off: 5 of 10 bytes came" },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 1, "hello", ERR_PROTO,
	    "the answer was cut off after 5 bytes" },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", 1, "hello",
	    ERR_PROTO, "the answer was cut off after 5 bytes" },
	{ "GET", "", 0, "", ERR_UNAVAIL, "the server closed the connection without an answer" },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-", 0, "", ERR_PROTO, "the answer was cut off within its head" },
	{ "GET", "HTTP/1.1 100 Continue\r\n\r\n", 0, "", ERR_UNAVAIL,
	    "the server closed the connection without an answer" },
	{ "GET", "HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n", 0, "", ERR_PROTO,
	    "the server switched protocols without being asked" },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", 0, "",
	    ERR_PROTO, "the answer's head cannot be trusted: *" },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 0, "", ERR_PROTO,
	    "the answer's head cannot be trusted: *" },
	{ "GET", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 0, "", ERR_PROTO,
	    "the answer's head is malformed: *" },
	{ "GET", "SSH-2.0-x\r\n", 0, "", ERR_PROTO, "the answer's head is malformed: *" },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 1, "", ERR_PROTO,
	    "the answer's chunked body is malformed: *" },
};

static void test_ends(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(ends); i++) {
		const struct step steps[] = {
			{ .first = true, .send = ends[i].send, .drip = i % 2, .close = true },
			{ .first = true, .send = OK }
		};
		size_t n = strlen(ends[i].want);

		SERVE(f, steps);
		ask(f, ends[i].method, "/", NULL);
		assert_int_equal(f->err.cls, ends[i].cls);
		if (n > 0 && ends[i].want[n - 1] == '*')
			assert_int_equal(strncmp(f->err.msg, ends[i].want, n - 1), 0);
		else
			assert_string_equal(f->err.msg, ends[i].want);
		assert_int_equal(f->heads, ends[i].heads);
		assert_string_equal(buf_cstr(&f->body), ends[i].body);
		ask(f, "GET", "/", NULL);
		answered(f, 200, "ok");
		saw(f, 2, 2);
	}
}

static void test_body_refused(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK }, { .first = true, .send = OK } };
	struct fixture *f = *state;

	SERVE(f, steps);
	f->body_says = ERR_IO;
	ask(f, "GET", "/", NULL);
	failed(f, ERR_IO, "the disk is full");
	f->body_says = ERR_LIMIT;	/* without a sentence of its own */
	ask(f, "GET", "/", NULL);
	failed(f, ERR_LIMIT, "the answer was not taken");
}

/* ---- kept-open connections ---- */

static void test_swallowed(void **state)
{
	static const char *const again[] = { "GET", "HEAD", "PUT", "DELETE" };
	static const struct step steps[] = { { .first = true, .send = OK }, { .close = true },
		{ .first = true, .send = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(again); i++) {
		SERVE(f, steps);
		ask(f, "GET", "/1", NULL);
		ask(f, again[i], "/2", NULL);
		answered(f, 200, "");
		saw(f, 3, 2);
		assert_string_equal(f->server.requests[1], f->server.requests[2]);
	}
}

static void test_post_is_new(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK },
		{ .first = true, .close = true } };
	struct fixture *f = *state;

	SERVE(f, steps);
	ask(f, "GET", "/1", NULL);
	ask(f, "POST", "/2", "x");
	failed(f, ERR_UNAVAIL, "the server closed the connection without an answer");
	saw(f, 2, 2);			/* and is not sent twice */
}

static void test_not_twice(void **state)
{
	/* both the kept one and the new one swallow it */
	static const struct step steps[] = { { .first = true, .send = OK }, { .close = true },
		{ .first = true, .close = true }, { .first = true, .send = OK } };
	struct fixture *f = *state;

	SERVE(f, steps);
	ask(f, "GET", "/1", NULL);
	ask(f, "GET", "/2", NULL);
	failed(f, ERR_UNAVAIL, "the server closed the connection without an answer");
	saw(f, 3, 2);
}

/* With a byte of answer it was not swallowed. */
static void test_begun(void **state)
{
	static const char *const begun[] = { "H", "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 2",
		"HTTP/1.1 100 Continue\r\n\r\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(begun); i++) {
		const struct step steps[] = { { .first = true, .send = OK },
			{ .send = begun[i], .close = true }, { .first = true, .send = OK } };

		SERVE(f, steps);
		ask(f, "GET", "/1", NULL);
		ask(f, "GET", "/2", NULL);
		assert_int_equal(f->heads, 0);
		failed(f, i < 2 ? ERR_PROTO : ERR_UNAVAIL, i < 2 ? "the answer was cut off within its head" :
			"the server closed the connection without an answer");
		saw(f, 2, 1);
	}
}

/* Closed, or spoken on, while nobody asked: not used again. */
static void test_idle(void **state)
{
	static const struct step closed[] = { { .first = true, .send = OK, .close = true },
		{ .first = true, .send = OK } };
	static const struct step spoken[] = { { .first = true, .send = OK },
		{ .unasked = true, .pause_ms = 20, .send = "HTTP/1.1 408 Slow\r\n\r\n" },
		{ .first = true, .send = OK } };
	struct fixture *f = *state;

	SERVE(f, closed);
	ask(f, "GET", "/1", NULL);
	idle(f, 60);
	ask(f, "POST", "/2", "x");
	answered(f, 200, "ok");
	saw(f, 2, 2);
	SERVE(f, spoken);
	ask(f, "GET", "/1", NULL);
	idle(f, 80);
	ask(f, "GET", "/2", NULL);
	answered(f, 200, "ok");
	saw(f, 2, 2);
}

static void test_origins(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK }, { .send = OK } };
	struct fixture *f = *state;
	struct script other;

	script_start(&other, steps, 2);
	SERVE(f, steps);
	ask(f, "GET", "/1", NULL);
	uint16_t port = f->server.port;
	f->server.port = other.port;
	ask(f, "GET", "/1", NULL);
	ask(f, "GET", "/2", NULL);
	f->server.port = port;
	ask(f, "GET", "/2", NULL);
	answered(f, 200, "ok");
	saw(f, 2, 1);
	script_stop(&other);
	assert_int_equal(other.nrequests, 2);
}

static void test_on_done_starts(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK }, { .send = OK } };
	struct fixture *f = *state;

	SERVE(f, steps);
	f->again = "/2";
	ask(f, "GET", "/1", NULL);
	answered(f, 200, "ok");
	saw(f, 2, 1);
}

/* More at a time than are kept. */
static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static unsigned many_done;

static void on_one_done(void *arg, const struct err *err)
{
	struct fixture *f = arg;

	assert_int_equal(err->cls, 0);
	f->done = ++many_done == HTTP_IDLE_MAX + 3;
}

static void ignore_head(void *arg, const struct http_head *h)
{
	(void)arg;
	assert_int_equal(h->status, 200);
}

static int ignore_body(void *arg, const void *p, size_t n, struct err *err)
{
	(void)arg, (void)p, (void)n, (void)err;
	return 0;
}

static void test_many(void **state)
{
	struct step steps[HTTP_IDLE_MAX + 3];
	struct fixture *f = *state;
	struct http_sink sink = { .on_head = ignore_head, .on_body = ignore_body,
		.on_done = on_one_done, .arg = f };
	struct http_call *call;
	char url[64];

	for (size_t i = 0; i < COUNT(steps); i++)
		steps[i] = (struct step){ .first = true, .send = OK };
	many_done = 0;
	SERVE(f, steps);
	size_t before = open_fds();
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", f->server.port);
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct http_request r = { .method = "GET", .url = span_of(url) };

		assert_int_equal(http_client_start(f->http, &r, &sink, &call, NULL), 0);
	}
	alarm(5);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
	idle(f, 10);
	/* the server's ends are this process's too */
	assert_int_equal(open_fds() - before, COUNT(steps) + HTTP_IDLE_MAX);
}

/* ---- time ---- */

static void test_no_answer(void **state)
{
	static const struct step steps[] = { { .first = true },
		{ .first = true, .send = "HTTP/1.1 200 OK\r\nCon" },
		{ .first = true, .send = "HTTP/1.1 100 Go on\r\n\r\n" } };
	struct fixture *f = *state;

	new_timeouts(f, 120, 0);
	SERVE(f, steps);
	for (size_t i = 0; i < COUNT(steps); i++) {
		ask(f, "GET", "/", NULL);
		failed(f, ERR_TIMEOUT, "no answer came within 0 s");
		assert_in_range(f->took, 119, 900);
	}
	saw(f, 3, 3);
}

static void test_stalls(void **state)
{
	static const struct step steps[] = {
		{ .first = true, .send = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" }
	};
	struct fixture *f = *state;

	new_timeouts(f, 120, 0);
	SERVE(f, steps);
	ask(f, "GET", "/", NULL);
	failed(f, ERR_TIMEOUT, "the answer stopped: nothing more came for 0 s");
	assert_string_equal(buf_cstr(&f->body), "hello");
	assert_in_range(f->took, 119, 900);
}

/* Slow, but never silent for long. */
static const struct step slow[] = { { .first = true, .send = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" },
	{ .unasked = true, .pause_ms = 100, .send = "h" }, { .unasked = true, .pause_ms = 100, .send = "e" },
	{ .unasked = true, .pause_ms = 100, .send = "l" }, { .unasked = true, .pause_ms = 100, .send = "l" },
	{ .unasked = true, .pause_ms = 100, .send = "o" } };

static void test_slow(void **state)
{
	struct fixture *f = *state;

	new_timeouts(f, 300, 0);
	SERVE(f, slow);
	ask(f, "GET", "/", NULL);
	answered(f, 200, "hello");
	assert_in_range(f->took, 450, 3000);
}

static void test_total(void **state)
{
	struct fixture *f = *state;

	new_timeouts(f, 1000, 250);
	SERVE(f, slow);
	ask(f, "GET", "/", NULL);
	failed(f, ERR_TIMEOUT, "the answer did not come whole within 0 s");
	assert_in_range(f->took, 240, 900);
	assert_int_equal(f->status, 200);
}

/* ---- cancelled ---- */

static void test_cancel(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK },
		{ .pause_ms = 60, .send = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello" },
		{ .first = true, .send = OK } };
	struct fixture *f = *state;

	SERVE(f, steps);
	start(f, "GET", "/0", NULL);		/* before anything */
	http_call_cancel(f->call);
	http_call_cancel(NULL);
	idle(f, 1);
	assert_int_equal(f->heads + f->ends, 0);
	ask(f, "GET", "/1", NULL);
	start(f, "GET", "/2", NULL);		/* the body is half there */
	while (f->heads == 0)
		idle(f, 5);
	http_call_cancel(f->call);
	idle(f, 20);
	assert_int_equal(f->ends, 0);
	ask(f, "GET", "/3", NULL);
	answered(f, 200, "ok");
	saw(f, 3, 2);
}

static void test_cancel_waiting(void **state)
{
	static const struct step steps[] = { { .first = true, .pause_ms = 150, .send = OK } };
	struct fixture *f = *state;

	SERVE(f, steps);
	start(f, "GET", "/", NULL);
	idle(f, 60);				/* sent, and no answer yet */
	http_call_cancel(f->call);
	idle(f, 150);
	assert_int_equal(f->heads + f->ends, 0);
	saw(f, 1, 1);
}

/* Freeing the client cancels: teardown sees that nothing is held. */
static void test_client_free(void **state)
{
	static const struct step steps[] = { { .first = true, .send = OK }, { .first = true },
		{ .first = true } };
	struct fixture *f = *state;

	SERVE(f, steps);
	ask(f, "GET", "/", NULL);
	start(f, "POST", "/", "x");
	start(f, "POST", "/", "y");
	idle(f, 30);
	new_timeouts(f, 1000, 1000);
	f->done = false;
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	assert_int_equal(f->ends, 0);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	char want[100];

	SERVE(f, slow);
	script_stop(&f->server);
	ask(f, "GET", "/", NULL);
	snprintf(want, sizeof(want), "connecting to 127.0.0.1 (127.0.0.1:%u): Connection refused",
	    f->server.port);
	failed(f, ERR_UNAVAIL, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(request),
		T(request_body),
		T(nothing_is_smuggled),
		T(answers),
		T(ends),
		T(body_refused),
		T(swallowed),
		T(post_is_new),
		T(not_twice),
		T(begun),
		T(idle),
		T(origins),
		T(on_done_starts),
		T(many),
		T(no_answer),
		T(stalls),
		T(slow),
		T(total),
		T(cancel),
		T(cancel_waiting),
		T(client_free),
		T(refused),
	};

	return cmocka_run_group_tests_name("http/client", tests, NULL, NULL);
}
