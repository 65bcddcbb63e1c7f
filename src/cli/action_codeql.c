/* `ghoard action codeql` and `save`: is the scan of this tree needed, and keep what it finds. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "cli/action.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "config/layers.h"

#define RECORD_MAX ((size_t)256 << 10)
#define KEY_FRONT "ghoard-codeql-"

/* Input, as a variable, and the option of `ghoard codeql` that it is. */
static const struct {
	const char *env, *option;
} words[] = { { "GHOARD_IN_LANGUAGES", "--language" }, { "GHOARD_IN_QUERIES", "--queries" },
	{ "GHOARD_IN_PACKS", "--packs" }, { "GHOARD_IN_CONFIG_FILE", "--config-file" },
	{ "GHOARD_IN_BUILD_MODE", "--build-mode" }, { "GHOARD_IN_VERSION", "--codeql-version" },
	{ "GHOARD_IN_CATEGORY", "--category" }, { "GHOARD_IN_SOURCE", "--source" },
	{ "GHOARD_IN_TOOL", "--tool" }, { "GHOARD_IN_EXTRA_KEY", "--extra-key" },
	{ "GHOARD_IN_REF", "--ref" }, { "GHOARD_IN_INPUTS", NULL }, { "GHOARD_MATRIX", "--matrix" } };

#define WORDS (sizeof(words) / sizeof(words[0]))

struct look {
	bool skip, hit;
	char reason[64], detail[700], key[200], sarif[ACTION_PATH_MAX], alerts[24], state[ACTION_PATH_MAX];
	char dir[ACTION_PATH_MAX];
	const char *status;
};

static void add_key(struct action_call *c)
{
	const char *commit = action_env("COMMIT_SHA"), *sha = action_env("GITHUB_SHA");

	for (size_t i = 0; i < WORDS; i++) {
		const char *v = action_env(words[i].env);

		/* the reference's word for "whatever there is" */
		if (v != NULL && words[i].option == NULL)
			setenv("GHOARD_INPUTS", v, 1);	/* told to be empty is not untold */
		else if (v != NULL && strcmp(v, "auto") != 0)
			action_opt(c, words[i].option, v);
	}
	/* the default names what is known already; only another one is said */
	if (commit != NULL && (sha == NULL || strcmp(commit, sha) != 0))
		action_opt(c, "--commit", commit);
}

static void persist(const char *verb)
{
	struct action_call c;

	if (!action_persists(&c, "codeql", verb))
		return;
	add_key(&c);
	action_persist(&c);
}

static bool state_name(char *out, size_t size)
{
	uint8_t random[8];
	char hex[17];

	if (action_env("RUNNER_TEMP") == NULL || rand_bytes(random, sizeof(random), NULL) != 0)
		return false;
	hex_encode(hex, random, sizeof(random));
	return snprintf(out, size, "%s/ghoard-scan-%s.json", action_env("RUNNER_TEMP"), hex) < (int)size;
}

static int check(struct look *l, const char *sample)
{
	char fingerprint[80], config[80], upload[8], skip[8];
	struct action_call c;
	struct json *o;
	int code;

	action_begin(&c, "codeql", "check");
	add_key(&c);
	action_arg(&c, "--json");
	action_opt(&c, "--state", l->state);
	action_opt(&c, "--sample", sample);
	c.mute = true;
	code = action_run(&c);
	o = action_json(&c);
	action_text(o, "skip", skip, sizeof(skip));
	action_text(o, "upload", upload, sizeof(upload));
	action_text(o, "reason", l->reason, sizeof(l->reason));
	action_text(o, "sarif_path", l->sarif, sizeof(l->sarif));
	action_text(o, "alerts", l->alerts, sizeof(l->alerts));
	action_text(o, "fingerprint", fingerprint, sizeof(fingerprint));
	action_text(o, "config", config, sizeof(config));
	if (fingerprint[0] != '\0' && config[0] != '\0')
		snprintf(l->key, sizeof(l->key), KEY_FRONT "%s-%s", config, fingerprint);
	l->skip = o != NULL && strcmp(skip, "true") == 0 && code == XC_OK;
	l->hit = l->skip && strcmp(upload, "true") == 0;
	action_text(o, "detail", l->detail, sizeof(l->detail));
	action_end(&c);
	json_free(o);
	return o != NULL ? 0 : -1;
}

/* Only GitHub's word that the result is there for this commit makes a scan needless. */
static bool upload(void)
{
	struct action_call c;
	int code;

	action_begin(&c, "codeql", "upload");
	add_key(&c);
	c.mute = true;
	code = action_run(&c);
	action_end(&c);
	if (code == XC_OK)
		printf("GitHub has the stored result for this commit\n");
	return code == XC_OK;
}

/* What `save` is to know: where the record of `check` is, since when, and under which key. 0600. */
static void leave(const struct look *l)
{
	char path[ACTION_PATH_MAX];
	struct json *o = json_object();
	struct err why;
	struct buf b;

	err_init(&why);
	buf_init(&b, RECORD_MAX);
	json_put_str(o, "key", l->key);
	json_put_str(o, "state", l->state);
	json_put_int(o, "started", clock_wall() / CLOCK_SEC);
	for (size_t i = 0; i < WORDS; i++)
		if (action_env(words[i].env) != NULL)
			json_put_str(o, words[i].env, action_env(words[i].env));
	if (snprintf(path, sizeof(path), "%s/%s.json", action_env("RUNNER_TEMP"), l->key) <
		(int)sizeof(path) &&
	    json_print(o, false, &b) == 0 &&
	    file_write(AT_FDCWD, path, 0600, false, buf_data(&b), buf_len(&b), &why) == 0)
		action_export("GHOARD_CODEQL_STATE", path);
	else
		log_warn("what the scan finds cannot be kept: %s", why.msg);
	json_free(o);
	buf_free(&b);
}

