#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"

static struct cred_opts v = { .ttl = OPT_UNSET, .grace = OPT_UNSET, .since = OPT_UNSET };

#define AT(member) offsetof(struct cred_opts, member)

static const struct opt opts[] = { { "scope", 0, OPT_TEXT, "SCOPE", AT(scope),
				       "global (the default), repo, workflow or runner" },
	{ "filter", 0, OPT_TEXT, "X", AT(filter),
	    "the repository, workflow or runner (default: this job's own)" },
	{ "ttl", 0, OPT_SECONDS, "TIME", AT(ttl), "set, rotate: lifetime, as 24h or 7d (default: no end)" },
	{ "metadata", 0, OPT_LIST, "K=V", AT(metadata), "set: kept beside it" },
	{ "from-env", 0, OPT_TEXT, "VAR", AT(from_env), "set, rotate: take the value from a variable" },
	{ "from-file", 0, OPT_TEXT, "F", AT(from_file),
	    "set, rotate: take the value from a file, byte for byte" },
	{ "repo", 0, OPT_TEXT, "O/R", AT(repo), "whom it is for (default GITHUB_REPOSITORY)" },
	{ "workflow", 0, OPT_TEXT, "W", AT(workflow), "whom it is for (default GITHUB_WORKFLOW)" },
	{ "runner", 0, OPT_TEXT, "ID", AT(runner), "whom it is for (default RUNNER_NAME)" },
	{ "previous", 0, OPT_FLAG, NULL, AT(previous),
	    "get: the version before the last rotation, within its grace" },
	{ "all", 0, OPT_FLAG, NULL, AT(all), "ls: expired ones too" },
	{ "verify", 0, OPT_TEXT, "CMD", AT(verify),
	    "rotate: run CMD with the new value in the variable of its name; keep it only if CMD exits with "
	    "0" },
	{ "grace", 0, OPT_SECONDS, "TIME", AT(grace),
	    "rotate: keep the old version so long (default 24h; 0: not at all)" },
	{ "names", 0, OPT_TEXT, "A,B", AT(names), "inject, exec: which" },
	{ "from-json", 0, OPT_TEXT, "FILE", AT(from_json),
	    "inject: store and inject a list of {name, value, scope, ttl}; ttl is 24h where it is not "
	    "given" },
	{ "from-json-env", 0, OPT_TEXT, "VAR", AT(from_json_env), "inject: the same from a variable" },
	{ "allow", 0, OPT_LIST, "NAME", AT(allow), "inject, exec: a name of the list below after all" },
	{ "pristine", 0, OPT_FLAG, NULL, AT(pristine), "exec: nothing else in the command's environment" },
	{ "redact", 0, OPT_FLAG, NULL, AT(redact), "exec: show *** for the values in the command's output" },
	{ "to", 0, OPT_TEXT, "WHERE", AT(to),
	    "rekey: file, keyring or passphrase (default: where the key is)" },
	{ "anchor", 0, OPT_TEXT, "HASH", AT(anchor), "audit verify: a line that must be there" },
	{ "action", 0, OPT_TEXT, "ACTION", AT(action),
	    "audit show: access_granted, access_denied, store, ..." },
	{ "credential", 0, OPT_TEXT, "NAME", AT(credential), "audit show: of that one" },
	{ "since", 0, OPT_SECONDS, "TIME", AT(since), "audit show: of the last hours or days" },
	{ "repair", 0, OPT_FLAG, NULL, AT(repair), "doctor: take what is damaged from the last good copy" },
	{ "adopt", 0, OPT_TEXT, "NAME", AT(adopt), "doctor: accept the value that another program gave it" },
	{ "accept-rollback", 0, OPT_FLAG, NULL, AT(accept_rollback),
	    "doctor: accept a store older than the log" },
	{ "restart-audit", 0, OPT_FLAG, NULL, AT(restart_audit),
	    "doctor: put the audit log aside and begin another" },
	{ "access", 0, OPT_TEXT, "POLICY", AT(access),
	    "require, prefer or off, in place of credentials.access of /etc/ghoard" },
	{ "upstream", 0, OPT_TEXT, "URL", AT(upstream),
	    "where to ask, in place of upstream.url of /etc/ghoard" },
	{ "ca-file", 0, OPT_TEXT, "FILE", AT(ca_file), "in place of credentials.ca_file of /etc/ghoard" },
	{ "proxy", 0, OPT_TEXT, "URL", AT(proxy), "in place of credentials.proxy of /etc/ghoard" },
	{ .name = NULL } };

