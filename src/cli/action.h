/*
 * What the steps of the composite actions (actions/ in the repository) share: inputs, which come as
 * environment variables; outputs and exports, which go to the runner's files; and our own commands as child
 * processes, so that a step does what its user could have typed.
 *
 * No step but `inject` fails a job: what does not work is one warning and a sentence in the log.
 */
#ifndef CLI_ACTION_H
#define CLI_ACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct err;
struct globals;
struct json;

#define ACTION_ARGS_MAX 64
#define ACTION_PATH_MAX 512
#define ACTION_SAID_MAX ((size_t)1 << 20)	/* of what a command prints */

/* The variable, NULL where it is not set or empty. */
const char *action_env(const char *name);
/* "true", "1", "yes", "on" in any case; `otherwise` where it is empty. */
bool action_flag(const char *name, bool otherwise);

/* $GITHUB_OUTPUT, $GITHUB_ENV. Failures are a warning. */
void action_output(const char *name, const char *value);
void action_export(const char *name, const char *value);

/* One of our commands, as words. */
struct action_call {
	const char *arg[ACTION_ARGS_MAX];
	size_t n;
	/* What it says on stderr: into this file; NULL: on ours, errors as warnings. */
	const char *log;
	bool shown;			/* stdout and stderr are ours */
	bool mute;			/* no $GITHUB_OUTPUT */
	struct buf out;			/* what it printed, unless `shown` */
};

void action_begin(struct action_call *, const char *command, const char *sub);
void action_arg(struct action_call *, const char *word);		/* borrowed */
/* "--name value", unless the variable is empty; the word itself unless the value is NULL. */
void action_opt(struct action_call *, const char *name, const char *value);
/* Run it to its end; the exit code, XC_MACHINE where it could not be started. */
int action_run(struct action_call *);
/* Its output as JSON; NULL where it is none. To be freed. */
struct json *action_json(const struct action_call *);
void action_end(struct action_call *);
/* The text at `key`, "" where there is none; and numbers as text. */
void action_text(const struct json *, const char *key, char *out, size_t size);

/* What a failed call wrote to `log` last, without its front; "" if nothing. */
void action_last_line(const char *log, char *out, size_t size);

/* A new folder of ours below RUNNER_TEMP, 0700. ERR_USAGE: not in a job; ERR_IO. */
int action_folder(char path[static ACTION_PATH_MAX], struct err *);
/* Where a socket goes: into that folder, or where its path is too long for one (107 bytes) into a new one of
 * the same kind in /tmp, with a link to it in that folder. ERR_IO. */
int action_socket(const char *folder, char path[static ACTION_PATH_MAX], struct err *);
/* The one that a folder got, whatever GHOARD_SOCKET says by now. */
void action_socket_of(const char *folder, char path[static ACTION_PATH_MAX]);
/* The socket's file, and its folder if that was made in /tmp for it alone. */
void action_socket_unlink(const char *path);
/* That of a job's folder, and the link that stands there for it. */
void action_socket_remove(const char *folder);

/* `ghoard cache persist` or `codeql persist`, where `persist` of the action wants it: "always", or on
 * GitHub's own runners. Begins the call; false: nothing is to be done. Then options may be added, and
 * action_persist runs it, says in the log what came of it, and ends it. */
bool action_persists(struct action_call *, const char *command, const char *verb);
void action_persist(struct action_call *);

/* gh's configuration with our socket in it, a copy in `folder`/gh; the user's stays. ERR_IO. */
int action_gh_config(const char *folder, const char *socket, struct err *);
void action_gh_remove(const char *folder);

/* The steps: exit codes. */
int action_setup(const struct globals *, struct err *);
int action_codeql(const struct globals *, struct err *);
int action_save(const struct globals *, struct err *);
int action_inject(const struct globals *, struct err *);
int action_report(const struct globals *, struct err *);

#endif
