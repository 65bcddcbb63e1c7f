#include "git.h"

/* Every way in which git writes an index. */
static void test_shapes(void **state)
{
	static const struct {
		const char *init, *change;
	} shapes[] = {
		{ "", "git update-index --index-version 2" },
		{ "", "git update-index --index-version 3; git add -N new; git reset -q" },
		{ "", "git update-index --index-version 4" },
		{ "--object-format=sha256", ":" },
		{ "--object-format=sha256", "git update-index --index-version 4" },
		{ "", "git update-index --split-index; echo n >new; git add new; git rm -q --cached d.c; echo 9 >z;"
		      " git add z" },
		{ "", "git update-index --index-version 4 --split-index; echo n >0new; git add 0new" },
		{ "--object-format=sha256", "git update-index --split-index; echo n >d/new; git add d/new" },
		{ "", "git add new; " NO_HASH },
		{ "", "git update-index --index-version 4 --split-index; git add new; " NO_HASH },
		{ "", "git config feature.manyFiles true; echo n >n; git add n" },
		{ "", "git config index.threads 2; echo n >n; git add n" },
		{ "", "git update-index --untracked-cache; git status" },
		{ "", "git pack-refs --all; git gc -q" },
		{ "--separate-git-dir=elsewhere", ":" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		sh("rm -rf r elsewhere");
		make_repo(shapes[i].init);
		sh("cd r; echo new >new; %s", shapes[i].change);
		expect_like_git("r");
		/* changed, gone, new and touched, in the tick of the index and long after */
		sh("cd r; echo A >a; rm d/b; mkdir d/dir; echo n >d/dir/n; touch d/e/c; chmod +x d-y; ln -sf z link");
		expect_like_git("r");
		sh("cd r; touch -d '2026-01-01' a z d/empty; rm -r d; echo file >d");
		expect_like_git("r");
	}
}

/* What the header promises: SHA-256 over fields and records. Made by test data alone, with Python. */
static void test_known_key(void **state)
{
	(void)state;
	sh("mkdir -p t/d; printf 'hello\\n' >t/a; printf '#!/bin/sh\\n' >t/d/run; chmod 755 t/d/run; ln -s ../a t/d/l");
	chmod("t/a", 0644);
	take("t");
	expect_usable();
	assert_false(fp.indexed);
	assert_string_equal(fp.whole, "0f5c3664e45ee6c56c7625c0f787d59db1ce5c83eb9538aa70080fe57ab07ac7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shapes, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_known_key, git_setup, git_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
