#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "github/route.h"

#define FILL 78
#define LABEL_MAX 30		/* a longer label has the line for itself */

static struct {
	const char *roff;
} v;

static const struct opt opts[] = {
	{ "roff", 0, OPT_TEXT, "NAME", offsetof(__typeof__(v), roff), NULL },	/* no help: hidden */
	{ .name = NULL }
};

/* ---- tables ---- */

const struct help_row help_exit_codes[] = { { "0", "Done." },
	{ "1",
	    "The answer is no: nothing is stored, something was found wrong, or GitHub answered with 4xx or "
	    "5xx." },
	{ "2", "Wrong usage." }, { "3", "A setting is wrong, or the cache folder is another user's." },
	{ "4", "GitHub could not be asked and nothing stored may answer." },
	{ "5", "Stored entries or an archive are damaged; nothing was changed." },
	{ "6", "The machine refused: permissions, a full disk, no memory." },
	{ "7", "codeql check --fail-on: a known result is that grave." }, { NULL, NULL } };

const struct help_row help_variables[] = { { "GH_TOKEN", "The token sent to GitHub by commands." },
	{ "GITHUB_TOKEN", "The same, where GH_TOKEN is not set." },
	{ "CACHE_P2P_SHARED_SECRET",
	    "What runners that share a cache have in common, at least 32 characters." },
	{ "HOME", "Where ~ is; without it, what the password file says." },
	{ "XDG_CACHE_HOME", "Stands for ~/.cache in the default folders." },
	{ "GITHUB_ACTIONS", "If true, warnings and errors are workflow commands." },
	{ "GHOARD_CODEQL_KEY",
	    "Ed25519 private key that signs scan results; for jobs of trusted branches alone." },
	{ "GHOARD_PERSIST_SECRET",
	    "What seals the archives of cache persist and codeql persist, at least 32 characters." },
	{ "GHOARD_RUNTIME_FILE",
	    "The file, mode 0600, that hands a job's runtime token over; read once and unlinked." },
	{ "GHOARD_MATRIX", "For codeql: the job's matrix as JSON; empty or null where there is none." },
	{ "GHOARD_INPUTS", "For codeql, in a workflow that is called: its inputs as JSON." },
	{ "GITHUB_OUTPUT", "The file that codeql check writes its outputs to." },
	{ "GITHUB_STEP_SUMMARY", "The file that stats --summary appends to." }, { NULL, NULL } };

const char *help_lifetime(const struct route *r, char *room, size_t size)
{
	switch (r->policy) {
	case ROUTE_TTL:
		snprintf(room, size, "%d s", (int)r->ttl);
		return room;
	case ROUTE_IMMUTABLE:
		snprintf(room, size, "%d s, immutable", (int)r->ttl);
		return room;
	case ROUTE_ASK:
		return "asked again every time";
	case ROUTE_NEVER:
		return "never stored";
	}
	return "";
}

const char *help_type(enum setting_type t)
{
	switch (t) {
	case SET_BOOL:
		return "true or false";
	case SET_INT:
		return "a number";
	case SET_SECONDS:
		return "seconds, or a time such as 5m";
	case SET_BYTES:
		return "bytes, or a size such as 16MiB";
	case SET_STRING:
		return "text";
	case SET_LIST:
		return "a list";
	}
	return "";
}

const char *help_trust(enum setting_trust t)
{
	switch (t) {
	case TRUST_FREE:
		return NULL;
	case TRUST_LOWER:
		return "A checkout may only lower it, narrow it or switch it off.";
	case TRUST_TRUE:
		return "A checkout may only switch it on or add to it.";
	case TRUST_HOME:
		return "A checkout may only name a folder below HOME and outside itself.";
	case TRUST_NEVER:
		return "A checkout may not set it.";
	}
	return NULL;
}

/* ---- text ---- */

