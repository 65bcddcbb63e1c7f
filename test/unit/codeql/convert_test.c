#include "base/buf.h"
#include "codeql/convert.h"
#include "git.h"

static void put(const char *path, struct span bytes)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fwrite(bytes.p, 1, bytes.n, f);
	fclose(f);
}

static void expect_bytes(const char *path, struct span bytes)
{
	uint8_t id[OBJID_MAX];

	objid_blob(id, fp.format, bytes.p, bytes.n);
	assert_memory_equal(rec(path).id, id, objid_len(fp.format));
}

/* Contents in which line ends, identifiers and bytes that are no text meet. */
#define S(text) { text, sizeof(text) - 1 }
static const struct span contents[] = { S(""), S("lf\nlf\n"), S("crlf\r\ncrlf\r\n"), S("mixed\r\nmixed\n"),
	S("lone\rcr\r\n"), S("bin\0ary\r\n"), S("no end\r\nno end"), S("\r\n"), S("\r"), S("ends\r"),
	S("$Id$ \r\n$Id: abc $\n"), S("$Id: never\n$Id: x$ $Id:$$Id$\r\n"), S("$Id: no end"),
	S("dos\r\n\032"), S("\001\002\003\r\n"), S("esc\033\b\014\t\r\n"),
	S("\177\177\177\177\177\177 text text text text text text text text text text text text text "
	  "text\r\n") };

static const char *const attributes[] = { "", "* text=auto", "* text", "* -text", "* text eol=crlf",
	"* text eol=lf", "* text=auto eol=crlf", "* eol=crlf", "* eol=lf", "* ident", "* ident text=auto",
	"* text ident", "* crlf", "* -crlf", "* crlf=input", "* binary", "* -text eol=crlf" };

static const char *const settings[] = { ":", "git config core.autocrlf true",
	"git config core.autocrlf input", "git config core.eol crlf" };

/*
 * A file is put into the index under these attributes, then touched, then changed: git says whether it is
 * changed, and the key follows the bytes.
 */
static void test_against_git(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(attributes); i++)
		for (size_t j = 0; j < COUNT(settings); j++) {
			bool plain = strcmp(attributes[i], "") == 0 || strstr(attributes[i], "* -") ||
			    strstr(attributes[i], "binary");
			bool converts = !plain || (i == 0 && (j == 1 || j == 2));

			sh("rm -rf r; git init -q r; cd r; %s; echo '%s' >.gitattributes", settings[j],
			    attributes[i]);
			for (size_t k = 0; k < COUNT(contents); k++) {
				char name[20];

				snprintf(name, sizeof(name), "r/f%02zu", k);
				put(name, contents[k]);
			}
			sh("cd r; git add .; touch -d 2026-01-01 *");
			expect_like_git("r");
			for (size_t k = 0; k < COUNT(contents); k++) {
				char name[20];

				snprintf(name, sizeof(name), "f%02zu", k);
				expect_bytes(name, contents[k]);
				assert_int_equal((rec(name).flags & MANIFEST_BYTES) != 0, converts);
			}
			/* all to the next content */
			for (size_t k = 0; k < COUNT(contents); k++) {
				char name[20];

				snprintf(name, sizeof(name), "r/f%02zu", k);
				put(name, contents[(k + 1) % COUNT(contents)]);
			}
			expect_like_git("r");
		}
}

/* Line ends that a work tree has and the repository has not: two trees of one commit, two keys. */
static void test_two_checkouts(void **state)
{
	(void)state;
	sh("git init -q r; cd r; printf '1\\n2\\n' >f; git add f; git commit -qm f; cd ..; "
	   "git clone -q -c core.autocrlf=true r w; git clone -q r v");
	char key[FINGERPRINT_LEN + 1];
	memcpy(key, key_of("v"), sizeof(key));
	take("w");
	assert_string_not_equal(key, fp.whole);
	expect_bytes("f", span_of("1\r\n2\r\n"));
	assert_int_equal(rec("f").flags, MANIFEST_TRACKED | MANIFEST_BYTES);
	expect_like_git("w");
	/* the same through the user's own settings, an include of them, and attributes of the user */
	sh("rm -rf w; printf '[include]\\n\\tpath = ~/more\\n' >.gitconfig; printf '[core]\\n\\tautocrlf = "
	   "true\\n' >more; "
	   "git clone -q r w");
	take("w");
	expect_bytes("f", span_of("1\r\n2\r\n"));
	sh("rm -rf w .gitconfig more; mkdir -p .config/git; echo '* text eol=crlf' >.config/git/attributes; "
	   "git clone -q r w");
	take("w");
	expect_bytes("f", span_of("1\r\n2\r\n"));
	sh("rm -r .config");
	/* the repository's info/attributes */
	sh("cd v; echo 'f text eol=crlf' >.git/info/attributes; rm f; git checkout -q f");
	take("v");
	expect_bytes("f", span_of("1\r\n2\r\n"));
	/* .gitattributes that is in the index and not on disk: git would ask the index */
	sh("rm -rf w; git init -q w; cd w; echo '* text eol=crlf' >.gitattributes; printf '1\\n' >f; git add "
	   ".; "
	   "rm f; git checkout -q f; rm .gitattributes; sleep 0.02; touch .git/index");
	take("w");
	expect_bytes("f", span_of("1\r\n"));
}

