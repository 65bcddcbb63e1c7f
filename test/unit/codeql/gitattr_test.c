#include "../guard.h"
#include "base/buf.h"
#include "codeql/gitattr.h"
#include "git.h"

static const char *const names[GITATTR_COUNT] = { "text", "crlf", "eol", "ident", "filter",
	"working-tree-encoding" };

/* As git check-attr prints it. */
static void print_state(const struct gitattr *a, int i, char *out, size_t size)
{
	static const char *const words[] = { "unspecified", "unspecified", "set", "unset" };

	if (a->state[i] == GITATTR_VALUE)
		snprintf(out, size, "%.*s", (int)a->value[i].n, a->value[i].p);
	else
		snprintf(out, size, "%s", words[a->state[i]]);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Ask git about each path and compare all six. */
static void expect_as_git(const char *source, const char *const *paths, size_t n,
    const struct gitattr_file *first, const struct gitattr_file *chain)
{
	FILE *f = fopen("paths", "w");

	for (size_t i = 0; i < n; i++)
		fwrite(paths[i], 1, strlen(paths[i]) + 1, f);
	fclose(f);
	struct span text = output("git -C r check-attr -z --stdin %s %s %s %s %s %s <paths", names[0],
	    names[1], names[2], names[3], names[4], names[5]);
	struct span rest = text, path, name, value;
	size_t sure = 0;
	for (size_t i = 0; i < n; i++) {
		struct gitattr a;

		gitattr_look(first, chain, span_of(paths[i]), &a);
		sure += !a.unsure;
		for (int k = 0; k < GITATTR_COUNT; k++) {
			char ours[300];

			assert_true(span_cut(&rest, '\0', &path) && span_cut(&rest, '\0', &name) &&
			    span_cut(&rest, '\0', &value));
			assert_true(a.state[k] == GITATTR_VALUE || a.value[k].n == 0);
			print_state(&a, k, ours, sizeof(ours));
			if (!a.unsure && !span_eq(value, ours))
				fail_msg("%.*s: %s: git says %.*s, we %s, of %s", (int)path.n, path.p,
				    names[k], (int)value.n, value.p, ours, source);
		}
	}
	assert_true(sure > 0 || strstr(source, "**"));
	free((void *)(uintptr_t)text.p);
}

static const char *const paths[] = { "a", "a.c", "b.txt", "d/a", "d/a.c", "d/e/a.c", "d/e/f/x.txt", "foo/bar",
	"bar", "x/foo/bar", "foo/x/bar", "foo/x/y/bar", "Makefile", "d/Makefile", "a b", "d/a b.c", "[x]",
	"x]", "a-b", "a\\b", "*", "d/*", "README.md", "d/.hidden", ".c", "dd/a.c", "d/d/d/d", "abc", "aBc",
	"a1c", "\303\244.c", "d/q\"q", "tab\tname", "foo", "d/e", "aaaaaaaaab", "a.b.c.d", "é", "d/foo/x",
	"x/d/e/y" };

static void test_against_git(void **state)
{
	static const char *const outer[] = {
		"* text=auto\n*.c text eol=lf\n*.txt -text\n",
		"# comment\n\n   \n*.c\ttext  ident\r\nfoo/bar filter=lfs -text\n/a text\nd/* eol=crlf\n",
		"**/bar text\nfoo/** ident\nfoo/**/bar eol=lf\n**/e/** filter=x\n/**/a text=auto\n",
		"[a-c]* text\na[!b]c ident\n[[:upper:]]* filter=up\na[[:digit:]]c eol=lf\n\\[x\\] "
		"crlf\n[]x]* -text\n",
		"* binary\n*.c !text\nMakefile text=auto\nd/ text\nfoo/ ident\n",
		"\"a b\" text\n\"tab\\tname\" ident\n\"d/q\\\"q\" eol=lf\n\"\\303\\244.c\" filter=oct\n",
		"a? text\n?.c ident\nd/?/f/* eol=lf\n*a*a*a*b filter=stars\n*.*.*.d -text\n",
		"*.c text\n*.c -text\n*.c text=auto !eol\n*.txt crlf=input\n*.txt -crlf\n",
		"a working-tree-encoding=UTF-16LE text\nb.txt working-tree-encoding=UTF-16 eol=crlf -ident\n",
		"!*.c text\n*.c ident\n-x text\n\\!x text\n\\#a text\n* -text eol=crlf filter= ident=no "
		"text=\n",
		"d/** text\n/d/**/x.txt ident\nd/**e/a.c eol=lf\nd**a.c filter=g\n*** crlf\n",
		"*.[ch] text\n[^a]* ident\n[a-\n[z text\na[\\]x] eol=lf\n[\\a]* filter=esc\n",
		"foo/bar/ text\nfoo text\n/foo/bar ident\n./a text\n//a ident\n",
		"\357\273\277* text\n",
		"* text=auto binary\n*.c binary text=auto\nabc text=auto -text\nfoo text=auto text\n",
	};
	static const char *const inner[] = { "a.c -text\n* ident\n", "/a.c eol=lf\ne/* filter=inner\n",
		"e/** !ident\n", "*.c !text !eol\n" };

	(void)state;
	sh("git init -q r; mkdir -p r/d/e/f r/.git/info");
	for (size_t i = 0; i < COUNT(outer); i++)
		for (size_t j = 0; j < COUNT(inner); j++) {
			struct gitattr_file *o, *d, *info;
			const char *infos = i % 3 == 1 ? "*.txt text eol=crlf\nd/a.c filter=info\n" : "";

			write_text("r/.gitattributes", outer[i]);
			write_text("r/d/.gitattributes", inner[j]);
			write_text("r/.git/info/attributes", infos);
			o = gitattr_parse(span_make(guard_put(outer[i], strlen(outer[i])), strlen(outer[i])),
			    span_of(""), NULL);
			d = gitattr_parse(span_of(inner[j]), span_of("d/"), o);
			info = gitattr_parse(span_of(infos), span_of(""), NULL);
			expect_as_git(outer[i], paths, COUNT(paths), info, d);
			gitattr_free(info);
			gitattr_free(d);
			gitattr_free(o);
		}
}

/* Patterns put together at random from what is special in them. */
static void test_random(void **state)
{
	static const char *const bits[] = { "*", "/", "a", "b", "c", ".c", "?", "[ab]", "[!a]", "d", "e",
		"foo", "bar", "\\a", "/**/", "/**", ".txt", "x" };
	uint32_t seed = 12345;

	(void)state;
	sh("git init -q r");
	for (int round = 0; round < 60; round++) {
		char text[4096] = "";

		for (int line = 0; line < 40; line++) {
			int parts = 1 + (int)(seed >> 16) % 6;

			for (int i = 0; i < parts; i++) {
				seed = seed * 1664525 + 1013904223;
				strcat(text, bits[(seed >> 16) % COUNT(bits)]);
			}
			snprintf(text + strlen(text), 40, " filter=l%d\n", line);
		}
		write_text("r/.gitattributes", text);
		struct gitattr_file *f = gitattr_parse(span_of(text), span_of(""), NULL);
		expect_as_git(text, paths, COUNT(paths), NULL, f);
		gitattr_free(f);
	}
}

static void test_unsure(void **state)
{
	static const char *const texts[] = { "[attr]mine text\n", "\"never ended text\n",
		"[attr]x -diff filter=y\n" };
	struct gitattr a;
	char many[3000] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct gitattr_file *f = gitattr_parse(span_of(texts[i]), span_of(""), NULL);

		gitattr_look(NULL, f, span_of("a"), &a);
		assert_true(a.unsure);
		assert_false(gitattr_empty(f));
		gitattr_free(f);
	}
	/* a macro about other things, and lines about other things */
	struct gitattr_file *f =
	    gitattr_parse(span_of("[attr]m diff=c\n* m -diff merge=ours\n"), span_of(""), NULL);
	assert_true(gitattr_empty(f));
	struct gitattr_file *g = gitattr_unsure(f);
	gitattr_look(NULL, g, span_of("a"), &a);
	assert_true(a.unsure);
	assert_false(gitattr_empty(g));
	gitattr_free(g);
	gitattr_free(f);
	/* a pattern made to take for ever */
	for (int i = 0; i < 300; i++)
		strcat(many, "**/*a");
	strcat(many, "b text\n");
	f = gitattr_parse(span_of(many), span_of(""), NULL);
	char path[4001];
	for (int i = 0; i < 4000; i++)
		path[i] = i % 3 == 2 ? '/' : 'a';
	path[4000] = '\0';
	gitattr_look(NULL, f, span_of(path), &a);
	assert_true(a.unsure || a.state[GITATTR_TEXT] == GITATTR_SILENT);
	gitattr_free(f);
	/* git ignores lines that are too long */
	memset(many, 'a', 2100);
	strcpy(many + 2100, " text\nb text\n");
	f = gitattr_parse(span_of(many), span_of(""), NULL);
	gitattr_look(NULL, f, span_of("b"), &a);
	assert_int_equal(a.state[GITATTR_TEXT], GITATTR_SET);
	gitattr_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_against_git, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_random, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_unsure, git_setup, git_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
