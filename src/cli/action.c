#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actions/envfile.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "cli/action.h"
#include "cli/cli.h"

#define SOCKET_NAME "/ghoard.sock"
#define ELSEWHERE "/tmp"	/* where RUNNER_TEMP is long */

const char *action_env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

bool action_flag(const char *name, bool otherwise)
{
	static const char *const yes[] = { "true", "1", "yes", "on" };
	struct span v = span_trim(span_of(action_env(name)));

	if (v.n == 0)
		return otherwise;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (span_ieq(v, yes[i]))
			return true;
	return false;
}

/* ---- the runner's files ---- */

static void append(const char *file, const char *name, const char *value)
{
	const char *path = action_env(file);
	struct err why;
	struct buf b;

	err_init(&why);
	buf_init(&b, strlen(value) + ENVFILE_EXTRA);
	if (path != NULL && (envfile_entry(&b, name, span_of(value), &why) != 0 ||
	    envfile_append(path, buf_span(&b), &why) != 0))
		log_warn("%s", why.msg);
	buf_free(&b);
}

void action_output(const char *name, const char *value)
{
	append("GITHUB_OUTPUT", name, value);
}

void action_export(const char *name, const char *value)
{
	append("GITHUB_ENV", name, value);
	setenv(name, value, 1);
}

/* ---- calls ---- */

void action_begin(struct action_call *c, const char *command, const char *sub)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->out, ACTION_SAID_MAX);
	action_arg(c, "ghoard");
	action_arg(c, command);
	if (sub != NULL)
		action_arg(c, sub);
}

void action_arg(struct action_call *c, const char *word)
{
	if (c->n < ACTION_ARGS_MAX - 1)
		c->arg[c->n++] = word;
}

void action_opt(struct action_call *c, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	action_arg(c, name);
	action_arg(c, value);
}

static void lead(struct action_call *c, const int fds[2], int said)
{
	char *argv[ACTION_ARGS_MAX];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (!c->shown) {		/* a daemon that stays keeps no end of ours */
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
	}
	if (said >= 0) {
		dup2(said, STDERR_FILENO);
		close(said);
	}
	if (c->mute)
		unsetenv("GITHUB_OUTPUT");
	for (size_t i = 0; i < c->n; i++)
		argv[i] = (char *)(uintptr_t)c->arg[i];
	argv[c->n] = NULL;
	_exit(cli_run((int)c->n, argv));
}

static void read_all(int fd, struct buf *b)
{
	ssize_t n = 1;

	while (n > 0) {
		uint8_t *p = buf_reserve(b, 65536);

		n = p == NULL ? 0 : read(fd, p, 65536);
		if (n > 0)
			buf_commit(b, (size_t)n);
	}
}

/* An error of a command is a warning of the step: the job goes on. */
static void hand_on(struct span text)
{
	static const char error[] = "::error ";
	struct span line;

	while (span_cut(&text, '\n', &line)) {
		if (span_starts(line, error)) {
			fputs("::warning ", stderr);
			line = span_sub(line, sizeof(error) - 1, line.n);
		}
		fprintf(stderr, "%.*s\n", (int)line.n, line.p);
	}
}

