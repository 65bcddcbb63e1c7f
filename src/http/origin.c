#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/wipe.h"
#include "http/origin.h"
#include "http/parse.h"
#include "http/proxyenv.h"
#include "http/url.h"
#include "loop/loop.h"
#include "net/conn.h"
#include "net/dial.h"
#include "net/engine.h"
#include "tls/anchors.h"
#include "tls/tls.h"

#define USERINFO_MAX 512

enum state { S_DIAL, S_TUNNEL, S_TRUST, S_TLS, S_READY, S_DEAD };
static const char *const names[] = { "DIAL", "TUNNEL", "TRUST", "TLS", "READY", "DEAD" };

struct origin {
	struct http_env *env;
	enum state st;
	struct job step;		/* a slice of the anchors, or the report of the end */
	struct dial *dial;
	struct conn *conn;
	char host[URL_HOST_MAX + 1];
	uint16_t port;
	bool tls, tunnel;
	bool trust_ready;
	struct proxyenv proxy;		/* spans into env->proxy */
	struct err err;
	origin_done *done;
	void *arg;
};

#define ORIGIN_OF(member, ptr) ((struct origin *)(void *)((char *)(ptr) - offsetof(struct origin, member)))

static void enter(struct origin *k, enum state st)
{
	log_debug("origin %s:%u: %s -> %s", k->host, k->port, names[k->st], names[st]);
	k->st = st;
}

static void dispose(struct origin *k)
{
	dial_cancel(k->dial);
	conn_free(k->conn);
	job_cancel(k->env->loop, &k->step);
	free(k);
}

static void on_nobody(void *arg, enum conn_event ev)
{
	(void)arg;
	(void)ev;
}

static void finish(struct origin *k)
{
	struct conn *conn = k->err.cls == 0 ? k->conn : NULL;
	struct err err = k->err;
	origin_done *done = k->done;
	void *arg = k->arg;

	if (conn != NULL) {
		k->conn = NULL;
		conn_retarget(conn, on_nobody, NULL);
	}
	dispose(k);
	done(arg, conn, &err);
}

static void fail(struct origin *k)
{
	enter(k, S_DEAD);
	finish(k);
}

static void on_conn(void *arg, enum conn_event ev);

static void start_tls(struct origin *k)
{
	struct engine *e;

	if (tls_client_new(k->env->anchors, span_of(k->host), k->port, k->env->sessions, &e, &k->err) != 0) {
		fail(k);
		return;
	}
	enter(k, S_TLS);
	conn_deadline(k->conn, loop_now(k->env->loop) + k->env->tls_ms);
	conn_secure(k->conn, e);
}

/* The stream to the origin stands, unsecured. */
static void on_stream(struct origin *k)
{
	if (!k->tls) {
		enter(k, S_READY);
		finish(k);
	} else if (k->trust_ready) {
		start_tls(k);
	} else {
		enter(k, S_TRUST);
	}
}

static void send_connect(struct origin *k)
{
	struct buf b;
	bool v6 = strchr(k->host, ':') != NULL;

	buf_init(&b, HTTP_HEAD_MAX);
	buf_addf(&b,
	    v6 ? "CONNECT [%s]:%u HTTP/1.1\r\nHost: [%s]:%u\r\n"
	       : "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n",
	    k->host, k->port, k->host, k->port);
	if (k->proxy.userinfo.n > 0) {
		uint8_t plain[USERINFO_MAX];
		ssize_t n = url_decode(plain, sizeof(plain), k->proxy.userinfo);

		buf_adds(&b, "Proxy-Authorization: Basic ");
		b64_encode(&b, plain, n > 0 ? (size_t)n : 0);
		buf_adds(&b, "\r\n");
		wipe(plain, sizeof(plain));
	}
	buf_adds(&b, "\r\n");
	enter(k, S_TUNNEL);
	conn_deadline(k->conn, loop_now(k->env->loop) + k->env->tls_ms);
	conn_write(k->conn, buf_data(&b), buf_len(&b));
	buf_wipe(&b);
}

static int proxy_refused(struct origin *k, int status)
{
	if (status == 407)
		return err_set(&k->err, ERR_DENIED,
		    "the proxy %.*s:%u wants credentials (407); put them into HTTPS_PROXY",
		    (int)k->proxy.host.n, k->proxy.host.p, k->proxy.port);
	return err_set(&k->err, ERR_UNAVAIL, "the proxy %.*s:%u refused to connect to %s:%u (%d)",
	    (int)k->proxy.host.n, k->proxy.host.p, k->proxy.port, k->host, k->port, status);
}

static void on_tunnel_data(struct origin *k)
{
	struct buf *in = conn_in(k->conn);
	struct http_head head;
	const char *why;
	ssize_t n = http_parse_response(buf_data(in), buf_len(in), &head, &why);

	if (n == -2)
		return;
	if (n < 0)
		err_set(&k->err, ERR_PROTO, "the proxy answered CONNECT badly: %s", why);
	else if (head.status / 100 != 2)
		proxy_refused(k, head.status);
	if (k->err.cls != 0) {
		fail(k);
		return;
	}
	buf_consume(in, (size_t)n);
	on_stream(k);
}

