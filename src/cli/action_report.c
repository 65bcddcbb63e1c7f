/* `ghoard action inject` and `report`: credentials for the steps that follow, and the end of the job. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/summary.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "cli/action.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "config/layers.h"

/* ---- inject ---- */

/* What `cred inject` gave as outputs, in the words of the reference. */
static void translate(const char *path)
{
	struct span rest, line;
	char count[24] = "0", status[24] = "error";
	struct buf b;

	buf_init(&b, 4096);
	if (file_read(path, 4096, false, &b, NULL) == 0) {
		rest = buf_span(&b);
		while (span_cut(&rest, '\n', &line))
			if (span_starts(line, "count="))
				span_copy(count, sizeof(count), span_sub(line, 6, line.n));
			else if (span_starts(line, "status="))
				span_copy(status, sizeof(status), span_sub(line, 7, line.n));
	}
	buf_free(&b);
	if (strcmp(status, "success") != 0 && strcmp(status, "partial") != 0)
		snprintf(status, sizeof(status), "error");
	action_output("credentials-injected", count);
	action_output("status", status);
}

static int inject(const char *outputs)
{
	const char *json = action_env("CREDENTIALS_JSON");
	char own[ACTION_PATH_MAX];
	struct action_call c;
	int code;

	snprintf(own, sizeof(own), "%s",
	    action_env("GITHUB_OUTPUT") != NULL ? action_env("GITHUB_OUTPUT") : "");
	action_begin(&c, "cred", "inject");
	if (json != NULL && strcmp(json, "[]") != 0)
		action_opt(&c, "--from-json-env", "CREDENTIALS_JSON");
	action_opt(&c, "--names", action_env("CREDENTIAL_NAMES"));
	action_opt(&c, "--runner", action_env("RUNNER_ID"));
	/* nektos/act gives its steps a terminal and filters what comes from it; the runner gives a pipe */
	c.shown = action_env("ACT") == NULL || !isatty(STDOUT_FILENO);
	setenv("GITHUB_OUTPUT", outputs, 1);
	code = action_run(&c);
	setenv("GITHUB_OUTPUT", own, 1);
	if (!c.shown)
		file_write_all(STDOUT_FILENO, buf_data(&c.out), buf_len(&c.out));
	action_end(&c);
	return code;
}

static void export_folder(const struct globals *g)
{
	const char *dir;
	struct app app;
	struct err why;

	err_init(&why);
	if (app_open(&app, g, &why) != 0)
		return;
	dir = settings_str(app.settings, "credentials.directory");
	if (dir != NULL)
		action_export("CREDENTIALS_DIR", dir);
	app_close(&app);
}

int action_inject(const struct globals *g, struct err *err)
{
	char folder[ACTION_PATH_MAX], outputs[ACTION_PATH_MAX + 16];
	int code, fd;

	if (action_folder(folder, err) != 0)
		return cli_exit_code(err);
	snprintf(outputs, sizeof(outputs), "%s/outputs", folder);
	fd = open(outputs, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	code = inject(outputs);
	translate(outputs);
	unlink(outputs);
	rmdir(folder);
	export_folder(g);
	return code;
}

/* ---- report ---- */

static void put_summary(const char *text)
{
	const char *path = action_env("GITHUB_STEP_SUMMARY");
	struct err why;

	err_init(&why);
	if (path != NULL && summary_append(path, span_of(text), &why) != 0)
		log_warn("%s", why.msg);
}

/* The log's last line as of now: a later job's `cred audit verify --anchor` takes it. */
static void put_anchor(const struct globals *g)
{
	char head[80], last[24], text[300];
	struct action_call c;
	const char *dir;
	struct json *o;
	struct app app;
	struct err why;
	struct stat st;
	bool there;
	int code;

	err_init(&why);
	if (app_open(&app, g, &why) != 0)
		return;
	dir = settings_str(app.settings, "credentials.directory");
	there = dir != NULL && stat(dir, &st) == 0;
	app_close(&app);
	if (!there)
		return;
	action_begin(&c, "cred", "audit");
	action_arg(&c, "verify");
	action_arg(&c, "--json");
	code = action_run(&c);
	o = action_json(&c);
	action_text(o, "head", head, sizeof(head));
	action_text(o, "last", last, sizeof(last));
	snprintf(text, sizeof(text), "\nghoard: the credentials' audit log stands at line %s, anchor `%s`\n",
	    last, head);
	if (code != XC_OK)
		put_summary("\nghoard: the credentials' audit log does not verify: `ghoard cred audit verify`"
			    " says why\n");
	else if (head[0] != '\0')
		put_summary(text);
	json_free(o);
	action_end(&c);
}

static void show_stats(void)
{
	struct action_call c;

	action_begin(&c, "stats", action_env("GITHUB_STEP_SUMMARY") != NULL ? "--summary" : NULL);
	action_run(&c);
	printf("%.*s", (int)buf_len(&c.out), (const char *)buf_data(&c.out));
	fflush(stdout);
	action_end(&c);
}

#define LOG_SHOWN 65536

static struct span log_end(const char *path, char text[static LOG_SHOWN], bool *cut)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	*cut = fd >= 0 && lseek(fd, -LOG_SHOWN, SEEK_END) > 0;
	n = fd >= 0 ? read(fd, text, LOG_SHOWN) : 0;
	if (fd >= 0)
		close(fd);
	return span_make(text, n > 0 ? (size_t)n : 0);
}

/* What the daemon had to say. It tells of clients and peers, so no line of it is a command of this step. */
static void show_log(const char *folder)
{
	char path[ACTION_PATH_MAX + 16], end[33], text[LOG_SHOWN];
	uint8_t random[16];
	struct span rest, part;
	bool cut;

	snprintf(path, sizeof(path), "%s/ghoard.log", folder);
	rest = log_end(path, text, &cut);
	if (rest.n > 0 && rand_bytes(random, sizeof(random), NULL) == 0) {
		if (cut)
			span_cut(&rest, '\n', &part);
		hex_encode(end, random, sizeof(random));
		printf("::group::the daemon's log%s\n::stop-commands::%s\n%.*s\n::%s::\n::endgroup::\n",
		    cut ? ", its last 64 KiB" : "", end, (int)rest.n, rest.p, end);
	}
	unlink(path);
}

static void end_daemon(const char *folder)
{
	const char *before = action_env("GHOARD_GH_BEFORE");
	char socket[ACTION_PATH_MAX];
	struct action_call c;

	action_socket_of(folder, socket);
	action_begin(&c, "stop", NULL);
	action_opt(&c, "--socket", socket);
	c.log = "/dev/null";
	action_run(&c);
	action_end(&c);
	action_socket_remove(folder);
	show_log(folder);
	action_gh_remove(folder);
	rmdir(folder);
	action_export("GH_CONFIG_DIR", before != NULL ? before : "");
	action_export("GHOARD_SOCKET", "");
	action_export("GHOARD_API_URL", "");
	action_export("GHOARD_JOB", "");
}

int action_report(const struct globals *g, struct err *err)
{
	const char *job = action_env("GHOARD_JOB");
	struct action_call c;

	(void)err;
	show_stats();
	put_anchor(g);
	if (action_persists(&c, "cache", "save"))
		action_persist(&c);
	if (job != NULL && span_find(span_of(job), "/ghoard-") >= 0)
		end_daemon(job);
	return XC_OK;
}