static int open_said(const struct action_call *c)
{
	char path[ACTION_PATH_MAX];
	int fd;

	if (c->shown)
		return -1;
	if (c->log != NULL)
		return open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	snprintf(path, sizeof(path), "%s/ghoard-said-XXXXXX",
	    action_env("RUNNER_TEMP") != NULL ? action_env("RUNNER_TEMP") : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static void tell_said(int fd)
{
	struct buf b;

	buf_init(&b, ACTION_SAID_MAX);
	lseek(fd, 0, SEEK_SET);
	read_all(fd, &b);
	hand_on(buf_span(&b));
	buf_free(&b);
}

int action_run(struct action_call *c)
{
	int fds[2] = { -1, -1 }, said = open_said(c), status = 0;
	pid_t pid;

	fflush(stdout);
	if (!c->shown && pipe2(fds, O_CLOEXEC) != 0)
		pid = -1;
	else
		pid = fork();
	if (pid == 0)
		lead(c, fds, said);
	if (fds[1] >= 0)
		close(fds[1]);
	if (pid > 0 && fds[0] >= 0)
		read_all(fds[0], &c->out);
	if (fds[0] >= 0)
		close(fds[0]);
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		pid = -1;
	if (said >= 0 && c->log == NULL && pid > 0)
		tell_said(said);
	if (said >= 0)
		close(said);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : XC_MACHINE;
}

struct json *action_json(const struct action_call *c)
{
	struct json *o = NULL;

	if (json_parse(buf_span(&c->out), &o) != 0)
		return NULL;
	return o;
}

void action_end(struct action_call *c)
{
	buf_wipe(&c->out);
}

void action_text(const struct json *o, const char *key, char *out, size_t size)
{
	const struct json *v = json_get(o, key);
	struct buf b;

	out[0] = '\0';
	if (v == NULL)
		return;
	if (json_str(v) != NULL) {
		span_copy(out, size, span_of(json_str(v)));
		return;
	}
	buf_init(&b, size);
	if (json_print(v, false, &b) == 0)
		span_copy(out, size, buf_span(&b));
	buf_free(&b);
}

void action_last_line(const char *log, char *out, size_t size)
{
	static const char plain[] = "ghoard: error: ";	/* before the log is set up */
	struct span rest, line, last = { NULL, 0 };
	struct buf b;
	ptrdiff_t at;

	buf_init(&b, ACTION_SAID_MAX);
	out[0] = '\0';
	if (file_read(log, ACTION_SAID_MAX, false, &b, NULL) == 0) {
		rest = buf_span(&b);
		while (span_cut(&rest, '\n', &line))
			last = line.n > 0 ? line : last;
		at = span_starts(last, "::") ? span_find(span_sub(last, 2, last.n), "::") : -1;
		if (at >= 0)
			last = span_sub(last, (size_t)at + 4, last.n);
		else if (span_starts(last, plain))
			last = span_sub(last, sizeof(plain) - 1, last.n);
		snprintf(out, size, "%.*s", (int)last.n, last.p != NULL ? last.p : "");
	}
	buf_free(&b);
}

/* ---- the job's folder ---- */

/* mkdtemp's names come from the clock. */
static int make_folder(char *path, const char *in, struct err *err)
{
	uint8_t number[6];
	char text[2 * sizeof(number) + 1];

	if (rand_bytes(number, sizeof(number), err) != 0)
		return err->cls;
	hex_encode(text, number, sizeof(number));
	if (snprintf(path, ACTION_PATH_MAX, "%s/ghoard-%s", in, text) >= ACTION_PATH_MAX)
		errno = ENAMETOOLONG;
	else if (mkdir(path, 0700) == 0)
		return 0;
	path[0] = '\0';
	return err_sys(err, ERR_IO, "making a folder in %s", in);
}

int action_folder(char path[static ACTION_PATH_MAX], struct err *err)
{
	const char *temp = action_env("RUNNER_TEMP");

	return temp != NULL
	    ? make_folder(path, temp, err)
	    : err_set(err, ERR_USAGE, "RUNNER_TEMP is not set; this is for a step of GitHub Actions");
}

int action_socket(const char *folder, char path[static ACTION_PATH_MAX], struct err *err)
{
	static const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof(SOCKET_NAME);
	int rc = 0;

	char own[ACTION_PATH_MAX + sizeof(SOCKET_NAME)];

	snprintf(own, sizeof(own), "%s" SOCKET_NAME, folder);
	if (strlen(folder) > most)
		rc = make_folder(path, ELSEWHERE, err);
	else
		snprintf(path, ACTION_PATH_MAX, "%s", folder);
	if (rc == 0)
		strcat(path, SOCKET_NAME);
	if (rc == 0 && strcmp(path, own) != 0 && symlink(path, own) != 0) {
		rc = err_sys(err, ERR_IO, "making %s", own);
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
	return rc;
}

void action_socket_of(const char *folder, char path[static ACTION_PATH_MAX])
{
	char own[ACTION_PATH_MAX + sizeof(SOCKET_NAME)];
	ssize_t n;

	snprintf(own, sizeof(own), "%s" SOCKET_NAME, folder);
	n = readlink(own, path, ACTION_PATH_MAX - 1);
	if (n > 0)
		path[n] = '\0';
	else
		snprintf(path, ACTION_PATH_MAX, "%s" SOCKET_NAME, folder);
}

void action_socket_unlink(const char *path)
{
	char folder[ACTION_PATH_MAX];

	unlink(path);
	if (span_starts(span_of(path), ELSEWHERE "/ghoard-")) {
		snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
		rmdir(folder);
	}
}

void action_socket_remove(const char *folder)
{
	char path[ACTION_PATH_MAX], own[ACTION_PATH_MAX + sizeof(SOCKET_NAME)];

	action_socket_of(folder, path);
	snprintf(own, sizeof(own), "%s" SOCKET_NAME, folder);
	unlink(own);	/* the link, or itself */
	action_socket_unlink(path);
}

/* ---- what lasts from job to job ---- */

static bool wants_persist(void)
{
	const char *wish = action_env("PERSIST"), *where = action_env("RUNNER_ENVIRONMENT");

	if (wish == NULL || strcmp(wish, "auto") == 0)
		return where != NULL && strcmp(where, "github-hosted") == 0;
	return strcmp(wish, "always") == 0;
}

bool action_persists(struct action_call *c, const char *command, const char *verb)
{
	if (!wants_persist())
		return false;
	action_begin(c, command, "persist");
	action_arg(c, verb);
	action_arg(c, "--keep-runtime");
	c->mute = true;
	return true;
}

void action_persist(struct action_call *c)
{
	action_run(c);
	printf("%.*s", (int)buf_len(&c->out), (const char *)buf_data(&c->out));
	fflush(stdout);
	action_end(c);
}
