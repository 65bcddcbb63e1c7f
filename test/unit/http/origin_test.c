#include "script.h"
#include "../tls/server.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/origin.h"
#include "http/url.h"
#include "loop/loop.h"
#include "net/conn.h"

#define YES "HTTP/1.1 200 Connection established\r\n\r\n"

struct fixture {
	struct loop *loop;
	struct http_env env;
	struct origin *origin;
	struct script server;
	char proxy[100];
	bool done;
	unsigned calls;
	struct conn *conn;
	struct err err;
	struct buf got;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	http_env_init(&f->env, f->loop);
	f->env.ca_file = "root.pem";
	buf_init(&f->got, BUF_MAX_ANY);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	origin_cancel(f->origin);
	conn_free(f->conn);
	alarm(5);
	f->done = false;
	loop_run(f->loop, &f->done, NULL);	/* until nothing is held */
	alarm(0);
	loop_free(f->loop);
	http_env_wipe(&f->env);
	script_stop(&f->server);
	buf_free(&f->got);
	free(f);
	return 0;
}

static int group_setup(void **state)
{
	(void)state;
	tls_write_root("root.pem");
	return 0;
}

static void on_origin(void *arg, struct conn *c, const struct err *err)
{
	struct fixture *f = arg;

	f->calls++;
	f->done = true;
	f->conn = c;
	f->err = *err;
	f->origin = NULL;
	assert_int_equal(c == NULL, err->cls != 0);
}

static int try_open(struct fixture *f, const char *text, struct err *err)
{
	char copy[300];
	struct url url;
	const char *why;
	int rc;

	snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(url_parse(span_of(copy), &url, &why), 0);
	f->calls = 0;
	f->done = false;
	rc = origin_open(&f->env, &url, on_origin, f, &f->origin, err);
	memset(copy, '#', sizeof(copy));	/* the spans are copied */
	assert_int_equal(f->calls, 0);
	return rc;
}

static void run(struct fixture *f)
{
	alarm(10);
	assert_int_equal(loop_run(f->loop, &f->done, NULL), 0);
	alarm(0);
}

static void open_url(struct fixture *f, const char *text)
{
	assert_int_equal(try_open(f, text, NULL), 0);
	run(f);
	assert_int_equal(f->calls, 1);
}

/* A URL on the script's port. */
static void open_here(struct fixture *f, const char *scheme_and_host)
{
	char url[100];

	snprintf(url, sizeof(url), "%s:%u/", scheme_and_host, f->server.port);
	open_url(f, url);
}

#define SERVE(f, steps) serve(f, steps, COUNT(steps))

/* The script is the proxy, too. */
static void serve(struct fixture *f, const struct step *steps, size_t n)
{
	script_start(&f->server, steps, n);
	snprintf(f->proxy, sizeof(f->proxy), "http://127.0.0.1:%u", f->server.port);
}

static void failed(struct fixture *f, int cls, const char *want)
{
	assert_null(f->conn);
	assert_string_equal(f->err.msg, want);
	assert_int_equal(f->err.cls, cls);
}

static void on_conn(void *arg, enum conn_event ev)
{
	struct fixture *f = arg;

	if (ev == CONN_DATAIN) {
		buf_addspan(&f->got, buf_span(conn_in(f->conn)));
		buf_consume(conn_in(f->conn), buf_len(conn_in(f->conn)));
	}
	f->done = ev == CONN_EOF || ev == CONN_ERROR;
}

/* Say something over the ready connection, and hear all of the answer. */
static void converse(struct fixture *f, const char *want, bool clean)
{
	assert_non_null(f->conn);
	conn_retarget(f->conn, on_conn, f);
	assert_int_equal(conn_write(f->conn, "GET / HTTP/1.1\r\n\r\n", 18), 0);
	f->done = false;
	run(f);
	assert_string_equal(buf_cstr(&f->got), want);
	assert_int_equal(conn_clean(f->conn), clean);
}

static void serve_tls(int fd)
{
	char request[200];

	tls_serve(fd, CERT_GOOD, request, sizeof(request), "over TLS", 1);
}

static void serve_tls_rude(int fd)
{
	char request[200];

	tls_serve(fd, CERT_GOOD, request, sizeof(request), "over TLS", 0);
}

static const struct step plain[] = { { .first = true, .send = "plain", .close = true } };
static const struct step tls[] = { { .first = true, .serve = serve_tls, .close = true } };

/* ---- without a proxy ---- */

static void test_plain(void **state)
{
	struct fixture *f = *state;

	f->env.proxy = "http://127.0.0.1:1";	/* for https only */
	SERVE(f, plain);
	open_here(f, "http://127.0.0.1");
	converse(f, "plain", true);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	char want[200];

	SERVE(f, plain);
	script_stop(&f->server);
	open_here(f, "https://127.0.0.1");
	snprintf(want, sizeof(want), "connecting to 127.0.0.1 (127.0.0.1:%u): Connection refused",
	    f->server.port);
	failed(f, ERR_UNAVAIL, want);
}