static const struct sub {
	const char *name;
	size_t min, max;		/* operands */
	const char *usage;
	int (*run)(struct cred *, struct err *);
} subs[] = {
	{ "set", 1, 1, "set NAME [--scope S] [--filter X] [--ttl TIME] < VALUE", cred_one_set },
	{ "get", 1, 1, "get NAME [--repo R] [--workflow W] [--runner ID]", cred_get_run },
	{ "ls", 0, 0, "ls [--all]", cred_list_ls },
	{ "rm", 1, 1, "rm NAME [--scope S] [--filter X]", cred_one_rm },
	{ "rotate", 1, 1, "rotate NAME [--verify CMD] [--grace TIME] < VALUE", cred_one_rotate },
	{ "cleanup", 0, 0, "cleanup", cred_list_cleanup },
	{ "inject", 0, 0, "inject [--names A,B] [--from-json FILE|-] [--from-json-env VAR]",
	    cred_inject_run },
	{ "exec", 1, OPT_ARGS_MAX, "exec --names A,B [--pristine] [--redact] -- CMD...", cred_exec_run },
	{ "rekey", 0, 0, "rekey [--to file|keyring|passphrase]", cred_rekey_run },
	{ "audit", 1, 1, "audit show, or audit verify [--anchor HASH]", cred_log_run },
	{ "status", 0, 0, "status", cred_state_status },
	{ "doctor", 0, 0, "doctor [--repair] [--adopt NAME] [--accept-rollback] [--restart-audit]",
	    cred_state_doctor },
};

static const struct sub *find(const char *name)
{
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (strcmp(subs[i].name, name) == 0)
			return &subs[i];
	return NULL;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	static struct cred c;
	const struct sub *s = args->n > 0 ? find(args->arg[0]) : NULL;
	int code;

	if (s == NULL)
		return err_set(err, ERR_USAGE,
			   "cred takes set, get, ls, rm, rotate, cleanup, inject, exec, rekey, audit, status "
			   "or doctor%s%s; see "
			   "'ghoard help cred'",
			   args->n > 0 ? ", not " : "", args->n > 0 ? args->arg[0] : ""),
		       XC_USAGE;
	if (args->n - 1 < s->min || args->n - 1 > s->max)
		return err_set(err, ERR_USAGE, "it is 'ghoard cred %s'; see 'ghoard help cred'", s->usage),
		       XC_USAGE;
	c = (struct cred){ .g = g, .o = &v, .arg = args->arg + 1, .nargs = args->n - 1 };
	code = cred_begin(&c, err) != 0 ? cred_exit_code(err) : s->run(&c, err);
	cred_anchor(&c);
	cred_end(&c);
	return code;
}