/* Columns count characters, not bytes: patterns have an ellipsis. */
static size_t columns(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void print_row(const char *label, size_t width, const char *text)
{
	size_t n = columns(label);

	if (n > width)
		printf("  %s\n  %*s  %s\n", label, (int)width, "", text);
	else
		printf("  %s%*s  %s\n", label, (int)(width - n), "", text);
}

static void label_of(const struct opt *o, char *out, size_t size)
{
	char letter[8] = "    ";

	if (o->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(out, size, "%s--%s%s%s", letter, o->name, o->arg != NULL ? " " : "",
	    o->arg != NULL ? o->arg : "");
}

static void print_opts(const struct opt *list)
{
	char label[80];
	size_t width = 0;

	for (const struct opt *o = list; o->name != NULL; o++) {
		label_of(o, label, sizeof(label));
		if (o->help != NULL && columns(label) > width && columns(label) <= LABEL_MAX)
			width = columns(label);
	}
	for (const struct opt *o = list; o->name != NULL; o++) {
		label_of(o, label, sizeof(label));
		if (o->help != NULL)
			print_row(label, width, o->help);
	}
}

static bool has_opts(const struct command *c)
{
	return c->opts != NULL && c->opts[0].name != NULL && c->opts[0].help != NULL;
}

static void print_rows(const struct help_row *r)
{
	size_t width = 0;

	for (size_t i = 0; r[i].name != NULL; i++)
		if (columns(r[i].name) > width)
			width = columns(r[i].name);
	for (; r->name != NULL; r++)
		print_row(r->name, width, r->text);
}

/* ---- topics ---- */

static void options(void)
{
	printf("These options may stand before or after any command:\n\n");
	print_opts(cli_global_opts());
}

static void settings(void)
{
	static const char *const files[] = {
		[SETF_CACHE] = "cache-config.yml", [SETF_P2P] = "p2p-config.yml", [SETF_BOTH] = "either file",
		[SETF_NONE] = "environment"
	};
	const struct setting *s;

	printf("A setting comes from a flag, else from the environment, else from cache-config.yml\n"
	       "or p2p-config.yml in .github, else from those in /etc/ghoard, else it has its default.\n"
	       "'ghoard config show' prints the values in force.\n");
	for (size_t i = 0; (s = table_at(i)) != NULL; i++) {
		printf("\n  %s = %s\n      %s\n      %s; %s", s->key, s->dflt[0] != '\0' ? s->dflt : "(none)",
		    s->help, files[s->file], s->one_of != NULL ? s->one_of : help_type(s->type));
		for (size_t k = 0; k < 3 && s->env[k] != NULL; k++)
			printf("%s%s", k == 0 ? "; " : ", ", s->env[k]);
		printf("\n");
		if (help_trust(s->trust) != NULL)
			printf("      %s\n", help_trust(s->trust));
	}
}

static void environment(void)
{
	const struct setting *s;
	char text[200];

	print_rows(help_variables);
	printf("\nThese set settings ('ghoard help settings'); an empty one is as if it were not set:\n\n");
	for (size_t i = 0; (s = table_at(i)) != NULL; i++)
		for (size_t k = 0; k < 3 && s->env[k] != NULL; k++) {
			snprintf(text, sizeof(text), "%s%s%s", s->key, k > 0 ? ", unless set by " : "",
			    k > 0 ? s->env[0] : "");
			print_row(s->env[k], LABEL_MAX - 6, text);
		}
}

static void operations(void)
{
	const struct route *r;
	const char *pattern;
	char room[40], text[120];

	printf("The first pattern that matches a request's path tells its operation and how long\n"
	       "the answer is kept. Lifetimes are settings: operation_ttls.NAME, cache.default_ttl.\n\n");
	for (size_t i = 0; (r = route_at(i, &pattern)) != NULL; i++) {
		snprintf(text, sizeof(text), "%-19s %s", r->op, help_lifetime(r, room, sizeof(room)));
		print_row(pattern, 50, text);
	}
}

static void exit_codes(void)
{
	print_rows(help_exit_codes);
}

static const struct topic {
	const char *name, *what;
	void (*print)(void);
} topics[] = {
	{ "options", "the options of every command", options },
	{ "settings", "what can be configured, and where", settings },
	{ "environment", "the variables that are read", environment },
	{ "operations", "which requests are kept for how long", operations },
	{ "exit-codes", "what the exit code says", exit_codes }
};

#define TOPICS (sizeof(topics) / sizeof(topics[0]))

/* ---- the command ---- */

static void print_all(void)
{
	const struct command *c;

	printf("ghoard answers GitHub API requests from a cache.\n\n"
	       "usage: ghoard [OPTIONS] COMMAND [ARGUMENTS]\n\ncommands:\n");
	for (size_t i = 0; (c = cli_command(i)) != NULL; i++)
		print_row(c->name, 12, c->summary);
	printf("\ntopics:\n");
	for (size_t i = 0; i < TOPICS; i++)
		print_row(topics[i].name, 12, topics[i].what);
	printf("\n'ghoard help COMMAND' and 'ghoard help TOPIC' say more.\n");
}

/* Words of a paragraph in lines of FILL columns. */
static void print_filled(struct span p)
{
	struct span line, word;
	size_t at = 0;

	while (span_cut(&p, '\n', &line))
		while (span_cut(&line, ' ', &word)) {
			if (word.n == 0)
				continue;
			bool fits = at + 1 + word.n <= FILL;

			if (at > 0)
				putchar(fits ? ' ' : '\n');
			at = at > 0 && fits ? at + 1 + word.n : word.n;
			printf("%.*s", (int)word.n, word.p);
		}
	printf("\n");
}

/* A paragraph whose lines begin with two spaces stays as it is. */
static void print_paragraphs(const char *text)
{
	struct span rest = span_of(text);

	while (span_ends(rest, "\n"))
		rest.n--;
	while (rest.n > 0) {
		ptrdiff_t end = span_find(rest, "\n\n");
		struct span p = span_sub(rest, 0, end < 0 ? rest.n : (size_t)end);

		printf("\n");
		if (span_starts(p, "  "))
			printf("%.*s\n", (int)p.n, p.p);
		else
			print_filled(p);
		rest = span_sub(rest, p.n + 2, rest.n);
	}
}

static void print_command(const struct command *c)
{
	printf("ghoard %s: %s\n\nusage: ghoard %s%s%s\n", c->name, c->summary, c->name,
	    c->args[0] != '\0' ? " " : "", c->args);
	print_paragraphs(c->text);
	if (has_opts(c)) {
		printf("\noptions:\n");
		print_opts(c->opts);
	}
	printf("\n'ghoard help options' lists the options that every command takes.\n");
}

static int print_one(const char *name, struct err *err)
{
	const struct command *c;

	for (size_t i = 0; (c = cli_command(i)) != NULL; i++)
		if (strcmp(c->name, name) == 0) {
			print_command(c);
			return XC_OK;
		}
	for (size_t i = 0; i < TOPICS; i++)
		if (strcmp(topics[i].name, name) == 0) {
			topics[i].print();
			return XC_OK;
		}
	err_set(err, ERR_USAGE, "there is no command and no topic '%s'; 'ghoard help' lists them", name);
	return XC_USAGE;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	(void)g;
	if (v.roff != NULL && !help_roff(v.roff)) {
		err_set(err, ERR_USAGE,
		    "--roff takes commands, options, settings, environment, operations or exit-codes, not "
		    "'%s'",
		    v.roff);
		return XC_USAGE;
	}
	if (v.roff != NULL)
		return XC_OK;
	if (args->n > 1) {
		err_set(err, ERR_USAGE, "help takes one command or topic");
		return XC_USAGE;
	}
	if (args->n == 1)
		return print_one(args->arg[0], err);
	print_all();
	return XC_OK;
}

const struct command cmd_help = {
	.name = "help",
	.args = "[COMMAND|TOPIC]",
	.summary = "this help",
	.text = "Without an argument it lists commands and topics.",
	.opts = opts,
	.values = &v,
	.run = run
};
