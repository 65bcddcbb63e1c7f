#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/safe.h"
#include "cli/action.h"
#include "cli/cli.h"

static const struct {
	const char *name;
	int (*run)(const struct globals *, struct err *);
} subs[] = { { "setup", action_setup }, { "codeql", action_codeql }, { "save", action_save },
	{ "inject", action_inject }, { "report", action_report } };

/* What the runtime action handed over is for this step, whoever read it, or nobody. */
static int run_sub(size_t i, const struct globals *g, struct err *err)
{
	const char *runtime = action_env("GHOARD_RUNTIME_FILE");
	int code;

	safe_harden();			/* its inputs are secrets, and codeql waits for minutes */
	code = subs[i].run(g, err);

	if (runtime != NULL)
		unlink(runtime);
	return code;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	for (size_t i = 0; args->n == 1 && i < sizeof(subs) / sizeof(subs[0]); i++)
		if (strcmp(subs[i].name, args->arg[0]) == 0)
			return run_sub(i, g, err);
	err_set(err, ERR_USAGE,
	    "action takes setup, codeql, save, inject or report; see 'ghoard help action'");
	return XC_USAGE;
}

const struct command cmd_action = {
	.name = "action",
	.args = "setup|codeql|save|inject|report",
	.summary = "a step of the actions for GitHub workflows",
	.text = "The composite actions of the repository (actions/README.md) are short and call\n"
		"this. Inputs come as environment variables, as their files name them; outputs\n"
		"and exports go to the runner's files. All but inject exit with 0 whatever\n"
		"happens: what does not work is a warning.\n"
		"\n"
		"setup starts a daemon for the job; codeql says whether a scan is needed, after\n"
		"it has uploaded a stored result; save keeps what a scan found; inject puts\n"
		"credentials into the environment of the steps that follow; report writes the\n"
		"summary and ends the daemon.",
	.run = run
};
