#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/fetch.h"
#include "cli/params.h"
#include "cli/pages.h"
#include "config/layers.h"
#include "github/link.h"
#include "http/url.h"

static struct {
	const char *method, *input;
	struct opt_list headers, fields;
	bool include, paginate, refresh, silent;
	int64_t ttl;
} v = { .ttl = OPT_UNSET };

#define AT(member) offsetof(__typeof__(v), member)

static const struct opt opts[] = {
	{ "method", 'X', OPT_TEXT, "METHOD", AT(method),
	    "the HTTP method (default GET, or POST with fields or input)" },
	{ "header", 'H', OPT_LIST, "KEY:VALUE", AT(headers), "add a request header; may be repeated" },
	{ "raw-field", 'f', OPT_LIST, "KEY=VALUE", AT(fields), "add a string parameter; may be repeated" },
	{ "field", 'F', OPT_LIST, "KEY=VALUE", AT(fields),
	    "add a typed parameter: true, false, null, a number, @file, else a string" },
	{ "input", 0, OPT_TEXT, "FILE", AT(input), "the file to send as body, - for standard input" },
	{ "include", 'i', OPT_FLAG, NULL, AT(include), "print status line and headers before the body" },
	{ "paginate", 0, OPT_FLAG, NULL, AT(paginate), "ask for all pages; arrays are joined into one" },
	{ "ttl", 0, OPT_SECONDS, "SEC", AT(ttl),
	    "a stored answer may be this old, whatever its operation's TTL" },
	{ "refresh", 0, OPT_FLAG, NULL, AT(refresh), "revalidate even if the stored answer is fresh" },
	{ "silent", 0, OPT_FLAG, NULL, AT(silent), "do not print the body" },
	{ .name = NULL }
};

struct api_run {
	struct app app;
	struct http_header headers[OPT_LIST_MAX + 1];
	size_t nheaders;
	struct span authorization;	/* p == NULL: the environment's token */
	struct buf target, body;
	struct buf refusal;		/* the body of a 4xx or 5xx */
	bool has_body, graphql;
	const char *method;
	int status;
	bool newline;			/* the body ended with one */
	int write_failed;		/* errno */
};

/* ---- the request ---- */

static int take_headers(struct api_run *r, struct err *err)
{
	for (size_t i = 0; i < v.headers.n; i++) {
		struct span value = span_of(v.headers.item[i].value), name;

		if (span_chr(value, ':') <= 0)
			return err_set(err, ERR_USAGE, "a header is written key:value, not '%s'",
			    v.headers.item[i].value);
		span_cut(&value, ':', &name);
		value = span_trim(value);
		if (span_ieq(name, "authorization"))
			r->authorization = value.n > 0 ? value : span_of("");
		else
			r->headers[r->nheaders++] = (struct http_header){ span_trim(name), value };
	}
	return 0;
}

static bool has_header(const struct api_run *r, const char *name)
{
	for (size_t i = 0; i < r->nheaders; i++)
		if (span_ieq(r->headers[i].name, name))
			return true;
	return false;
}

/* gh's endpoint: with or without the first slash, or a whole URL of the upstream. */
static int take_path(struct api_run *r, const char *path, struct err *err)
{
	struct buf expanded;
	struct upstream up;
	struct span text, target = { "", 0 };
	int rc;

	buf_init(&expanded, 16384);
	rc = params_expand(span_of(path), &expanded, err);
	text = buf_span(&expanded);
	if (rc == 0 && span_find(text, "://") > 0) {
		rc = upstream_parse(&up, settings_str(r->app.settings, "upstream.url"), err);
		if (rc == 0 && !upstream_target(&up, text, &target))
			rc = err_set(err, ERR_USAGE,
			    "%.*s is not below %s; the upstream is set by GITHUB_API_URL", (int)text.n,
			    text.p, up.origin);
		text = target;
	}
	if (rc == 0) {
		if (text.n == 0 || text.p[0] != '/')
			buf_addc(&r->target, '/');
		buf_addspan(&r->target, text);
		r->graphql = span_eq(buf_span(&r->target), "/graphql");
	}
	buf_free(&expanded);
	return rc;
}

/* As gh: pages of 100 unless the path says otherwise, so that a list costs the fewest requests. */
static void ask_full_pages(struct api_run *r)
{
	struct span target = buf_span(&r->target);

	if (span_find(target, "?per_page=") < 0 && span_find(target, "&per_page=") < 0)
		buf_adds(&r->target, span_chr(target, '?') < 0 ? "?per_page=100" : "&per_page=100");
}

