#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "github/route.h"

#define LINE_MAX_LEN 90		/* of the man page's source; words are not split */

/* ---- text ---- */

/* One word with what roff would read as its own escaped. Our tables have one character above ASCII: the
 * ellipsis. */
static size_t put_word(struct span w, bool first)
{
	size_t n = 0;

	if (first && w.n > 0 && (w.p[0] == '.' || w.p[0] == '\''))
		n += (size_t)printf("\\&");
	for (size_t i = 0; i < w.n; i++)
		if (w.p[i] == '\\')
			n += (size_t)printf("\\e");
		else if (w.p[i] == '-')
			n += (size_t)printf("\\-");
		else if (w.p[i] == '"')
			n += (size_t)printf("\\(dq");
		else if ((unsigned char)w.p[i] == 0xe2 && i + 2 < w.n)
			n += (size_t)printf("..."), i += 2;
		else
			putchar(w.p[i]), n++;
	return n;
}

static bool ends_sentence(struct span w)
{
	return span_ends(w, ".") && !span_ends(w, "..");
}

/* Filled lines; a sentence ends its line, as roff wants it. */
static void put_text(struct span text)
{
	struct span word;
	size_t at = 0;

	while (span_cut(&text, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (at > 0 && at + word.n + 1 > LINE_MAX_LEN) {
			putchar('\n');
			at = 0;
		}
		at += at > 0 ? (putchar(' '), (size_t)1) : 0;
		at += put_word(word, at == 0);
		if (ends_sentence(word) && text.n > 0) {
			putchar('\n');
			at = 0;
		}
	}
	putchar('\n');
}

static void put_sentence(const char *text)
{
	put_text(span_of(text));
}

/* A help line has no full stop. */
static void put_help(const char *help)
{
	char text[512];

	snprintf(text, sizeof(text), "%s.", help);
	put_sentence(text);
}

/* An argument of a macro: quoted, so that no word in it is read as a macro. */
static void put_quoted(const char *s)
{
	putchar('"');
	put_word(span_of(s), false);
	putchar('"');
}

/* ---- commands ---- */

/* A paragraph whose lines begin with two spaces is an example: its lines stay. */
static void put_paragraph(struct span p)
{
	struct span line;
	char filled[4096];
	size_t n = 0;

	if (span_starts(p, "  ")) {
		printf(".Bd -literal -offset indent\n");
		while (span_cut(&p, '\n', &line)) {
			put_word(span_trim(line), true);
			putchar('\n');
		}
		printf(".Ed\n");
		return;
	}
	while (span_cut(&p, '\n', &line) && n + line.n + 1 < sizeof(filled)) {
		memcpy(filled + n, line.p, line.n);
		n += line.n;
		filled[n++] = ' ';
	}
	put_text(span_make(filled, n));
}

static void put_paragraphs(const char *text)
{
	struct span rest = span_of(text);
	bool first = true;

	while (span_ends(rest, "\n"))
		rest.n--;
	while (rest.n > 0) {
		ptrdiff_t end = span_find(rest, "\n\n");
		struct span p = span_sub(rest, 0, end < 0 ? rest.n : (size_t)end);

		if (!first && !span_starts(p, "  "))
			printf(".Pp\n");
		put_paragraph(p);
		first = false;
		rest = span_sub(rest, p.n + 2, rest.n);
	}
}

static void put_opt(const struct opt *o)
{
	printf(".It ");
	if (o->letter != 0)
		printf("Fl %c , ", o->letter);
	printf("Fl \\-");
	put_word(span_of(o->name), false);
	if (o->arg != NULL) {
		printf(" Ar ");
		put_quoted(o->arg);
	}
	putchar('\n');
	put_help(o->help);
}

static void put_opts(const struct opt *o)
{
	printf(".Bl -tag -width Ds\n");
	for (; o->name != NULL; o++)
		if (o->help != NULL)
			put_opt(o);
	printf(".El\n");
}

static void options(void)
{
	put_opts(cli_global_opts());
}

static void commands(void)
{
	const struct command *c;

	for (size_t i = 0; (c = cli_command(i)) != NULL; i++) {
		printf(".Ss %s\n.Nm Ic %s", c->name, c->name);
		if (c->args[0] != '\0') {
			printf(" No ");
			put_quoted(c->args);
		}
		printf("\n.Pp\n");
		put_help(c->summary);
		if (c->text[0] != '\0') {
			if (!span_starts(span_of(c->text), "  "))
				printf(".Pp\n");
			put_paragraphs(c->text);
		}
		if (c->opts != NULL && c->opts[0].help != NULL)
			put_opts(c->opts);
	}
}

/* ---- settings ---- */

static void put_bounds(const struct setting *s)
{
	char text[300];

	if (s->one_of != NULL)
		snprintf(text, sizeof(text), "One of %s", s->one_of);
	else if (s->type == SET_INT || s->type == SET_SECONDS || s->type == SET_BYTES)
		snprintf(text, sizeof(text), "%c%s, from %lld to %lld", help_type(s->type)[0] - 'a' + 'A',
		    help_type(s->type) + 1, (long long)s->min, (long long)s->max);
	else
		snprintf(text, sizeof(text), "%c%s", help_type(s->type)[0] - 'a' + 'A',
		    help_type(s->type) + 1);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "; default %s.",
	    s->dflt[0] != '\0' ? s->dflt : "none");
	put_sentence(text);
}

