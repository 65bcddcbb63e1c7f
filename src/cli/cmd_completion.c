#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "cli/cli.h"

/* "get|put|ls ..." names sub-commands; "[-X METHOD] PATH" none. */
static struct span subs_of(const struct command *c)
{
	struct span word, rest = span_of(c->args);

	if (!islower((unsigned char)c->args[0]) || !span_cut(&rest, ' ', &word) || span_find(word, "|") < 0)
		return span_make("", 0);
	return word;
}

static void put_subs(struct span subs)
{
	struct span one;

	while (subs.n > 0 && span_cut(&subs, '|', &one))
		printf(" %.*s", (int)one.n, one.p);
}

/* In single quotes, which all three shells leave and enter alike. */
static void put_quoted(const char *s)
{
	putchar('\'');
	for (; *s != '\0'; s++)
		if (*s == '\'')
			printf("'\\''");
		else
			putchar(*s);
	putchar('\'');
}

typedef void opt_fn(const struct opt *);

static void each(const struct opt *o, opt_fn *put)
{
	for (; o != NULL && o->name != NULL; o++)
		if (o->help != NULL)
			put(o);
}

/* ---- bash and zsh ---- */

static void bash_opt(const struct opt *o)
{
	printf(" --%s", o->name);
}

static void zsh_opt(const struct opt *o)
{
	char text[300];

	snprintf(text, sizeof(text), "--%s:%s", o->name, o->help);
	putchar(' ');
	put_quoted(text);
}

/* The pattern of the options that take a value: the next word is the value's. */
static void valued(const struct opt *o)
{
	if (o->kind == OPT_FLAG)
		return;
	printf("|--%s", o->name);
	if (o->letter != 0)
		printf("|-%c", o->letter);
}

static void put_valued(void)
{
	const struct command *c;

	printf("''");
	each(cli_global_opts(), valued);
	for (size_t i = 0; (c = cli_command(i)) != NULL; i++)
		each(c->opts, valued);
}

static void put_cases(opt_fn *put, const char *subs, const char *opts)
{
	const struct command *c;

	printf("\tcase $cmd in\n");
	for (size_t i = 0; (c = cli_command(i)) != NULL; i++) {
		printf("\t%s) %s", c->name, subs);
		put_subs(subs_of(c));
		printf("%s", opts);
		each(c->opts, put);
		printf(") ;;\n");
	}
	printf("\tesac\n");
}

static void bash(void)
{
	const struct command *c;

	printf("_ghoard() {\n\tlocal i cmd= sub= cur=${COMP_WORDS[COMP_CWORD]} subs=() opts=()\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do case ${COMP_WORDS[i]} in\n\t");
	put_valued();
	printf(") ((++i)) ;;\n\t-*) ;;\n\t*) if [[ $cmd ]]; then sub=1; else cmd=${COMP_WORDS[i]}; fi ;;\n"
	       "\tesac; done\n");
	put_cases(bash_opt, "subs=(", ") opts=(");
	printf("\t[[ $cmd ]] || subs=(");
	for (size_t i = 0; (c = cli_command(i)) != NULL; i++)
		printf(" %s", c->name);
	printf(")\n\topts+=(");
	each(cli_global_opts(), bash_opt);
	printf(")\n\t[[ $sub ]] && subs=()\n"
	       "\tif ((i > COMP_CWORD)); then subs=() opts=(); fi\n"
	       "\tcase $cur in\n\t-*) COMPREPLY=($(compgen -W \"${opts[*]}\" -- \"$cur\")) ;;\n"
	       "\t*) COMPREPLY=($(compgen -W \"${subs[*]}\" -- \"$cur\")) ;;\n\tesac\n}\n"
	       "complete -o default -F _ghoard ghoard\n");
}

static void zsh(void)
{
	const struct command *c;
	char text[300];

	printf("#compdef ghoard\n_ghoard() {\n\tlocal i cmd= sub=\n\tlocal -a subs opts\n"
	       "\tfor ((i = 2; i < CURRENT; i++)); do case ${words[i]} in\n\t");
	put_valued();
	printf(") ((++i)) ;;\n\t-*) ;;\n\t*) if [[ -n $cmd ]]; then sub=1; else cmd=${words[i]}; fi ;;\n"
	       "\tesac; done\n");
	put_cases(zsh_opt, "subs=(", ") opts=(");
	printf("\t[[ -n $cmd ]] || subs=(");
	for (size_t i = 0; (c = cli_command(i)) != NULL; i++) {
		snprintf(text, sizeof(text), "%s:%s", c->name, c->summary);
		putchar(' ');
		put_quoted(text);
	}
	printf(")\n\topts+=(");
	each(cli_global_opts(), zsh_opt);
	printf(")\n\tif ((i > CURRENT)); then _files; return; fi\n"
	       "\tif [[ $PREFIX == -* ]]; then _describe -o option opts; return; fi\n"
	       "\tif [[ -z $sub ]] && (($#subs)); then _describe command subs; else _files; fi\n}\n"
	       "if [[ $funcstack[1] == _ghoard ]]; then _ghoard \"$@\"; else compdef _ghoard ghoard; fi\n");
}

/* ---- fish ---- */

static const struct command *fish_of;	/* whose options are printed; NULL: everybody's */

static void fish_opt(const struct opt *o)
{
	printf("complete -c ghoard");
	if (fish_of != NULL)
		printf(" -n '__fish_seen_subcommand_from %s'", fish_of->name);
	printf(" -l %s", o->name);
	if (o->letter != 0)
		printf(" -s %c", o->letter);
	printf("%s -d ", o->kind == OPT_FLAG ? "" : " -r");
	put_quoted(o->help);
	putchar('\n');
}

static void fish_command(const struct command *c)
{
	struct span subs = subs_of(c);

	printf("complete -c ghoard -f -n __ghoard_bare -a %s -d ", c->name);
	put_quoted(c->summary);
	putchar('\n');
	if (subs.n > 0) {
		printf("complete -c ghoard -f -n '__fish_seen_subcommand_from %s; and not "
		       "__fish_seen_subcommand_from",
		    c->name);
		put_subs(subs);
		printf("' -a '");
		put_subs(subs);
		printf("'\n");
	}
	fish_of = c;
	each(c->opts, fish_opt);
	fish_of = NULL;
}

static void fish(void)
{
	const struct command *c;

	/* fish's own __fish_use_subcommand takes an option's value for one */
	printf("function __ghoard_bare; not __fish_seen_subcommand_from");
	for (size_t i = 0; (c = cli_command(i)) != NULL; i++)
		printf(" %s", c->name);
	printf("; end\n");
	for (size_t i = 0; (c = cli_command(i)) != NULL; i++)
		fish_command(c);
	each(cli_global_opts(), fish_opt);
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	(void)g;
	for (size_t i = 0; args->n == 1 && i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(args->arg[0], shells[i].name) == 0) {
			shells[i].print();
			return XC_OK;
		}
	err_set(err, ERR_USAGE, "completion takes one shell: bash, zsh or fish");
	return XC_USAGE;
}

const struct command cmd_completion = {
	.name = "completion",
	.args = "bash|zsh|fish",
	.summary = "what a shell needs to complete commands and options",
	.text = "  eval \"$(ghoard completion bash)\"\n  ghoard completion fish | source",
	.run = run
};