static int take_body(struct api_run *r, struct err *err)
{
	bool get;

	r->method = v.method != NULL ? v.method : v.fields.n > 0 || v.input != NULL ? "POST" : "GET";
	get = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
	if (v.input != NULL) {
		r->has_body = true;
		if (params_query(&v.fields, &r->target, err) != 0)
			return ERR_USAGE;
		return params_read_file(v.input, &r->body, err);
	}
	if (get && v.fields.n > 0 && params_query(&v.fields, &r->target, err) != 0)
		return ERR_USAGE;
	if (get && v.paginate)
		ask_full_pages(r);
	if (get || v.fields.n == 0)
		return 0;
	r->has_body = true;
	return params_body(&v.fields, r->graphql, span_make(NULL, 0), &r->body, err);
}

static int build(struct api_run *r, const struct opt_args *args, struct err *err)
{
	int rc;

	if (args->n != 1)
		return err_set(err, ERR_USAGE, "api takes one path, such as /repos/octocat/hello-world");
	rc = take_headers(r, err);
	if (rc == 0)
		rc = take_path(r, args->arg[0], err);
	if (rc == 0)
		rc = take_body(r, err);
	if (rc == 0 && r->has_body && v.input == NULL && !has_header(r, "content-type"))
		r->headers[r->nheaders++] = (struct http_header){ span_of("Content-Type"),
			span_of("application/json; charset=utf-8") };
	return rc;
}

/* ---- the answer ---- */

static void on_head(void *arg, const struct http_head *h)
{
	struct api_run *r = arg;

	r->status = h->status;
	if (v.include)
		pages_head(h);
}

static int on_body(void *arg, const void *p, size_t n, struct err *err)
{
	struct api_run *r = arg;

	if (r->status >= 400)		/* its message is told at the end; a longer refusal has none */
		buf_add(&r->refusal, p, n);
	r->newline = n > 0 ? ((const char *)p)[n - 1] == '\n' : r->newline;
	if (v.silent || fwrite(p, 1, n, stdout) == n)
		return 0;
	r->write_failed = errno;
	return err_sys(err, ERR_IO, "writing to standard output");
}

/* What gh says of a refusal: GitHub's message and the status. */
static void tell_refusal(int status, struct span body)
{
	struct span raw;
	char message[300];

	if (jscan_member(body, "message", &raw) != 1 || !jscan_str(raw, message, sizeof(message)))
		snprintf(message, sizeof(message), "GitHub refused");
	fflush(stdout);
	log_error("%s (HTTP %d)", message, status);
}

static int ask(struct api_run *r, struct fetch *f, struct fetch_result *result, struct err *err)
{
	f->in = (struct request_in){ .method = r->method,
		.target = buf_span(&r->target),
		.headers = r->headers,
		.nheaders = r->nheaders,
		.has_body = r->has_body,
		.body = buf_span(&r->body) };
	f->ask = (struct cache_ask){ .refresh = v.refresh, .offline = r->app.globals->offline,
		.max_age = v.ttl == OPT_UNSET ? -1 : v.ttl };
	return fetch_run(&r->app, f, result, err);
}

static int failure(const struct api_run *r, struct err *err)
{
	if (r->write_failed == EPIPE) {		/* the reader has seen enough: `ghoard api … | head` */
		err_init(err);
		return XC_OK;
	}
	if (r->write_failed == 0 && (err->cls == ERR_DENIED || err->cls == ERR_LIMIT))
		return XC_UNAVAILABLE;		/* a certificate, a size: there is no answer to be had */
	return cli_exit_code(err);
}

static int run_once(struct api_run *r, struct err *err)
{
	struct fetch f = { .on_head = on_head, .on_body = on_body, .arg = r };
	struct fetch_result result;
	int rc = ask(r, &f, &result, err);

	fetch_free(&result);
	if (rc != 0)
		return failure(r, err);
	if (!v.silent && !r->newline && isatty(STDOUT_FILENO))
		putchar('\n');
	if (r->status < 400)
		return XC_OK;
	tell_refusal(r->status, buf_span(&r->refusal));
	return XC_NO;
}

/* ---- all pages ---- */