/* A blob that its own attributes would change: git calls the file changed though no byte is. */
static void test_not_normal(void **state)
{
	static const char *const late[] = { "* text", "* ident", "* text=auto", "* text eol=crlf" };

	(void)state;
	for (size_t i = 0; i < COUNT(late); i++) {
		sh("rm -rf r; git init -q r; cd r; printf '1\\r\\n$Id: x $\\r\\n' >f; git add f; git commit "
		   "-qm f; "
		   "echo '%s' >.gitattributes; git add .gitattributes; touch -d 2026-01-01 f",
		    late[i]);
		expect_like_git("r");
		assert_int_equal((rec("f").flags & MANIFEST_DIRTY) != 0, i != 2);
	}
}

static void test_filters(void **state)
{
	(void)state;
	sh("git init -q r; cd r; git config filter.lfs.clean 'f=$(mktemp); cat >$f; [ -s $f ] || exit 0; "
	   "grep -q ^version $f && exec cat $f; printf "
	   "\"version https://git-lfs.github.com/spec/v1\\noid sha256:%%s\\nsize %%s\\n\" "
	   "$(sha256sum <$f | cut -c1-64) $(wc -c <$f)'; git config filter.up.clean 'tr a-z A-Z'; "
	   "printf '*.bin filter=lfs -text\\n*.up filter=up\\n*.enc working-tree-encoding=UTF-16LE\\n*.x "
	   "filter=none\\n' "
	   ">.gitattributes; echo big >a.bin; : >empty.bin; echo up >a.up; echo x >a.x; "
	   "printf 'e\\0n\\0c\\0\\n\\0' >a.enc; git add .; git commit -qm f; sleep 0.02; touch .git/index");
	expect_like_git("r");
	assert_int_equal(fp.counts.dirty, 0);
	const char *key = key_of("r");
	expect_bytes("a.bin", span_of("big\n"));
	expect_bytes("a.up", span_of("up\n"));
	/* touched: what LFS would make is made here too, what another program would is not */
	sh("cd r; touch -d 2026-01-01 *");
	assert_string_equal(key, key_of("r"));
	assert_int_equal(rec("a.bin").flags, MANIFEST_TRACKED | MANIFEST_BYTES);
	assert_int_equal(rec("a.x").flags, MANIFEST_TRACKED | MANIFEST_BYTES);
	assert_int_equal(rec("a.up").flags, MANIFEST_TRACKED | MANIFEST_BYTES | MANIFEST_DIRTY);
	assert_int_equal(rec("a.enc").flags, MANIFEST_TRACKED | MANIFEST_BYTES | MANIFEST_DIRTY);
	/* changed in a way that the filter hides from git: the key follows the bytes */
	sh("cd r; echo UP >a.up; [ -z \"$(git status --porcelain)\" ]");
	assert_string_not_equal(key, key_of("r"));
	/* a file of LFS that was never fetched is its pointer */
	sh("cd r; git show :a.bin >a.bin");
	take("r");
	assert_int_equal(rec("a.bin").flags, MANIFEST_TRACKED | MANIFEST_BYTES);
	sh("cd r; echo other >a.bin");
	take("r");
	assert_int_equal(rec("a.bin").flags, MANIFEST_TRACKED | MANIFEST_BYTES | MANIFEST_DIRTY);
}

/* A conditional include: whether its condition holds is not asked. actions/checkout writes one. */
static void test_conditional(void **state)
{
	(void)state;
	make_repo("");
	sh("printf '[core]\\n\\tautocrlf = true\\n' >crlf; printf '[http]\\n\\textraheader = x\\n' >creds; "
	   "cd r; git config includeIf.gitdir:/nowhere/.path $PWD/../creds");
	take("r");
	assert_int_equal(rec("a").flags, MANIFEST_TRACKED);
	sh("cd r; git config includeIf.gitdir:/nowhere/.path $PWD/../crlf");
	take("r");
	assert_int_equal(rec("a").flags, MANIFEST_TRACKED | MANIFEST_BYTES);
	expect_like_git("r");
	/* a file that includes itself ends */
	sh("cd r; git config --unset includeIf.gitdir:/nowhere/.path; git config include.path config");
	take("r");
	expect_usable();
	assert_int_equal(rec("a").flags, MANIFEST_TRACKED | MANIFEST_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_against_git, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_two_checkouts, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_not_normal, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_filters, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_conditional, git_setup, git_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