static void put_state(enum setting_state state)
{
	switch (state) {
	case SETS_WORKS:
		return;
	case SETS_FIXED:
		put_sentence("It cannot be changed: another value is one warning.");
		return;
	case SETS_UNABLE:
		put_sentence("It is known from the reference and not honoured: asking for it is one "
			     "warning.");
		return;
	}
}

static void put_setting(const struct setting *s)
{
	printf(".It Cm ");
	put_quoted(s->key);
	putchar('\n');
	put_sentence(s->help);
	put_bounds(s);
	for (size_t k = 0; k < 3 && s->env[k] != NULL; k++)
		printf("%s\n.Ev %s%s\n", k == 0 ? "Variable" : "or", s->env[k],
		    k < 2 && s->env[k + 1] != NULL ? "" : " .");
	put_state(s->state);
	if (help_trust(s->trust) != NULL)
		put_sentence(help_trust(s->trust));
}

static void put_settings(const char *title, unsigned files)
{
	const struct setting *s;

	printf(".Ss %s\n.Bl -tag -width Ds\n", title);
	for (size_t i = 0; (s = table_at(i)) != NULL; i++)
		if ((files & 1u << s->file) != 0)
			put_setting(s);
	printf(".El\n");
}

static void settings(void)
{
	put_settings("cache\\-config.yml", 1u << SETF_CACHE);
	put_settings("p2p\\-config.yml", 1u << SETF_P2P);
	put_settings("Either file", 1u << SETF_BOTH);
	put_settings("The environment alone", 1u << SETF_NONE);
}

/* ---- environment, operations, exit codes ---- */

static void put_rows(const struct help_row *r, const char *macro)
{
	for (; r->name != NULL; r++) {
		printf(".It %s %s\n", macro, r->name);
		put_sentence(r->text);
	}
}

static void environment(void)
{
	const struct setting *s;

	printf(".Bl -tag -width Ds\n");
	put_rows(help_variables, "Ev");
	for (size_t i = 0; (s = table_at(i)) != NULL; i++)
		for (size_t k = 0; k < 3 && s->env[k] != NULL; k++) {
			printf(".It Ev %s\nSets\n.Cm ", s->env[k]);
			put_quoted(s->key);
			if (k > 0)
				printf(" ,\nunless\n.Ev %s\ndoes.\n", s->env[0]);
			else
				printf(" .\n");
		}
	printf(".El\n");
}

static void operations(void)
{
	const struct route *r;
	const char *pattern;
	char room[40];

	printf(".Bl -column \"get_workflow_runs\" \"asked again every time\" \"paths\"\n"
	       ".It Sy operation Ta Sy lifetime Ta Sy path\n");
	for (size_t i = 0; (r = route_at(i, &pattern)) != NULL; i++) {
		printf(".It Cm %s Ta ", r->op);
		put_quoted(help_lifetime(r, room, sizeof(room)));
		printf(" Ta ");
		put_quoted(pattern);
		putchar('\n');
	}
	printf(".El\n");
}

static void exit_codes(void)
{
	printf(".Bl -tag -width Ds\n");
	put_rows(help_exit_codes, "Li");
	printf(".El\n");
}

bool help_roff(const char *name)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} parts[] = { { "commands", commands }, { "options", options }, { "settings", settings },
		{ "environment", environment }, { "operations", operations }, { "exit-codes", exit_codes } };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(parts[i].name, name) == 0) {
			parts[i].print();
			return true;
		}
	return false;
}
