#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/fetch.h"
#include "config/layers.h"
#include "http/proxyenv.h"
#include "http/url.h"
#include "store/epochs.h"

#define SKEW_S 60 /* a clock further off than this makes entries look fresh or old that are not */

/* ---- the token: never printed, not even in part but for the prefix that tells its kind ---- */

static const struct kind {
	const char *prefix, *name;
} kinds[] = {
	{ "ghp_", "a classic personal access token" },
	{ "github_pat_", "a fine-grained personal access token" },
	{ "gho_", "a token of an OAuth app" },
	{ "ghu_", "a token of a GitHub App, for a user" },
	{ "ghs_", "a token of a GitHub App, for an installation" },
	{ "ghr_", "a refresh token, which GitHub takes for no request" }
};

static const char *kind_of(const char *token)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(token, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].name;
	return "a token of unknown kind";
}

static void look_at_token(struct doctor *d)
{
	const char *token = app_token(), *gh = getenv("GH_TOKEN"),
		   *secret = getenv("CACHE_P2P_SHARED_SECRET");
	const char *from = gh != NULL && gh[0] != '\0' ? "GH_TOKEN" : "GITHUB_TOKEN";

	if (token == NULL) {
		doctor_say(d, DOCTOR_WARN, "token", "set GH_TOKEN or GITHUB_TOKEN",
		    "none: GitHub grants 60 requests an hour");
		return;
	}
	doctor_say(d, strncmp(token, "ghr_", 4) == 0 ? DOCTOR_FAIL : DOCTOR_OK, "token",
	    strncmp(token, "ghr_", 4) == 0 ? "set GH_TOKEN to an access token" : NULL, "%s holds %s", from,
	    kind_of(token));
	if (strncmp(token, "ghs_", 4) == 0 && (secret == NULL || secret[0] == '\0'))
		doctor_say(d, DOCTOR_WARN, "peers",
		    "for sharing between runners, set CACHE_P2P_SHARED_SECRET",
		    "a ghs_ token lives for one job, so it can join no peers");
}

/* ---- the way ---- */

static void look_at_proxy(struct doctor *d, const struct app *a)
{
	const char *proxy = settings_str(a->settings, "network.proxy"),
		   *no = settings_str(a->settings, "network.no_proxy"), *why;
	struct proxyenv p;
	struct url u;

	if (proxy == NULL || proxy[0] == '\0')
		return;
	if (proxyenv_parse(span_of(proxy), &p, &why) != 0)
		doctor_say(d, DOCTOR_FAIL, "proxy", "write http://HOST:PORT", "%s: %s",
		    settings_origin(a->settings, "network.proxy"), why);
	else if (url_parse(span_of(a->upstream.origin), &u, &why) == 0 &&
	    (url_is_loopback(&u) || proxyenv_bypass(span_of(no), u.host, u.port)))
		doctor_say(d, DOCTOR_OK, "proxy", NULL, "%.*s:%u, passed by for %s", (int)p.host.n, p.host.p,
		    p.port, a->upstream.origin);
	else
		doctor_say(d, DOCTOR_OK, "proxy", NULL, "%.*s:%u", (int)p.host.n, p.host.p, p.port);
}

static void look_at_clock(struct doctor *d, const struct answer *a)
{
	int64_t theirs, off;
	char by[CLOCK_HUMAN_LEN];

	if (!clock_http_parse(http_field(&a->head, "date"), &theirs))
		return;
	off = clock_wall() / CLOCK_SEC - theirs;
	clock_human(by, off < 0 ? -off : off);
	if (off > SKEW_S || off < -SKEW_S)
		doctor_say(d, DOCTOR_WARN, "clock", "set it, by NTP for example", "%s %s that of GitHub", by,
		    off > 0 ? "ahead of" : "behind");
	else
		doctor_say(d, DOCTOR_OK, "clock", NULL, "agrees with GitHub's within %s", by);
}

static void look_at_answer(struct doctor *d, const struct app *a, const struct answer *answer)
{
	int status = answer->head.status;
	struct ratelimit limit, *l = &limit;
	char until[CLOCK_HUMAN_LEN];

	ratelimit_read(&answer->head, &limit);
	if (status == 401) {
		doctor_say(d, DOCTOR_FAIL, "GitHub", "renew the token", "%s does not accept the token (401)",
		    a->upstream.origin);
	} else if (status >= 500 || status == 403 || status == 429) {
		doctor_say(d, DOCTOR_WARN, "GitHub", "try again later", "%s answers with %d",
		    a->upstream.origin, status);
	} else if (l->known && l->remaining == 0) {
		clock_human(until,
		    l->reset > clock_wall() / CLOCK_SEC ? l->reset - clock_wall() / CLOCK_SEC : 0);
		doctor_say(d, DOCTOR_WARN, "GitHub", "wait, or use another token",
		    "%s answers; the rate limit is spent for %s", a->upstream.origin, until);
	} else if (l->known) {
		doctor_say(d, DOCTOR_OK, "GitHub", NULL, "%s answers; %lld of %lld requests left",
		    a->upstream.origin, (long long)l->remaining, (long long)l->limit);
	} else {
		doctor_say(d, DOCTOR_OK, "GitHub", NULL, "%s answers (%d)", a->upstream.origin, status);
	}
	look_at_clock(d, answer);
}

/* /rate_limit: never stored, and free of the primary limit. */
static void ask(struct doctor *d, struct app *a)
{
	struct fetch f = { .in = { .method = "GET", .target = span_of("/rate_limit") },
		.ask = { .max_age = -1 } };
	struct fetch_result r;
	struct err err;

	err_init(&err);
	if (fetch_run(a, &f, &r, &err) == 0)
		look_at_answer(d, a, &r.answer);
	else
		doctor_say(d, DOCTOR_FAIL, "GitHub", "check the network, HTTPS_PROXY and GITHUB_API_URL",
		    "%s", err.msg);
	fetch_free(&r);
}

void doctor_upstream(struct doctor *d, struct app *a)
{
	struct err err;

	err_init(&err);
	look_at_token(d);
	if (upstream_parse(&a->upstream, settings_str(a->settings, "upstream.url"), &err) != 0) {
		doctor_say(d, DOCTOR_FAIL, "upstream", "correct GITHUB_API_URL or upstream.url", "%s",
		    err.msg);
		return;
	}
	doctor_say(d, DOCTOR_OK, "upstream", NULL, "%s%s, from %s", a->upstream.origin, a->upstream.base,
	    settings_origin(a->settings, "upstream.url"));
	look_at_proxy(d, a);
	if (a->globals->offline) {
		doctor_say(d, DOCTOR_OK, "GitHub", NULL, "not asked (--offline)");
		return;
	}
	if (a->epochs == NULL)
		a->epochs = epochs_new(NULL); /* the cache folder could not be used; GitHub can be asked all
						 the same */
	/* A limit that was met is a finding, not something to wait for. */
	settings_override(a->settings, "rate_limiting.max_wait", "0", "doctor", NULL);
	if (app_open_cache(a, span_make(NULL, 0), &err) != 0)
		doctor_say(d, DOCTOR_FAIL, "GitHub", "correct what it names", "%s", err.msg);
	else
		ask(d, a);
}