static void on_failed_conn(struct origin *k, enum conn_event ev)
{
	const char *doing = k->st == S_TUNNEL ? "waiting for the proxy" : "the TLS handshake";

	if (ev == CONN_TIMEOUT)
		err_set(&k->err, ERR_TIMEOUT, "%s with %s took longer than %lld s", doing, k->host,
		    (long long)(k->env->tls_ms / 1000));
	else if (ev == CONN_EOF)
		err_set(&k->err, ERR_UNAVAIL, "%s closed the connection during %s",
		    k->st == S_TUNNEL ? "the proxy" : k->host, doing);
	else
		k->err = *conn_error(k->conn);
	fail(k);
}

static void on_conn(void *arg, enum conn_event ev)
{
	struct origin *k = arg;

	switch (ev) {
	case CONN_SECURED:
		conn_deadline(k->conn, 0);
		enter(k, S_READY);
		finish(k);
		break;
	case CONN_DATAIN:
		if (k->st == S_TUNNEL)
			on_tunnel_data(k);
		break;
	case CONN_LOWAT:
		break;
	case CONN_EOF:
	case CONN_TIMEOUT:
	case CONN_ERROR:
		on_failed_conn(k, ev);
		break;
	}
}

static void on_dialled(void *arg, int fd, const struct err *err)
{
	struct origin *k = arg;

	k->dial = NULL;
	if (fd < 0) {
		k->err = *err;
		if (k->tunnel)
			err_prefix(&k->err, "reaching the proxy that HTTPS_PROXY names");
	} else {
		conn_new(k->env->loop, fd, on_conn, k, &k->conn, &k->err);
	}
	if (k->err.cls != 0)
		fail(k);
	else if (k->tunnel)
		send_connect(k);
	else
		on_stream(k);
}

/* One slice of the CA bundle, beside the dialling. */
static void on_step(struct job *job)
{
	struct origin *k = ORIGIN_OF(step, job);
	struct http_env *env = k->env;
	int rc = 0;

	if (env->anchors == NULL)
		rc = anchors_new(env->ca_file, env->ca_dir, &env->anchors, &k->err);
	if (rc == 0)
		rc = anchors_step(env->anchors, ANCHORS_SLICE, &k->err);
	if (rc > 0) {
		job_queue(env->loop, job);
	} else if (rc < 0) {
		fail(k);
	} else {
		k->trust_ready = true;
		if (k->st == S_TRUST)
			start_tls(k);
	}
}

static int choose_proxy(struct origin *k, const struct url *url, struct err *err)
{
	uint8_t plain[USERINFO_MAX];
	const char *why;

	if (!url->tls || k->env->proxy == NULL ||
	    proxyenv_bypass(span_of(k->env->no_proxy), url->host, url->port))
		return 0;
	if (proxyenv_parse(span_of(k->env->proxy), &k->proxy, &why) != 0)
		return err_set(err, ERR_CONFIG, "HTTPS_PROXY cannot be used: %s", why);
	if (url_decode(plain, sizeof(plain), k->proxy.userinfo) < 0)
		return err_set(err, ERR_CONFIG,
		    "HTTPS_PROXY cannot be used: its user and password are malformed or too long");
	wipe(plain, sizeof(plain));
	k->tunnel = true;
	return 0;
}

/* Where --resolve points this host and port, else the host itself. */
static struct span resolved(const struct http_env *env, const struct url *url)
{
	for (size_t i = 0; i < env->nresolve; i++) {
		struct span addr = span_of(env->resolve[i]), host, port;
		uint64_t n;

		if (span_cut(&addr, ':', &host) && span_cut(&addr, ':', &port) &&
		    span_isame(host, url->host) && span_u64(port, 65535, &n) && n == url->port)
			return addr;
	}
	return url->host;
}

int origin_open(struct http_env *env, const struct url *url, origin_done *done, void *arg,
    struct origin **out, struct err *err)
{
	struct origin *k = calloc(1, sizeof(*k));
	int rc;

	if (k == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a connection");
	k->env = env;
	k->st = S_DIAL;
	k->step.run = on_step;
	k->port = url->port;
	k->tls = url->tls;
	k->done = done;
	k->arg = arg;
	err_init(&k->err);
	span_copy(k->host, sizeof(k->host), url->host);
	rc = choose_proxy(k, url, err);
	if (rc == 0 && env->unix_path != NULL)
		rc = dial_unix(env->loop, env->unix_path, on_dialled, k, &k->dial, err);
	else if (rc == 0 && k->tunnel)
		rc = dial_start(env->loop, k->proxy.host, k->proxy.port, env->connect_ms, on_dialled, k,
		    &k->dial, err);
	else if (rc == 0)
		rc = dial_start(env->loop, resolved(env, url), url->port, env->connect_ms, on_dialled, k,
		    &k->dial, err);
	if (rc != 0) {
		free(k);
		return rc;
	}
	if (k->tls)
		job_queue(env->loop, &k->step);
	*out = k;
	return 0;
}

void origin_cancel(struct origin *k)
{
	if (k != NULL)
		dispose(k);
}

void http_env_init(struct http_env *env, struct loop *loop)
{
	memset(env, 0, sizeof(*env));
	env->loop = loop;
	env->connect_ms = 10000;
	env->tls_ms = 10000;
	env->sessions = tls_cache_new();
}

void http_env_wipe(struct http_env *env)
{
	anchors_free(env->anchors);
	tls_cache_free(env->sessions);
	memset(env, 0, sizeof(*env));
}