const struct command cmd_cred = { .name = "cred",
	.args = "set|get|ls|rm|rotate|cleanup|inject|exec|rekey|audit|status|doctor ...",
	.summary = "keep secrets for jobs and hand them out",
	.text =
	    "  set NAME [--scope S] [--filter X] [--ttl TIME] [--metadata K=V]...\n"
	    "  get NAME [--repo R] [--workflow W] [--runner ID] [--previous]\n"
	    "  ls [--all]\n"
	    "  rm NAME\n"
	    "  rotate NAME [--verify CMD] [--grace TIME]\n"
	    "  cleanup\n"
	    "  inject [--names A,B] [--from-json FILE|-] [--from-json-env VAR] [--allow NAME]...\n"
	    "  exec --names A,B [--pristine] [--redact] -- CMD...\n"
	    "  rekey [--to file|keyring|passphrase]\n"
	    "  audit show [--action A] [--credential NAME] [--since TIME]\n"
	    "  audit verify [--anchor HASH]\n"
	    "  status\n"
	    "  doctor [--repair] [--adopt NAME] [--accept-rollback] [--restart-audit]\n"
	    "\n"
	    "Values come from standard input (one newline at the end is dropped), a variable,\n"
	    "a file or a terminal (asked twice), never from the command line. Each is sealed with\n"
	    "AES-256-GCM under the master key and bound to its name, scope and times. One name may\n"
	    "stand in several scopes; the most specific one that fits the caller wins.\n"
	    "\n"
	    "The master key is looked for in the file that GHOARD_MASTER_KEY_FILE names, the\n"
	    "systemd credential cred-master-key, the kernel's keyring (a cache), the desktop's\n"
	    "keyring, .master_key in the folder, and behind a passphrase (of the file that\n"
	    "GHOARD_PASSPHRASE_FILE names, or of a terminal). A key file that others can read is\n"
	    "refused. rekey makes a new key and moves it.\n"
	    "\n"
	    "Before a value leaves, its scope, its lifetime and the token (GH_TOKEN, GITHUB_TOKEN)\n"
	    "are checked, the last by asking GitHub: a token of an installation must list the\n"
	    "repository, any other must be able to push to it, or read it if it is private. The\n"
	    "policy credentials.access says what no answer means: require (no), prefer (yes, and it\n"
	    "is noted), off (nobody is asked). A spent limit of the token is a no, and so is\n"
	    "--offline under both of the first two. Policy, upstream, proxy and CA come from /etc/ghoard\n"
	    "or the options here, not from the checkout or the environment. Each outcome is a line in\n"
	    "the audit log first; without that line the value stays.\n"
	    "\n"
	    "inject writes ::add-mask:: lines to standard output, which must be a pipe, then the\n"
	    "values to GITHUB_ENV, then count and status to GITHUB_OUTPUT: success, partial,\n"
	    "skipped (nothing was asked for), empty (nothing could be had) or error; the exit code is\n"
	    "0 with success and skipped. An entry of the JSON with an empty value is left out with a\n"
	    "warning, and the rest is partial. exec runs one command\n"
	    "with the values in its environment, and with none of them if one is refused; neither it nor the "
	    "command of --verify gets GHOARD_MASTER_KEY_FILE,\n"
	    "GHOARD_PASSPHRASE_FILE or CREDENTIALS_DIRECTORY. With --redact, too, exec ends when the\n"
	    "command does; the output of what that left running is filtered to its end. In a step of\n"
	    "Actions get writes masks to standard error, which must be a pipe then.\n"
	    "\n"
	    "Names that change what programs do are refused, without regard to case: PATH, HOME,\n"
	    "IFS, ENV, BASH_ENV, SHELLOPTS, PROMPT_COMMAND, LD_*, DYLD_*, GLIBC_*, NODE_*,\n"
	    "NPM_CONFIG_*, PYTHON*, PERL5*, PERLLIB, RUBY*, JAVA_TOOL_OPTIONS, _JAVA_OPTIONS,\n"
	    "JDK_JAVA_OPTIONS, DOTNET_*, CORECLR_*, GIT_*, SSH_ASKPASS, *_PROXY, SSL_CERT_*,\n"
	    "CURL_*, GITHUB_*, RUNNER_*, ACTIONS_*, GHOARD_*, CACHE_*, CODEQL_*, CREDENTIALS_DIR.\n"
	    "\n"
	    "Under one uid scopes are advisory: a job that runs as the owner of the folder can read\n"
	    "key and store itself. Another uid, or a key that is a systemd credential, makes them more.\n"
	    "\n"
	    "A store that is damaged, rolled back or under another key is exit 5, and nothing is\n"
	    "changed; doctor explains and repairs.",
	.opts = opts,
	.values = &v,
	.run = run };
