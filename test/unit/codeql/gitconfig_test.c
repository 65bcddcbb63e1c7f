#include "../guard.h"
#include "base/buf.h"
#include "codeql/gitconfig.h"
#include "git.h"

static void lower(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
}

/* As `git config --list -z` does: name, LF and value, NUL. */
static void print(void *ctx, const struct gitconfig_var *v)
{
	struct buf *out = ctx;

	lower(out, v->section);
	buf_addc(out, '.');
	if (v->sub.n) {
		buf_addspan(out, v->sub);
		buf_addc(out, '.');
	}
	lower(out, v->key);
	if (v->value.p) {
		buf_addc(out, '\n');
		buf_addspan(out, v->value);
	}
	buf_addc(out, '\0');
}

static const char *const good[] = { "", "# c\n; c\n", "[core]\n\tbare = false\n", "[CORE]\nBare\n",
	"[a \"B c\"]\n\tx = 1\n[a \"q\\\"\\\\\"]y=2", "[a]x = \" two  words \" end  # c\n",
	"[a]\nx = one \\\n  two\n", "[a]\nx = a\\tb\\n\\\"\\\\ \\b\n", "[a]\r\nx = 1\r\ny\r\n",
	"[a] x = 1 ; c\n", "[a]\nx=\n", "[a]\nx = \"#;\"#c\n", "\357\273\277[a]\nx = 1\n",
	"[a]\nx-1 = 2\n\n\n[b]\n\tz\t=\t3", "[include]\npath = ~/x\n",
	"[includeIf \"gitdir:/a/.git\"]\n\tpath = /tmp/creds\n", "[a]\nx = a b  c\n",
	"[a]\nx = \"a\"b\"c\"\n", "[extensions]\n\tobjectFormat = sha256\n" };
static const char *const bad[] = { "[a", "[a]\n1x = 2\n", "[a]\nx = \"open\n", "[a]\nx = \\q\n",
	"[a b]\nx=1\n", "[a \"b]\nx=1\n", "[a]\nx y\n", "]", "[a \"b\" ]\nx=1\n", "[a_b]\nx=1\n" };

static void test_against_git(void **state)
{
	struct buf ours;

	(void)state;
	for (size_t i = 0; i < COUNT(good) + COUNT(bad); i++) {
		bool fine = i < COUNT(good);
		const char *text = fine ? good[i] : bad[i - COUNT(good)];
		size_t n = strlen(text);
		FILE *f = fopen("config", "w");

		fwrite(text, 1, n, f);
		fclose(f);
		buf_init(&ours, BUF_MAX_ANY);
		if (gitconfig_each(span_make(guard_put(text, n), n), print, &ours) != fine)
			fail_msg("%s", text);
		struct span theirs =
		    output("git config -f config --no-includes --list -z 2>/dev/null || printf BAD");
		if (!fine && !span_ends(theirs, "BAD"))
			fail_msg("git takes %s", text);
		else if (fine && !span_same(theirs, buf_span(&ours)))
			fail_msg("%s: git %s, we %s", text, theirs.p, buf_cstr(&ours));
		free((void *)(uintptr_t)theirs.p);
		buf_free(&ours);
	}
}

static void test_bool(void **state)
{
	(void)state;
	assert_true(gitconfig_bool((struct span){ 0 }, false));
	assert_false(gitconfig_bool(span_of(""), true));
	assert_true(gitconfig_bool(span_of("YES"), false) && gitconfig_bool(span_of("on"), false));
	assert_true(gitconfig_bool(span_of("2"), false) && gitconfig_bool(span_of("true"), false));
	assert_false(gitconfig_bool(span_of("0"), true) || gitconfig_bool(span_of("off"), true));
	assert_false(gitconfig_bool(span_of("No"), true) || gitconfig_bool(span_of("false"), true));
	assert_true(gitconfig_bool(span_of("perhaps"), true));
	assert_false(gitconfig_bool(span_of("perhaps"), false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_against_git, git_setup, git_teardown),
		cmocka_unit_test(test_bool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