/* REST: where Link says. 1 there is a next page, 0 there is none. */
static int next_page(struct api_run *r, const struct fetch_result *result, struct err *err)
{
	struct span url, target;

	if (!link_rel(http_field(&result->answer.head, "link"), "next", &url))
		return 0;
	if (!upstream_target(&r->app.upstream, url, &target))
		return err_set(err, ERR_PROTO, "GitHub's next page is at %.*s, which is not the upstream",
		    (int)url_shown(url).n, url.p);
	if (span_same(target, buf_span(&r->target)))
		return err_set(err, ERR_PROTO, "GitHub's next page is the page itself");
	buf_clear(&r->target);
	buf_addspan(&r->target, target);
	return 1;
}

/* GraphQL: the first pageInfo of the document; its endCursor becomes the variable of that name. */
static int next_cursor(struct api_run *r, const struct fetch_result *result, struct err *err)
{
	struct span info, more, cursor;
	struct buf text;
	int rc = 0;

	if (!pages_info(buf_span(&result->answer.body), &info) ||
	    jscan_member(info, "hasNextPage", &more) != 1 || !span_eq(more, "true") ||
	    jscan_member(info, "endCursor", &cursor) != 1)
		return 0;
	buf_init(&text, 65536);
	if (jscan_unescape(cursor, &text) == 0) {
		buf_clear(&r->body);
		rc = params_body(&v.fields, true, buf_span(&text), &r->body, err) == 0 ? 1 : ERR_USAGE;
	}
	buf_free(&text);
	return rc;
}

/* One page printed: 1 and the next is set up, 0 it was the last, or an exit code in *code. */
static int run_page(struct api_run *r, struct pages *pages, int *code, struct err *err)
{
	struct fetch f = { .arg = r };
	struct fetch_result result;
	int rc = ask(r, &f, &result, err), more = 0, status = result.answer.head.status;

	if (rc == 0) {
		if (v.include)
			pages_head(&result.answer.head);
		if (!v.silent && (v.include || status >= 400)) {
			pages_end(pages);
			fwrite(buf_data(&result.answer.body), 1, buf_len(&result.answer.body), stdout);
		} else if (!v.silent) {
			pages_add(pages, buf_span(&result.answer.body));
		}
		if (status >= 400)
			tell_refusal(status, buf_span(&result.answer.body));
		else
			more = r->graphql ? next_cursor(r, &result, err) : next_page(r, &result, err);
	}
	fetch_free(&result);
	*code = rc != 0 || more < 0 ? failure(r, err) : status >= 400 ? XC_NO : XC_OK;
	return more > 0;
}

static int run_pages(struct api_run *r, struct err *err)
{
	struct pages pages = { false, false };
	int code = XC_OK;
	size_t n = 1;

	while (run_page(r, &pages, &code, err) && !ferror(stdout))
		app_progress("page", n++, 0, false);
	pages_end(&pages);
	if (n > 1)
		app_progress("pages", n, n, true);
	return code;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	struct api_run r;
	int rc, code;

	memset(&r, 0, sizeof(r));
	buf_init(&r.target, 16384);
	buf_init(&r.body, PARAMS_MAX + 4096);
	buf_init(&r.refusal, 65536);
	rc = app_open(&r.app, g, err);
	if (rc == 0)
		rc = build(&r, args, err);
	if (rc == 0)
		rc = app_open_store(&r.app, false, err);
	if (rc == 0)
		rc = app_open_cache(&r.app, r.authorization, err);
	if (rc == 0 && !g->no_daemon)
		daemon_find(&r.app);
	if (rc != 0)
		code = cli_exit_code(err);
	else
		code = v.paginate ? run_pages(&r, err) : run_once(&r, err);
	fflush(stdout);
	app_close(&r.app);
	buf_free(&r.target);
	buf_wipe(&r.body);
	buf_free(&r.refusal);
	return code;
}

const struct command cmd_api = { "api", "[options] PATH", "ask GitHub through the cache",
	"Makes one request to the GitHub API and prints the body of the answer. A fresh stored answer is "
	"printed without asking; a stale one is "
	"revalidated by its ETag, which costs no quota; where GitHub fails or its rate limit is spent, a "
	"stored answer stands in.\n"
	"\n"
	"PATH is a path of the API, with or without the leading slash, or a whole URL of the upstream; "
	"{owner}, {repo} and {branch} are taken from "
	"GH_REPO or GITHUB_REPOSITORY and GITHUB_REF_NAME. The token is GH_TOKEN, else GITHUB_TOKEN, else "
	"none. Flags that gh api has mean what they "
	"mean there; with -i the Cache-Status field tells where the answer came from.\n",
	opts, &v, run };