static void test_wrong_host(void **state)
{
	struct fixture *f = *state;

	SERVE(f, tls);
	open_here(f, "https://localhost");
	failed(f, ERR_DENIED, "the certificate that localhost showed is for another host");
}

static void test_address(void **state)
{
	struct fixture *f = *state;

	SERVE(f, tls);
	open_here(f, "https://127.0.0.1");
	failed(f, ERR_DENIED,
	    "127.0.0.1 is an IP address: no certificate can be checked against it; use a host "
	    "name");
}

static void test_no_tls(void **state)
{
	static const struct step steps[] = {
		{ .first = true, .unasked = true, .send = "HTTP/1.1 400 Bad Request\r\n\r\n" }
	};
	struct fixture *f = *state;

	SERVE(f, steps);
	open_here(f, "https://localhost");
	failed(f, ERR_PROTO, "localhost does not answer with TLS");
}

static void test_gone_in_the_handshake(void **state)
{
	static const struct step steps[] = {
		{ .first = true, .unasked = true, .pause_ms = 50, .close = true }
	};
	struct fixture *f = *state;

	SERVE(f, steps);
	open_here(f, "https://localhost");
	assert_null(f->conn);
	/* what was not read when it closed makes the kernel say so in its own way */
	if (f->err.msg[0] != 'r')
		failed(f, ERR_UNAVAIL, "localhost closed the connection during the TLS handshake");
	assert_int_equal(f->err.cls, ERR_UNAVAIL);
}

static void test_silent(void **state)
{
	static const struct step steps[] = { { .first = true, .unasked = true } };
	struct fixture *f = *state;
	int64_t began = clock_mono();

	f->env.tls_ms = 150;
	SERVE(f, steps);
	open_here(f, "https://localhost");
	failed(f, ERR_TIMEOUT, "the TLS handshake with localhost took longer than 0 s");
	assert_in_range(clock_mono() - began, 140, 1500);
}

/* ---- trust ---- */

static void test_no_anchors(void **state)
{
	struct fixture *f = *state;

	f->env.ca_file = "no-such-file.pem";
	SERVE(f, tls);
	open_here(f, "https://localhost");
	assert_null(f->conn);
	assert_int_equal(f->err.cls, ERR_DENIED);
	assert_non_null(strstr(f->err.msg, "no-such-file.pem"));
	assert_non_null(strstr(f->err.msg, "SSL_CERT_FILE"));
}

/* ---- through a proxy ---- */

static void test_tunnel(void **state)
{
	static const struct step steps[] = { { .first = true, .send = YES, .drip = true },
		{ .serve = serve_tls, .close = true }, { .first = true, .send = "HTTP/1.0 204 Fine\r\n\r\n" },
		{ .serve = serve_tls_rude, .close = true } };
	struct fixture *f = *state;

	SERVE(f, steps);
	f->env.proxy = f->proxy;
	open_url(f, "https://api.example.test/x");
	converse(f, "over TLS", true);
	conn_free(f->conn);
	buf_clear(&f->got);
	open_url(f, "https://api.example.test:8443/x");
	converse(f, "over TLS", false);		/* it closed without a goodbye */
	script_stop(&f->server);
	assert_string_equal(f->server.requests[0],
	    "CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example.test:443\r\n\r\n");
	assert_string_equal(f->server.requests[1],
	    "CONNECT api.example.test:8443 HTTP/1.1\r\nHost: api.example.test:8443\r\n\r\n");
}

static void test_credentials(void **state)
{
	static const struct step steps[] = { { .first = true, .send = YES },
		{ .serve = serve_tls, .close = true } };
	struct fixture *f = *state;

	SERVE(f, steps);
	snprintf(f->proxy, sizeof(f->proxy), "http://us%%65r:p%%40ss%%3A@127.0.0.1:%u", f->server.port);
	f->env.proxy = f->proxy;
	open_url(f, "https://api.example.test/");
	converse(f, "over TLS", true);
	script_stop(&f->server);
	/* user:p@ss: */
	assert_non_null(strstr(f->server.requests[0], "\r\nProxy-Authorization: Basic dXNlcjpwQHNzOg==\r\n"));
}

static const struct {
	const char *send;
	int cls;
	const char *want;
} refusals[] = {
	{ "HTTP/1.1 407 Who\r\n\r\n", ERR_DENIED,
	    "the proxy 127.0.0.1:PORT wants credentials (407); put them into HTTPS_PROXY" },
	{ "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", ERR_UNAVAIL,
	    "the proxy 127.0.0.1:PORT refused to connect to api.example.test:443 (403)" },
	{ "HTTP/1.1 302 Go\r\nLocation: /\r\n\r\n", ERR_UNAVAIL,
	    "the proxy 127.0.0.1:PORT refused to connect to api.example.test:443 (302)" },
	{ "SOCKS\r\n\r\n", ERR_PROTO, "the proxy answered CONNECT badly: *" },
	{ "", ERR_UNAVAIL, "the proxy closed the connection during waiting for the proxy" },
	{ "HTTP/1.1 200 O", ERR_UNAVAIL, "the proxy closed the connection during waiting for the proxy" },
};

