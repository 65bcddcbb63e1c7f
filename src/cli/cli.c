#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions/command.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"

static const struct command *const commands[] = { &cmd_api, &cmd_serve, &cmd_stop, &cmd_status, &cmd_cache,
	&cmd_codeql, &cmd_cred, &cmd_config, &cmd_peers, &cmd_stats, &cmd_doctor, &cmd_action,
	&cmd_completion, &cmd_version, &cmd_help };

#define GLOBAL(member) offsetof(struct globals, member)

static const struct opt global_opts[] = {
	{ "config-dir", 0, OPT_TEXT, "DIR", GLOBAL(config_dir),
	    "folder of cache-config.yml and p2p-config.yml (default .github)" },
	{ "cache-dir", 0, OPT_TEXT, "DIR", GLOBAL(cache_dir),
	    "the API cache folder itself (default ~/.cache/github-api-p2p)" },
	{ "socket", 0, OPT_TEXT, "PATH", GLOBAL(socket),
	    "the daemon's socket (default ghoard.sock in the cache folder)" },
	{ "offline", 0, OPT_FLAG, NULL, GLOBAL(offline),
	    "ask nobody: answer from what is stored, or exit 4" },
	{ "log-level", 0, OPT_TEXT, "LEVEL", GLOBAL(log_level), "error, warn, info or debug (default warn)" },
	{ "log-format", 0, OPT_TEXT, "FORMAT", GLOBAL(log_format), "text or json" },
	{ "json", 0, OPT_FLAG, NULL, GLOBAL(json), "print JSON for machines" },
	{ "no-daemon", 0, OPT_FLAG, NULL, GLOBAL(no_daemon), "do the work in this process" },
	{ "help", 'h', OPT_FLAG, NULL, GLOBAL(help), "show help for the command" },
	{ "version", 0, OPT_FLAG, NULL, GLOBAL(version), "print the version" },
	{ .name = NULL }
};

const struct command *cli_command(size_t i)
{
	return i < sizeof(commands) / sizeof(commands[0]) ? commands[i] : NULL;
}

const struct opt *cli_global_opts(void)
{
	return global_opts;
}

int cli_exit_code(const struct err *err)
{
	switch ((enum err_class)err->cls) {
	case ERR_USAGE:
		return XC_USAGE;
	case ERR_CONFIG:
	case ERR_DENIED:
		return XC_CONFIG;
	case ERR_NOTFOUND:
		return XC_NO;
	case ERR_DAMAGED:
		return XC_DAMAGED;
	case ERR_UNAVAIL:
	case ERR_SPENT:
	case ERR_TIMEOUT:
	case ERR_PROTO:
		return XC_UNAVAILABLE;
	case ERR_INTERNAL:
	case ERR_IO:
	case ERR_LIMIT:
		return XC_MACHINE;
	}
	return XC_MACHINE;
}

static void annotate(enum log_level level, const char *msg)
{
	struct buf b;

	buf_init(&b, 65536);
	actions_command(&b, level == LOG_ERROR ? "error" : "warning", "ghoard", span_of(msg));
	file_write_all(STDERR_FILENO, buf_data(&b), buf_len(&b));
	buf_free(&b);
}

static int setup_log(const struct globals *g, struct err *err)
{
	enum log_level level = LOG_WARN;
	bool json = g->log_format != NULL && strcmp(g->log_format, "json") == 0;
	const char *actions = getenv("GITHUB_ACTIONS");

	if (g->log_level != NULL && !log_level_parse(g->log_level, &level))
		return err_set(err, ERR_USAGE, "--log-level takes error, warn, info or debug, not '%s'",
		    g->log_level);
	if (g->log_format != NULL && !json && strcmp(g->log_format, "text") != 0)
		return err_set(err, ERR_USAGE, "--log-format takes text or json, not '%s'", g->log_format);
	log_setup(level, json, actions != NULL && strcmp(actions, "true") == 0 ? annotate : NULL);
	return 0;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; cli_command(i) != NULL; i++)
		if (strcmp(cli_command(i)->name, name) == 0)
			return cli_command(i);
	return NULL;
}

/* The command's name is the first operand; a global option's value may stand before it. */
static int find_command(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (argv[i][0] != '-')
			return i;
		for (const struct opt *o = global_opts; o->name != NULL; o++)
			if (o->kind == OPT_TEXT && strncmp(argv[i], "--", 2) == 0 &&
			    strcmp(argv[i] + 2, o->name) == 0)
				i++;
	}
	return -1;
}

static int run_command(const struct command *c, int argc, char **argv, struct globals *g, struct err *err)
{
	struct opt_set sets[] = { { global_opts, g }, { c->opts, c->values } };
	struct opt_args args = { .n = 0 };

	if (opt_parse(argc, argv, sets, 2, &args, err) != 0 || setup_log(g, err) != 0)
		return XC_USAGE;
	if (g->help) {
		args = (struct opt_args){ .n = c == &cmd_help ? 0 : 1, .arg = { c->name } };
		return cmd_help.run(g, &args, err);
	}
	if (g->version)
		return cmd_version.run(g, &args, err);
	return c->run(g, &args, err);
}

/* Without a command only --help and --version mean something. */
static int run_bare(int argc, char **argv, struct globals *g, struct err *err)
{
	struct opt_set sets[] = { { global_opts, g } };
	struct opt_args args = { .n = 0 };

	if (opt_parse(argc, argv, sets, 1, &args, err) != 0)
		return XC_USAGE;
	if (g->version)
		return cmd_version.run(g, &args, err);
	if (g->help)
		return cmd_help.run(g, &args, err);
	err_set(err, ERR_USAGE, "no command; 'ghoard help' lists them");
	return XC_USAGE;
}

static int dispatch(int argc, char **argv, struct globals *g, struct err *err)
{
	const struct command *c;
	int at = find_command(argc, argv);

	if (at < 0)
		return run_bare(argc, argv, g, err);
	c = find(argv[at]);
	if (c == NULL) {
		err_set(err, ERR_USAGE, "no command '%s'; 'ghoard help' lists them", argv[at]);
		return XC_USAGE;
	}
	memmove(&argv[at], &argv[at + 1], (size_t)(argc - at - 1) * sizeof(argv[0]));
	return run_command(c, argc - 1, argv, g, err);
}

int cli_run(int argc, char **argv)
{
	struct globals g;
	struct err err;
	int code;

	memset(&g, 0, sizeof(g));
	err_init(&err);
	log_setup(LOG_WARN, false, NULL);
	code = dispatch(argc - 1, argv + 1, &g, &err);
	if (err.cls != 0)
		log_error("%s", err.msg);
	if (fflush(stdout) != 0 && code == XC_OK &&
	    errno != EPIPE) { /* a reader that has seen enough is fine */
		log_error("writing to standard output failed; is the disk full?");
		code = XC_MACHINE;
	}
	return code;
}
