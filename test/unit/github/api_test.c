#include "../http/script.h"
#include "base/clock.h"
#include "base/err.h"
#include "github/answer.h"
#include "github/api.h"
#include "github/identity.h"
#include "github/request.h"
#include "http/client.h"
#include "http/origin.h"
#include "loop/loop.h"

#define OK "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nX-RateLimit-Remaining: 4\r\nX-RateLimit-Reset: 9\r\n" \
	"Content-Length: 5\r\n\r\nhello"

struct fixture {
	struct loop *loop;
	struct http_env env;
	struct http_client *http;
	struct script server;
	struct upstream upstream;
	struct identity id;
	struct request req;
	struct api_call *call;
	bool done;
	unsigned heads, ends;
	int status;
	char body[100], streamed[100], etag[20];
	int64_t sent, received, remaining;
	struct err err;
};

static void on_head(void *arg, const struct http_head *h)
{
	struct fixture *f = arg;

	f->heads++;
	assert_int_equal(h->status, 200);
}

static int on_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct fixture *f = arg;

	if (f->status == -1)
		return err_set(err, ERR_IO, "enough");
	strncat(f->streamed, p, n);
	return 0;
}

static void on_done(void *arg, struct answer *a, const struct err *err)
{
	struct fixture *f = arg;

	f->ends++;
	f->done = true;
	f->call = NULL;
	f->err = *err;
	if (err->cls != 0)
		return;
	f->status = a->head.status;
	f->sent = a->sent;
	f->received = a->received;
	f->remaining = a->limit.known ? a->limit.remaining : -1;
	assert_true(span_copy(f->body, sizeof(f->body), buf_span(&a->body)));
	span_copy(f->etag, sizeof(f->etag), http_field(&a->head, "etag"));
}

static int setup(void **state)
{
	struct http_timeouts t = { .first_byte_ms = 2000 };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	http_env_init(&f->env, f->loop);
	assert_int_equal(http_client_new(&f->env, &t, &f->http, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	api_cancel(f->call);
	http_client_free(f->http);
	alarm(5);
	f->done = false;
	loop_run(f->loop, &f->done, NULL);
	alarm(0);
	loop_free(f->loop);
	http_env_wipe(&f->env);
	script_stop(&f->server);
	request_wipe(&f->req);
	identity_wipe(&f->id);
	free(f);
	return 0;
}

static void serve(struct fixture *f, const char *send)
{
	static struct step steps[1];
	const struct http_header h = { span_of("X-GitHub-Api-Version"), span_of("2022-11-28") };
	struct request_in in = { .method = "GET", .target = span_of("/repos/o/r?x=1"), .headers = &h,
		.nheaders = 1 };
	char url[64];

	steps[0] = (struct step){ .first = true, .send = send, .close = true };
	script_start(&f->server, steps, 1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", f->server.port);
	assert_int_equal(upstream_parse(&f->upstream, url, NULL), 0);
	f->upstream.agent = "ghoard/test";
	assert_true(identity_init(&f->id, span_of("token ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
	assert_int_equal(request_init(&f->req, &f->upstream, &f->id, &in, NULL), 0);
}

static void start(struct fixture *f, bool stream, const char *etag, size_t max)
{
	struct api_sink sink = { .on_head = on_head, .on_body = stream ? on_body : NULL,
		.on_done = on_done, .arg = f };

	f->done = false;
	assert_int_equal(api_start(f->http, &f->req, span_of(etag), max, &sink, &f->call, NULL), 0);
	assert_int_equal(f->heads + f->ends, 0);
}

static void ask(struct fixture *f, bool stream, const char *etag, size_t max)
{
	start(f, stream, etag, max);
	alarm(10);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
	assert_int_equal(f->ends, 1);
}

static void test_collected(void **state)
{
	struct fixture *f = *state;
	int64_t began = clock_wall();

	serve(f, OK);
	ask(f, false, "", 5);
	assert_int_equal(f->err.cls, 0);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->body, "hello");
	assert_string_equal(f->etag, "\"x\"");
	assert_int_equal(f->remaining, 4);
	assert_int_equal(f->heads, 0);
	assert_true(began <= f->sent && f->sent <= f->received && f->received <= clock_wall());
	script_stop(&f->server);
	assert_int_equal(strncmp(f->server.requests[0], "GET /repos/o/r?x=1 HTTP/1.1\r\n", 29), 0);
	assert_null(strcasestr(f->server.requests[0], "if-none-match"));
	assert_non_null(strcasestr(f->server.requests[0],
	    "\r\nAuthorization: token ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"));
	assert_non_null(strcasestr(f->server.requests[0], "\r\nX-GitHub-Api-Version: 2022-11-28\r\n"));
	assert_non_null(strcasestr(f->server.requests[0], "\r\nUser-Agent: ghoard/test\r\n"));
}

static void test_condition(void **state)
{
	struct fixture *f = *state;

	serve(f, "HTTP/1.1 304 Not Modified\r\nETag: \"b\"\r\n\r\n");
	ask(f, false, "\"a\", \"b\"", 100);
	assert_int_equal(f->status, 304);
	assert_string_equal(f->body, "");
	script_stop(&f->server);
	assert_non_null(strstr(f->server.requests[0], "\r\nIf-None-Match: \"a\", \"b\"\r\n"));
}

static void test_streamed(void **state)
{
	struct fixture *f = *state;

	serve(f, OK);
	ask(f, true, "", 1);			/* the bound is for what is collected */
	assert_int_equal(f->err.cls, 0);
	assert_int_equal(f->heads, 1);
	assert_string_equal(f->streamed, "hello");
	assert_string_equal(f->body, "");
}

static void test_stream_stopped(void **state)
{
	struct fixture *f = *state;

	serve(f, OK);
	f->status = -1;
	ask(f, true, "", 1);
	assert_int_equal(f->err.cls, ERR_IO);
	assert_non_null(strstr(f->err.msg, ": enough"));
}

static void test_too_large(void **state)
{
	struct fixture *f = *state;
	char want[200];

	serve(f, OK);
	ask(f, false, "", 4);
	snprintf(want, sizeof(want), "GET http://127.0.0.1:%u/repos/o/r: the answer is larger than 4 bytes "
		"(cache.max_body)", f->server.port);
	assert_int_equal(f->err.cls, ERR_LIMIT);
	assert_string_equal(f->err.msg, want);
}

static void test_cut_off(void **state)
{
	struct fixture *f = *state;
	char want[200];

	serve(f, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
	ask(f, false, "", 100);
	snprintf(want, sizeof(want),
	    "GET http://127.0.0.1:%u/repos/o/r: the answer was cut off: 5 of 9 bytes "
	    "came",
	    f->server.port);
	assert_int_equal(f->err.cls, ERR_PROTO);
	assert_string_equal(f->err.msg, want);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;

	serve(f, OK);
	start(f, false, "", 100);
	api_cancel(f->call);
	api_cancel(NULL);
	f->call = NULL;
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	assert_int_equal(f->ends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(collected),
		T(condition),
		T(streamed),
		T(stream_stopped),
		T(too_large),
		T(cut_off),
		T(cancel),
	};

	return cmocka_run_group_tests_name("github/api", tests, NULL, NULL);
}
