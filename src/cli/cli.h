/*
 * The command line: one table of commands, global options, exit codes. Each command is one cmd_*.c file.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/opt.h"

struct err;

enum exit_code {
	XC_OK = 0,
	XC_NO = 1,		/* the answer is no: a miss, denied, HTTP 4xx/5xx */
	XC_USAGE = 2,
	XC_CONFIG = 3,
	XC_UNAVAILABLE = 4,	/* GitHub could not be asked and nothing stored may answer */
	XC_DAMAGED = 5,
	XC_MACHINE = 6,		/* permissions, disk full */
	XC_GATE = 7		/* codeql check --fail-on is met by a known result */
};

struct globals {
	const char *config_dir, *cache_dir, *socket, *log_level, *log_format;
	bool offline, json, no_daemon, help, version;
};

struct command {
	const char *name;
	const char *args;		/* "[-X METHOD] PATH", for usage */
	const char *summary;		/* one line */
	const char
	    *text; /* paragraphs for help and man page, lines split by \n, paragraphs by an empty line */
	const struct opt *opts;		/* may be NULL */
	void *values;
	/* Returns an exit code. A failure that is not yet told on stderr is left in err. */
	int (*run)(const struct globals *, const struct opt_args *, struct err *);
};

extern const struct command cmd_action, cmd_api, cmd_cache, cmd_codeql, cmd_completion, cmd_config, cmd_cred,
    cmd_doctor,
    cmd_help, cmd_peers, cmd_serve, cmd_stats, cmd_status, cmd_stop, cmd_version;

/* The table, in the order help shows it; NULL past the end. */
const struct command *cli_command(size_t i);
const struct opt *cli_global_opts(void);

/* "ghoard/1.2.3", our User-Agent. Defined beside `version`. */
const char *cli_agent(void);

int cli_run(int argc, char **argv);
/* The exit code that belongs to a failure's class. */
int cli_exit_code(const struct err *);

#endif