static void test_proxy_refuses(void **state)
{
	struct fixture *f = *state;
	char want[200];

	for (size_t i = 0; i < COUNT(refusals); i++) {
		const struct step steps[] = { { .first = true, .send = refusals[i].send, .close = true } };
		const char *hole = strstr(refusals[i].want, "PORT"), *star = strchr(refusals[i].want, '*');

		SERVE(f, steps);
		f->env.proxy = f->proxy;
		open_url(f, "https://api.example.test/");
		script_stop(&f->server);
		if (hole != NULL)
			snprintf(want, sizeof(want), "%.*s%u%s", (int)(hole - refusals[i].want),
			    refusals[i].want, f->server.port, hole + 4);
		else
			snprintf(want, sizeof(want), "%.*s",
			    star != NULL ? (int)(star - refusals[i].want) : 199, refusals[i].want);
		if (star != NULL)
			f->err.msg[strlen(want)] = '\0';
		failed(f, refusals[i].cls, want);
	}
}

static void test_proxy_gone(void **state)
{
	struct fixture *f = *state;
	char want[200];

	SERVE(f, plain);
	script_stop(&f->server);
	f->env.proxy = f->proxy;
	open_url(f, "https://api.example.test/");
	snprintf(want, sizeof(want), "reaching the proxy that HTTPS_PROXY names: connecting to 127.0.0.1 "
		"(127.0.0.1:%u): Connection refused", f->server.port);
	failed(f, ERR_UNAVAIL, want);
}

static void test_proxy_silent(void **state)
{
	static const struct step steps[] = { { .first = true } };
	struct fixture *f = *state;

	f->env.tls_ms = 150;
	SERVE(f, steps);
	f->env.proxy = f->proxy;
	open_url(f, "https://api.example.test/");
	failed(f, ERR_TIMEOUT, "waiting for the proxy with api.example.test took longer than 0 s");
}

/* Loopback hosts, and what NO_PROXY names, are asked directly. */
static void test_bypass(void **state)
{
	struct fixture *f = *state;

	f->env.proxy = "http://127.0.0.1:1";
	SERVE(f, tls);
	open_here(f, "https://localhost");
	failed(f, ERR_DENIED, "the certificate that localhost showed is for another host");
	f->env.no_proxy = "example.com,.invalid";
	open_url(f, "https://no-such-host.invalid/");
	assert_int_equal(strncmp(f->err.msg, "looking up no-such-host.invalid", 31), 0);
}

static void test_bad_proxy(void **state)
{
	static const struct {
		const char *proxy, *want;
	} bad[] = { { "socks5://127.0.0.1:1", "HTTPS_PROXY cannot be used: " },
		{ "http://", "HTTPS_PROXY cannot be used: " } };
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < COUNT(bad); i++) {
		f->env.proxy = bad[i].proxy;
		err_init(&err);
		assert_int_equal(try_open(f, "https://api.example.test/", &err), ERR_CONFIG);
		assert_int_equal(strncmp(err.msg, bad[i].want, strlen(bad[i].want)), 0);
		assert_null(f->origin);
	}
	f->env.proxy = NULL;
	assert_int_equal(try_open(f, "http://127.0.0.1:9/", &err), 0);	/* and none is fine again */
}

/* ---- cancelled ---- */

static void end_pass(struct job *j)
{
	*(bool *)(void *)(j + 1) = true;
}

static void passes(struct fixture *f, unsigned n)
{
	struct {
		struct job job;
		bool over;
	} p = { { .run = end_pass }, false };

	while (n-- > 0) {
		p.over = false;
		job_queue(f->loop, &p.job);
		assert_int_equal(loop_run(f->loop, &p.over, NULL), 0);
	}
}

/* After every number of passes, up to the end: no state survives it, and none calls back. */
static void test_cancel(void **state)
{
	static const struct step steps[] = { { .first = true, .send = YES },
		{ .serve = serve_tls, .close = true } };
	struct fixture *f = *state;

	for (unsigned n = 0; n < 40; n++) {
		bool ended;

		SERVE(f, steps);
		f->env.proxy = f->proxy;
		assert_int_equal(try_open(f, "https://api.example.test/", NULL), 0);
		for (unsigned i = 0; i < n; i++) {
			passes(f, 1);
			poll(NULL, 0, n % 4 == 0);
		}
		ended = f->calls > 0;
		origin_cancel(f->origin);
		f->origin = NULL;
		conn_free(f->conn);
		f->conn = NULL;
		passes(f, 3);
		assert_int_equal(f->calls, ended);
		script_stop(&f->server);
		if (ended && n % 4 == 0)
			break;
	}
	origin_cancel(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(plain),
		T(refused),
		T(wrong_host),
		T(address),
		T(no_tls),
		T(gone_in_the_handshake),
		T(silent),
		T(no_anchors),
		T(tunnel),
		T(credentials),
		T(proxy_refuses),
		T(proxy_gone),
		T(proxy_silent),
		T(bypass),
		T(bad_proxy),
		T(cancel),
	};

	return cmocka_run_group_tests_name("http/origin", tests, group_setup, NULL);
}
