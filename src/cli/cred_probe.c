#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"
#include "config/layers.h"
#include "github/request.h"
#include "http/client.h"
#include "http/origin.h"
#include "http/parse.h"
#include "http/url.h"
#include "loop/loop.h"

#define FDS_NEEDED 16		/* loop, resolver, one connection a family and address */

/* One request of its own: no cache, no daemon, no peer, and none of the environment's upstream, proxy or CA.
 */
struct asking {
	struct access_reply *reply;
	struct err err;
	bool done;
};

static void on_head(void *arg, const struct http_head *h)
{
	struct asking *a = arg;

	a->reply->status = h->status;
	a->reply->spent =
	    span_eq(http_field(h, "x-ratelimit-remaining"), "0") || http_field(h, "retry-after").n > 0;
	if (h->status == 200)
		a->reply->spent = false;
}

static int on_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct asking *a = arg;

	buf_add(&a->reply->body, p, n);
	return a->reply->body.failed ? err_set(err, ERR_LIMIT, "the answer is too long") : 0;
}

static void on_done(void *arg, const struct err *err)
{
	struct asking *a = arg;

	a->err = *err;
	a->done = true;
}

static const char *setting(const struct cred *c, const char *key)
{
	const char *v = settings_str(c->owner, key);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

static int ask(struct http_client *http, struct loop *loop, struct span url, struct span authorization,
    struct access_reply *reply, struct err *err)
{
	const struct http_header headers[] = { { span_of("Authorization"), authorization },
		{ span_of("Accept"), span_of("application/vnd.github+json") },
		{ span_of("User-Agent"), span_of(cli_agent()) },
		{ span_of("Accept-Encoding"), span_of("identity") } };
	struct asking a = { .reply = reply };
	struct http_sink sink = { .on_head = on_head, .on_body = on_body, .on_done = on_done, .arg = &a };
	struct http_request q = { .method = "GET", .url = url, .headers = headers,
		.nheaders = sizeof(headers) / sizeof(headers[0]) };
	struct http_call *call;
	int rc;

	err_init(&a.err);
	rc = http_client_start(http, &q, &sink, &call, err);
	if (rc == 0)
		rc = loop_run(loop, &a.done, err);
	if (rc == 0 && a.err.cls != 0)
		rc = err_set(err, a.err.cls, "%s", a.err.msg);
	return rc;
}

static int ask_within(struct cred *c, struct span url, struct span authorization, int64_t left,
    struct access_reply *reply, struct err *err)
{
	struct http_timeouts t = { .first_byte_ms = left, .total_ms = left };
	struct http_client *http = NULL;
	struct loop *loop = NULL;
	struct http_env env;
	int rc;

	if (loop_new(&loop, err) != 0)
		return ERR_INTERNAL;
	http_env_init(&env, loop);
	env.connect_ms = env.tls_ms = left;
	env.ca_file = setting(c, "credentials.ca_file");
	env.proxy = setting(c, "credentials.proxy");
	rc = http_client_new(&env, &t, &http, err);
	if (rc == 0)
		rc = ask(http, loop, url, authorization, reply, err);
	http_client_free(http);
	loop_free(loop);
	http_env_wipe(&env);
	return rc;
}

/* A job can call us with too few descriptors to ask with: that is no silence of GitHub. */
static int check_room(struct err *err)
{
	int fds[FDS_NEEDED], n = 0;

	while (n < FDS_NEEDED && (fds[n] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0)
		n++;
	for (int i = 0; i < n; i++)
		close(fds[i]);
	return n == FDS_NEEDED ? 0
			       : err_set(err, ERR_INTERNAL,
				     "GitHub cannot be asked: too few files may be open (ulimit -n)");
}

/* A job's token is for the server that the runner names. Where the owner named no upstream it is github.com
 * that would be asked, which must not see another server's. */
static int check_server(const struct cred *c, struct err *err)
{
	const char *server = getenv("GITHUB_SERVER_URL"), *why;
	struct url u;

	if (server == NULL || server[0] == '\0' ||
	    strcmp(settings_origin(c->owner, "upstream.url"), "default") != 0 ||
	    (url_parse(span_of(server), &u, &why) == 0 && span_ieq(u.host, "github.com")))
		return 0;
	return err_set(err, ERR_DENIED,
	    "the token is of %.200s, which was not asked: name its API as upstream.url in "
	    "/etc/ghoard/cache-config.yml, or with --upstream", server);
}

int cred_probe_ask(void *cred, const char *path, struct span token, int64_t until, struct access_reply *reply,
    struct err *err)
{
	struct cred *c = cred;
	int64_t left = until - clock_mono();
	struct upstream up;
	struct buf url, authorization;
	int rc = upstream_parse(&up, setting(c, "upstream.url"), err);

	if (rc != 0)
		return rc;
	if (c->g->offline)
		return err_set(err, ERR_DENIED, "--offline: GitHub was not asked");
	rc = check_server(c, err);
	if (rc != 0)
		return rc;
	if (left <= 0)
		return err_set(err, ERR_UNAVAIL, "GitHub did not answer in time");
	rc = check_room(err);
	if (rc != 0)
		return rc;
	buf_init(&url, 2048);
	buf_addf(&url, "%s%s%s", up.origin, up.base, path);
	safe_buf(&c->safe, &authorization, token.n + 16);
	buf_adds(&authorization, "token ");
	buf_addspan(&authorization, token);
	rc = ask_within(c, buf_span(&url), buf_span(&authorization), left, reply, err);
	safe_buf_clear(&authorization);
	buf_free(&url);
	return rc;
}
