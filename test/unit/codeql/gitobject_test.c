#include "git.h"

#include "base/buf.h"
#include "codeql/gitobject.h"

/* What a command prints, without its line end. */
static const char *said(const char *command)
{
	static char line[200];
	FILE *p = popen(command, "r");

	assert_non_null(p);
	if (fgets(line, sizeof(line), p) == NULL)
		line[0] = '\0';
	assert_int_equal(pclose(p), 0);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void make(const char *how)
{
	sh("git init -q %s r && cd r && mkdir -p a/b && seq 9000 >a/b/long && for i in $(seq 30); do "
	   "echo $i >>a/b/long && git add -A && git commit -q -m \"$(seq 200; echo $i)\"; done", how);
}

/* The commit, its tree and a file below it, as git has them. */
static void expect(const char *objects, enum objid_format f)
{
	char commit[80], tree[OBJID_HEX_MAX];
	struct buf got, want;

	snprintf(commit, sizeof(commit), "%s", said("git -C r rev-parse HEAD"));
	assert_true(gitobject_tree(objects, f, commit, tree));
	assert_string_equal(tree, said("git -C r rev-parse 'HEAD^{tree}'"));
	buf_init(&got, GITOBJECT_MAX);
	buf_init(&want, GITOBJECT_MAX);
	assert_true(gitobject_file(objects, f, tree, span_of("a/b/long"), &got));
	for (int i = 1; i <= 9030; i++)
		buf_addf(&want, "%d\n", i <= 9000 ? i : i - 9000);
	assert_true(span_same(buf_span(&got), buf_span(&want)));
	assert_false(gitobject_file(objects, f, tree, span_of("a/b/lon"), &got));
	assert_false(gitobject_file(objects, f, tree, span_of("a/b"), &got));
	assert_false(gitobject_read(objects, f, commit, "blob", &got));
	commit[3] = commit[3] == '0' ? '1' : '0';
	assert_false(gitobject_tree(objects, f, commit, tree));
	buf_free(&got);
	buf_free(&want);
}

static void test_loose(void **state)
{
	(void)state;
	make("");
	expect("r/.git/objects", OBJID_SHA1);
}

static void test_packed_with_deltas(void **state)
{
	(void)state;
	make("");
	sh("git -C r repack -q -a -d -f --depth=50 --window=50");
	assert_int_not_equal(
	    atoi(said("cd r && git verify-pack -v .git/objects/pack/*.idx | grep -c '^chain'")), 0);
	expect("r/.git/objects", OBJID_SHA1);
	sh("git -C r -c repack.useDeltaBaseOffset=false repack -q -a -d -f");
	expect("r/.git/objects", OBJID_SHA1);
}

static void test_sha256(void **state)
{
	(void)state;
	make("--object-format=sha256");
	expect("r/.git/objects", OBJID_SHA256);
	sh("git -C r gc -q");
	expect("r/.git/objects", OBJID_SHA256);
}

static void test_alternates(void **state)
{
	(void)state;
	make("");
	sh("git clone -q --shared r s && git clone -q --shared s t");
	expect("t/.git/objects", OBJID_SHA1);
	sh("echo ../../../t/.git/objects >t/.git/objects/info/alternates");	/* in a circle */
	char tree[OBJID_HEX_MAX];
	assert_false(gitobject_tree("t/.git/objects", OBJID_SHA1, said("git -C r rev-parse HEAD"), tree));
}

/* Every byte of the commit's file turned: read as what it is, or not at all. */
static void test_damage(void **state)
{
	char commit[80], tree[OBJID_HEX_MAX], right[80], path[200], good[4096], bad[4096];

	(void)state;
	make("");
	snprintf(commit, sizeof(commit), "%s", said("git -C r rev-parse HEAD"));
	snprintf(right, sizeof(right), "%s", said("git -C r rev-parse 'HEAD^{tree}'"));
	snprintf(path, sizeof(path), "r/.git/objects/%.2s/%s", commit, commit + 2);
	sh("chmod u+w %s", path);
	FILE *in = fopen(path, "rb");
	size_t n = fread(good, 1, sizeof(good), in);
	fclose(in);
	for (size_t i = 0; i < n - 4; i++) {
		memcpy(bad, good, n);
		bad[i] ^= 0x55;
		FILE *to = fopen(path, "wb");
		fwrite(bad, 1, n, to);
		fclose(to);
		if (gitobject_tree("r/.git/objects", OBJID_SHA1, commit, tree))
			assert_string_equal(tree, right);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_loose, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_packed_with_deltas, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_sha256, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_alternates, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_damage, git_setup, git_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
