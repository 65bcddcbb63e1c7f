#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/jscan.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/runtime.h"
#include "github/actionscache.h"

static const char *env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && s[0] != '\0' ? s : NULL;
}

static bool text(struct span json, const char *name, char *out, size_t size)
{
	struct span raw;

	return jscan_member(json, name, &raw) == 1 && jscan_str(raw, out, size) && out[0] != '\0';
}

static void take_json(struct runtime *r, struct span json)
{
	char token[SECRET_MAX];

	if (!jscan_valid(json) || !text(json, "results_url", r->url, sizeof(r->url)) ||
	    !text(json, "runtime_token", token, sizeof(token)))
		snprintf(r->why, sizeof(r->why),
		    "the file in GHOARD_RUNTIME_FILE has no results_url and runtime_token");
	else
		r->is_there = secret_set(&r->token, span_of(token));
	text(json, "cache_mode", r->mode, sizeof(r->mode));
	wipe(token, sizeof(token));
}

static void take_file(struct runtime *r, const char *path, bool keep)
{
	struct stat st;
	struct buf b;
	struct err err;

	err_init(&err);
	buf_init(&b, RUNTIME_FILE_MAX);
	if (file_read_at(AT_FDCWD, path, RUNTIME_FILE_MAX, &b, &st, &err) != 0)
		snprintf(r->why, sizeof(r->why), "the job's runtime token is not to be had: %.200s", err.msg);
	else if (st.st_uid != getuid() || (st.st_mode & 077) != 0)
		snprintf(r->why, sizeof(r->why),
		    "the file in GHOARD_RUNTIME_FILE is not this user's alone (mode 0600), so it is not "
		    "used");
	else
		take_json(r, buf_span(&b));
	if (!keep && err.cls != ERR_NOTFOUND)
		unlink(path);
	buf_wipe(&b);
}

static void take(struct runtime *r, bool keep)
{
	const char *file = env("GHOARD_RUNTIME_FILE"), *token = env("ACTIONS_RUNTIME_TOKEN"),
		   *url = env("ACTIONS_RESULTS_URL"), *mode = env("ACTIONS_CACHE_MODE");

	memset(r, 0, sizeof(*r));
	if (file != NULL) {
		take_file(r, file, keep);
		return;
	}
	if (token == NULL || url == NULL) {
		snprintf(r->why, sizeof(r->why),
		    "there is no runtime token of the job, which only actions get: see GHOARD_RUNTIME_FILE");
		return;
	}
	snprintf(r->url, sizeof(r->url), "%s", url);
	snprintf(r->mode, sizeof(r->mode), "%s", mode != NULL ? mode : "");
	r->is_there = secret_set(&r->token, span_of(token));
	if (!r->is_there)
		snprintf(r->why, sizeof(r->why), "ACTIONS_RUNTIME_TOKEN is too long");
}

static struct runtime held;
static bool is_held;

void runtime_hold(void)
{
	take(&held, false);
	is_held = true;
}

void runtime_take(struct runtime *r, bool keep)
{
	if (is_held) {
		*r = held;
		return;
	}
	take(r, keep);
}

void runtime_wipe(struct runtime *r)
{
	secret_wipe(&r->token);
	r->is_there = false;
}

int runtime_open(const struct runtime *r, const struct app *a, struct actionscache **out, struct err *err)
{
	struct actionscache_params p = { .loop = a->loop, .http = a->http, .url = r->url,
		.token = span_make(r->token.bytes, r->token.len), .mode = r->mode,
		.server = env("GITHUB_SERVER_URL"), .agent = cli_agent() };

	return r->is_there ? actionscache_new(&p, out, err) : err_set(err, ERR_DENIED, "%s", r->why);
}