static void decide(struct look *l)
{
	if (!state_name(l->state, sizeof(l->state))) {
		log_warn("RUNNER_TEMP is not set; this is for a step of GitHub Actions");
		return;
	}
	if (check(l, NULL) != 0) {
		l->status = "error";
		return;
	}
	l->status = "success";
	/* a failed upload: scan, and let `store` compare */
	if (l->hit && action_flag("GHOARD_IN_UPLOAD", true) && !upload()) {
		check(l, "100%");
		l->skip = false;
		snprintf(l->reason, sizeof(l->reason), "upload-failed");
	}
	if (!l->skip && l->key[0] != '\0')
		leave(l);
}

static void take_folder(struct look *l, const struct globals *g)
{
	struct app app;
	struct err why;
	const char *dir;

	err_init(&why);
	if (app_open(&app, g, &why) != 0)
		return;
	dir = settings_str(app.settings, "codeql.directory");
	snprintf(l->dir, sizeof(l->dir), "%s", dir != NULL ? dir : "");
	app_close(&app);
}

int action_codeql(const struct globals *g, struct err *err)
{
	struct look l;
	bool on = action_flag("ENABLE_CODEQL_CACHE", true);

	(void)err;
	memset(&l, 0, sizeof(l));
	l.status = on ? "error" : "disabled";
	action_export("GHOARD_CODEQL_STATE", "");	/* that of a setup before this is not this one's */
	if (on) {
		take_folder(&l, g);
		persist("restore");
		decide(&l);
		action_export("CODEQL_CACHE_DIR", l.dir);
		if (action_env("CODEQL_CACHE_TTL") != NULL)
			action_export("CODEQL_CACHE_TTL", action_env("CODEQL_CACHE_TTL"));
	}
	action_output("cache-status", l.status);
	action_output("should-skip-scan", l.skip ? "true" : "false");
	action_output("cached-result", l.skip ? l.sarif : "");
	action_output("cache-dir", l.dir);
	action_output("cache-key", l.key);
	action_output("reason", l.reason);
	printf("%s: %s%s", l.skip ? "skip" : "scan", l.reason[0] != '\0' ? l.reason : l.status,
	    l.detail[0] != '\0' ? ": " : "");
	codeql_print(span_of(l.detail));
	putchar('\n');
	return XC_OK;
}

/* ---- afterwards ---- */

static struct json *read_record(void)
{
	const char *key = action_env("CACHE_KEY"), *path = action_env("GHOARD_CODEQL_STATE");
	char named[ACTION_PATH_MAX];
	struct json *o = NULL;
	struct stat st;
	struct buf b;

	if (key != NULL && action_env("RUNNER_TEMP") != NULL && strchr(key, '/') == NULL) {
		snprintf(named, sizeof(named), "%s/%s.json", action_env("RUNNER_TEMP"), key);
		path = named;
	}
	if (path == NULL)
		return NULL;
	buf_init(&b, RECORD_MAX);
	if (file_read_at(AT_FDCWD, path, RECORD_MAX, &b, &st, NULL) != 0 || st.st_uid != getuid() ||
	    (st.st_mode & 077) != 0 || json_parse(buf_span(&b), &o) != 0)
		o = NULL;
	buf_free(&b);
	return o;
}

static bool store(const struct json *record, const char *sarif, char *alerts, size_t size)
{
	char started[24], now[24], state[ACTION_PATH_MAX], stored[8];
	struct action_call c;
	struct json *o;
	int code;

	action_text(record, "started", started, sizeof(started));
	action_text(record, "state", state, sizeof(state));
	snprintf(now, sizeof(now), "%" PRId64, clock_wall() / CLOCK_SEC);
	for (size_t i = 0; i < WORDS; i++) {
		const char *v = json_str(json_get(record, words[i].env));

		setenv(words[i].env, v != NULL ? v : "", 1);
	}
	action_begin(&c, "codeql", "store");
	add_key(&c);
	action_arg(&c, "--json");
	action_opt(&c, "--sarif", sarif);
	action_opt(&c, "--started", started);
	action_opt(&c, "--finished", now);
	action_opt(&c, "--state", state);
	c.mute = true;
	code = action_run(&c);
	o = action_json(&c);
	action_text(o, "alerts", alerts, size);
	action_text(o, "stored", stored, sizeof(stored));
	json_free(o);
	action_end(&c);
	return code == XC_OK && strcmp(stored, "true") == 0;
}

int action_save(const struct globals *g, struct err *err)
{
	const char *sarif = action_env("SARIF");
	struct json *record = read_record();
	char alerts[24] = "";
	bool stored = false;

	(void)g;
	(void)err;
	if (sarif == NULL)
		log_warn("save-codeql-cache needs 'sarif': the file, or the folder, that the scan wrote");
	else if (record == NULL)
		printf("nothing to keep: no scan was found to be needed in this job (setup-codeql-cache)\n");
	else
		stored = store(record, sarif, alerts, sizeof(alerts));
	json_free(record);
	if (stored)
		printf("kept, with %s results\n", alerts);
	if (stored)
		persist("save");
	action_output("stored", stored ? "true" : "false");
	action_output("alerts", alerts);
	return XC_OK;
}
