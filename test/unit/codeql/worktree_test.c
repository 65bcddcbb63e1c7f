#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "git.h"

static void expect_flags(const char *path, unsigned flags)
{
	assert_int_equal(rec(path).flags, flags);
}

static bool listed(const char *path)
{
	struct manifest_rec r;

	return manifest_find(fp.manifest, span_of(path), &r);
}

static void expect_id_of(const char *path, const char *text)
{
	uint8_t id[OBJID_MAX];

	objid_blob(id, fp.format, text, strlen(text));
	assert_memory_equal(rec(path).id, id, objid_len(fp.format));
}

/* What git is told not to look at. It says that nothing changed; the key says otherwise. */
static void test_hidden_changes(void **state)
{
	static const char *const ways[] = {
		"git update-index --assume-unchanged d/b",
		"git update-index --skip-worktree d/b",
		"git config core.fsmonitor ../hook; git update-index --fsmonitor; git update-index "
		"--fsmonitor-valid d/b",
		"git update-index --assume-unchanged d/b; git update-index --index-version 4",
	};

	(void)state;
	/* a monitor that never saw a change */
	sh("printf '#!/bin/sh\\nprintf \"t\\\\0\"\\n' >hook; chmod +x hook");
	for (size_t i = 0; i < COUNT(ways); i++) {
		sh("rm -rf r");
		make_repo("");
		sh("cd r; touch -d 2026-01-01 d/b; git update-index --refresh; sleep 0.02; touch .git/index; "
		   "%s",
		    ways[i]);
		const char *before = key_of("r");
		assert_int_equal(fp.counts.dirty, 0);
		sh("cd r; echo other >d/b; touch -d 2026-01-01 d/b; [ -z \"$(git status --porcelain)\" ]");
		assert_string_not_equal(before, key_of("r"));
		expect_flags("d/b", MANIFEST_TRACKED | MANIFEST_DIRTY);
		expect_id_of("d/b", "other\n");
		expect_one_key("r");
	}
}

/* core.checkStat=minimal and core.trustctime=false make git believe a size and a time that anybody can set.
 */
static void test_stat_settings(void **state)
{
	(void)state;
	make_repo("");
	sh("cd r; touch -d 2026-01-01 d/b; git update-index --refresh; git config core.checkStat minimal; "
	   "git config core.trustctime false; sleep 0.02; git update-index --force-write-index");
	const char *before = key_of("r");
	sh("cd r; echo B >d/b; touch -d 2026-01-01 d/b; [ -z \"$(git status --porcelain)\" ]");
	assert_string_not_equal(before, key_of("r"));
	expect_flags("d/b", MANIFEST_TRACKED | MANIFEST_DIRTY);
}

/* core.fileMode=false: git looks away, the key does not, and the file is not called dirty. */
static void test_file_mode(void **state)
{
	(void)state;
	make_repo("");
	const char *before = key_of("r");
	sh("cd r; git config core.fileMode false; chmod +x d/b");
	assert_string_not_equal(before, key_of("r"));
	assert_int_equal(rec("d/b").mode, MANIFEST_EXEC);
	expect_flags("d/b", MANIFEST_TRACKED);
	assert_int_equal(fp.counts.dirty, 0);
	sh("[ -z \"$(git -C r status --porcelain)\" ]");
	expect_one_key("r");
}

/* Stat data that would prove a change to be none, were the index not of the same tick. */
static void test_racy(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		sh("rm -rf r; git init -q r; cd r; echo one >f; git add f; echo two >f");
		take("r");
		expect_usable();
		expect_flags("f", MANIFEST_TRACKED | MANIFEST_DIRTY);
		expect_id_of("f", "two\n");
	}
	/* the times of the file and of the index made equal: git would be right to look, and so are we */
	sh("rm -rf r; git init -q r; cd r; echo one >f; git add f");
	sh("cd r; cp .git/index i; sleep 0.02; echo two >f; git add f; touch -r f .git/index");
	take("r");
	assert_int_equal(fp.counts.dirty, 0);
	assert_int_equal(fp.counts.read, 2);
}

/* Nothing is read that need not be, and all of it where that is asked. */
static void test_reads(void **state)
{
	struct fingerprint_options o = { .source = "r" };

	(void)state;
	make_repo("");
	sh("sleep 0.02; touch r/.git/index");
	take_with(&o);
	assert_int_equal(fp.counts.read, 0);
	assert_int_equal(fp.counts.files, 8);
	sh("touch r/d/b");
	take_with(&o);
	assert_int_equal(fp.counts.read, 1);
	assert_int_equal(fp.counts.read_bytes, 2);
	o.read_all = true;
	take_with(&o);
	assert_int_equal(fp.counts.read, 7);
	o.read_all = false;
	o.read_plain = true;
	take_with(&o);
	assert_int_equal(fp.counts.read, 7);
}

/* git leaves a file as the attributes of an older commit made it, and calls it clean. */
static void test_conversion_gone(void **state)
{
	(void)state;
	make_repo("");
	sh("cd r; printf '*.w eol=crlf\n' >.gitattributes; printf 'a\nb\n' >x.w; git add .; git commit -qm "
	   "w; "
	   "rm x.w; git checkout -q .; grep -q b.$ x.w; touch -d 2026-01-01 x.w; git update-index -q "
	   "--refresh; git rm -q .gitattributes; git commit -qm plain; "
	   "sleep 0.02; touch .git/index; [ -z \"$(git status --porcelain)\" ]; git clone -q . ../new; "
	   "cd ../new; sleep 0.02; touch .git/index; if cmp -s x.w ../r/x.w; then exit 1; fi");
	const char *key = key_of("r");
	assert_string_not_equal(key, key_of("new"));
	assert_int_equal(rec("x.w").flags, MANIFEST_TRACKED);
	assert_int_equal(fp.counts.read, 0);
	take("r");
	assert_int_equal(rec("x.w").flags, MANIFEST_TRACKED | MANIFEST_DIRTY);
}

/* Attributes that git finds by a path from the top, and in any case. git calls the files clean. */
static void test_attributes_elsewhere(void **state)
{
	static const char *const ways[] = {
		"echo 'd/b filter=up' >mine; git config core.attributesFile mine",
		"echo 'd/b filter=up' >d/mine; git config core.attributesFile ./d/mine",
		"echo '/D/* filter=up' >.git/info/attributes; git config core.ignorecase true",
		"echo '/D/* filter=up' >.git/info/attributes; printf '[core]\n\tignoreCase\n' >>.git/config",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		sh("rm -rf r");
		make_repo("");
		sh("cd r; git config filter.up.smudge 'tr a-z A-Z'; git config filter.up.clean 'tr A-Z a-z'; "
		   "%s; rm d/b; git checkout -q d/b; [ $(cat d/b) = B ]; touch -d 2026-01-01 d/b; git "
		   "update-index --refresh; sleep 0.02; touch .git/index; [ -z \"$(git status -s -uno)\" ]",
		    ways[i]);
		take("r");
		expect_usable();
		expect_id_of("d/b", "B\n");
	}
	sh("cd r; git config core.ignorecase false; rm .git/info/attributes");
	take("r");
	assert_int_equal(fp.counts.read, 0);
	sh("cd r; git config attr.tree HEAD");	/* which other versions of git take attributes from */
	take("r");
	expect_id_of("d/b", "B\n");
}

/* git writes the other blob, and has the first one's id in the index. */
static void test_replaced(void **state)
{
	(void)state;
	make_repo("");
	sh("cd r; git replace $(git rev-parse HEAD:d/b) $(git rev-parse HEAD:a); rm d/b; git checkout -q "
	   "d/b; "
	   "[ $(cat d/b) = a ]; sleep 1.1; touch .git/index; [ -z \"$(git status -s)\" ]");
	for (int i = 0; i < 2; i++) {
		take("r");
		expect_usable();
		expect_id_of("d/b", "a\n");
		sh("cd r; git pack-refs --all; rm -rf .git/refs/replace");
	}
	sh("cd r; git replace -d $(git rev-parse HEAD:d/b); rm -rf .git/refs/replace d/b; git checkout -q "
	   "d/b; sleep 0.02; touch "
	   ".git/index");
	take("r");
	assert_int_equal(fp.counts.read, 0);
}

/* One commit, however often it is checked out, is no move. */
static void test_moves(void **state)
{
	(void)state;
	make_repo("");
	sh("git clone -q r new; cd new; git checkout -q -B other; git checkout -q --detach; sleep 0.02; "
	   "touch .git/index");
	take("new");
	assert_int_equal(fp.counts.read, 0);
	sh("cd new; git -c user.name=a commit -q --allow-empty -m more");
	take("new");
	assert_int_equal(fp.counts.read, 7);
	sh("cd new; rm .git/logs/HEAD");
	take("new");
	assert_int_equal(fp.counts.read, 7);
}

/* A file whose recorded size git set to zero because it did not trust the rest. */
static void test_smudged(void **state)
{
	(void)state;
	make_repo("");
	sh("cd r; echo q >racy; git add racy; echo w >racy; git update-index --force-write-index; sleep "
	   "0.02; "
	   "touch .git/index");
	expect_like_git("r");
	expect_flags("racy", MANIFEST_TRACKED | MANIFEST_DIRTY);
}

static void test_sparse(void **state)
{
	static const char *const how[] = { "--no-sparse-index", "--sparse-index" };

	(void)state;
	for (size_t i = 0; i < COUNT(how); i++) {
		sh("rm -rf r");
		make_repo("");
		sh("cd r; mkdir -p s/t; echo 1 >s/1; echo 2 >s/t/2; git add .; git commit -qm two; "
		   "git sparse-checkout init --cone %s; git sparse-checkout set d", how[i]);
		sh("cd r; [ ! -e s ]; [ -e d/b ]");
		const char *narrow = key_of("r");
		assert_int_equal(fp.counts.dirty, 0);
		assert_int_equal(fp.counts.absent, i == 0 ? 2 : 1);
		expect_one_key("r");
		/* a file outside the cone that is there all the same is read by a scan */
		sh("mkdir -p r/s; echo 1 >r/s/1");
		assert_string_not_equal(narrow, key_of("r"));
		expect_id_of("s/1", "1\n");
		expect_one_key("r");
		/* the same commit, all of it: another tree on disk, another key */
		sh("cd r; git sparse-checkout disable");
		assert_string_not_equal(narrow, key_of("r"));
		expect_like_git("r");
	}
}

static void test_untracked(void **state)
{
	(void)state;
	make_repo("");
	const char *clean = key_of("r");
	sh("cd r; echo '*.o' >.gitignore; git add .gitignore; git commit -qm i");
	const char *before = key_of("r");
	assert_string_not_equal(clean, before);
	/* git ignores it, a scan does not */
	sh("cd r; echo o >d/x.o; [ -z \"$(git status --porcelain)\" ]");
	const char *with = key_of("r");
	assert_string_not_equal(before, with);
	expect_flags("d/x.o", 0);
	assert_int_equal(fp.counts.untracked, 1);
	sh("cd r; echo p >d/x.o");
	assert_string_not_equal(with, key_of("r"));
	sh("cd r; rm d/x.o; mkdir -p empty/folders");
	assert_string_equal(before, key_of("r"));
	/* what is neither file nor folder nor link is nothing to scan */
	sh("mkfifo r/pipe");
	assert_string_equal(before, key_of("r"));
	/* a repository within is files like others, but for its .git */
	sh("git init -q r/nested; echo n >r/nested/n");
	assert_string_not_equal(before, key_of("r"));
	assert_int_equal(fp.counts.untracked, 1);
	expect_flags("nested/n", 0);
}

static const char *ignoring(const char *const *globs, size_t n)
{
	static char keys[4][FINGERPRINT_LEN + 1];
	static unsigned next;
	struct fingerprint_options o = { .source = "r", .ignore = globs, .nignore = n };
	char *key = keys[next++ % 4];

	take_with(&o);
	expect_usable();
	return memcpy(key, fp.whole, sizeof(fp.whole));
}

static void test_ignore_globs(void **state)
{
	static const char *const one[] = { "out/" }, *const two[] = { "*.log", "out/" },
				*const same[] = { "out/", "*.log", "out/" }, *const file[] = { "d/b" };

	(void)state;
	make_repo("");
	const char *plain = key_of("r"), *with = ignoring(one, 1);
	/* the globs are part of the key */
	assert_string_not_equal(plain, with);
	assert_string_not_equal(with, ignoring(two, 2));
	with = ignoring(two, 2);
	assert_string_equal(with, ignoring(same, 3));
	sh("cd r; mkdir -p d/out/deep; echo 1 >d/out/deep/1; echo 2 >d/x.log");
	assert_string_equal(with, ignoring(two, 2));
	assert_int_equal(fp.counts.ignored, 2);
	/* a file called out is not a folder called out */
	sh("cd r; echo 3 >d/e/out");
	assert_string_not_equal(with, ignoring(two, 2));
	sh("cd r; rm d/e/out");
	/* what is tracked counts whatever a glob says */
	with = ignoring(file, 1);
	sh("cd r; echo other >d/b");
	assert_string_not_equal(with, ignoring(file, 1));
	assert_true(listed("d/b"));
	/* a link that is left out does not make another one's way out unseen */
	sh("cd r; ln -s /etc d/etc.log; ln -s d/etc.log/passwd through");
	struct fingerprint_options o = { .source = "r", .ignore = two, .nignore = 2 };
	take_with(&o);
	assert_int_equal(fp.reason, FP_LINK_OUT);
	assert_non_null(strstr(fp.where, "through"));
	sh("cd r; rm through d/etc.log");
	/* without an index nothing is known to be untracked */
	sh("mv r/.git gone");
	ignoring(two, 2);
	assert_true(listed("d/x.log"));
}

static void test_links(void **state)
{
	static const struct {
		const char *make;
		bool leaves;
	} links[] = { { "ln -s ../r/a up", true }, { "ln -s /etc/passwd abs", true },
		{ "ln -s $PWD/a own", true }, { "ln -s .. d/root-of-tree", false },
		{ "ln -s ../.. d/above", true }, { "ln -s ../../.. d/e/above", true },
		{ "ln -s e/../../a d/fine", false }, { "ln -s nothing dangling", false },
		{ "ln -s round round", false }, { "ln -s .git/config config", true },
		{ "ln -s d/../.git/config config", true },
		/* through another link: d/far is the root, so far/.. is above it */
		{ "ln -s .. d/far; ln -s d/far/.. through", true },
		{ "ln -s d/e hop; ln -s hop/../b over", false },
		{ "ln -s d/e hop; ln -s hop/../../../x over", true },
		{ "ln -s '' e 2>/dev/null || :", false } };

	(void)state;
	for (size_t i = 0; i < COUNT(links); i++) {
		sh("rm -rf r");
		make_repo("");
		sh("cd r; %s", links[i].make);
		take("r");
		if ((fp.reason == FP_LINK_OUT) != links[i].leaves)
			fail_msg("%s: %s", links[i].make, fingerprint_reason_name(fp.reason));
		sh("cd r; git add -A; git commit -qm l || :; sleep 0.02; touch .git/index");
		take("r");
		assert_int_equal(fp.reason, links[i].leaves ? FP_LINK_OUT : FP_USABLE);
		if (links[i].leaves)
			assert_non_null(strstr(fp.where, "leads out of the tree"));
		else
			expect_like_git("r");
	}
}

static void test_submodules(void **state)
{
	(void)state;
	make_repo("");
	sh("git init -q sub; cd sub; echo s >s; mkdir q; echo q >q/q; git add .; git commit -qm s; cd ../r; "
	   "git -c protocol.file.allow=always submodule add -q ../sub sub; echo 1 >sub-; echo 2 >sub.c; "
	   "git add .; git commit -qm sub");
	const char *clean = key_of("r");
	assert_int_equal(fp.counts.dirty, 0);
	assert_int_equal(rec("sub").mode, MANIFEST_GITLINK);
	expect_flags("sub", MANIFEST_TRACKED);
	expect_flags("sub/q/q", MANIFEST_TRACKED);
	expect_id_of("sub/q/q", "q\n");
	/* changed in there: not the gitlink, the file */
	sh("cd r/sub; echo Q >q/q");
	const char *changed = key_of("r");
	assert_string_not_equal(clean, changed);
	expect_flags("sub/q/q", MANIFEST_TRACKED | MANIFEST_DIRTY);
	expect_flags("sub", MANIFEST_TRACKED);
	/* another commit there */
	sh("cd r/sub; git commit -qam more");
	const char *other = key_of("r");
	assert_string_equal(changed, other);
	expect_flags("sub", MANIFEST_TRACKED | MANIFEST_DIRTY);
	expect_flags("sub/q/q", MANIFEST_TRACKED);
	/* the gitlink names it */
	sh("cd r; git add sub");
	assert_string_not_equal(other, key_of("r"));
	expect_flags("sub", MANIFEST_TRACKED);
	/* untracked there */
	const char *before = key_of("r");
	sh("echo u >r/sub/u");
	assert_string_not_equal(before, key_of("r"));
	expect_flags("sub/u", 0);
	/* a conflict there is a conflict */
	sh("cd r/sub; git add u; git commit -qm u; git checkout -q -b side HEAD~1; echo v >u; git add u; "
	   "git commit -qm v; git merge -q - || :");
	expect_reason("r", FP_CONFLICT);
	assert_string_equal(fp.where, "sub/: u");
}

/* A submodule that is not checked out counts by the commit alone. */
static void test_empty_submodule(void **state)
{
	(void)state;
	test_submodules(state);
	sh("cd r; git -C sub merge --abort; git commit -qam x; cd ..; git clone -q r copy");
	const char *before = key_of("copy");
	assert_int_equal(fp.counts.dirty, 0);
	assert_int_equal(rec("sub").mode, MANIFEST_GITLINK);
	sh("cd copy; git update-index --cacheinfo 160000,$(git rev-parse HEAD),sub");
	assert_string_not_equal(before, key_of("copy"));
	sh("cd copy; rmdir sub");
	take("copy");
	expect_flags("sub", MANIFEST_TRACKED | MANIFEST_DIRTY);
	/* a file in its place */
	sh("cd copy; echo f >sub");
	take("copy");
	assert_int_equal(rec("sub").mode, MANIFEST_FILE);
	expect_flags("sub", MANIFEST_TRACKED | MANIFEST_DIRTY);
	/* an old-fashioned submodule, with its .git inside */
	sh("cd copy; rm sub; git init -q sub; cd sub; echo i >i; git add i; git commit -qm i");
	take("copy");
	expect_usable();
	expect_flags("sub/i", MANIFEST_TRACKED);
	/* files where nothing is checked out are nobody's */
	sh("cd copy; rm -rf sub; mkdir sub; echo stray >sub/stray");
	take("copy");
	expect_flags("sub/stray", 0);
}

static void test_linked_worktree(void **state)
{
	(void)state;
	make_repo("");
	sh("cd r; git worktree add -q ../w -b side; cd ../w; echo w >w; git add w; git commit -qm w");
	expect_like_git("w");
	assert_string_equal(fp.ref, "refs/heads/side");
	expect_like_git("r");
	assert_string_equal(fp.ref, "refs/heads/master");
	/* its index split: the shared half lies beside it, not in the repository's folder */
	sh("cd w; git config splitIndex.maxPercentChange 100; git update-index --split-index; echo n >n; "
	   "git add n; [ -e ../r/.git/worktrees/w/sharedindex.* ]");
	expect_like_git("w");
	sh("cd w; git commit -qm n");
	/* its settings */
	sh("cd r; git config extensions.worktreeConfig true; cd ../w; git config --worktree core.fileMode "
	   "false; "
	   "chmod +x w");
	take("w");
	assert_int_equal(fp.counts.dirty, 0);
	assert_int_equal(rec("w").mode, MANIFEST_EXEC);
	/* a container that has the work tree and not the repository */
	sh("mv r elsewhere");
	take("w");
	expect_usable();
	assert_false(fp.indexed);
}

/* The reason as a process sees it whom a file's mode concerns, be it root's. */
static int reason_without_privilege(const char *dir, const char *where)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct fingerprint_options o = { .source = dir };

		if (syscall(SYS_capset, &head, none) != 0 || fingerprint_take(&o, &fp, NULL) != 0)
			_exit(99);
		_exit(strncmp(fp.where, where, strlen(where)) == 0 ? (int)fp.reason : 98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_unreadable(void **state)
{
	(void)state;
	make_repo("");
	assert_int_equal(reason_without_privilege("r", ""), FP_USABLE);
	sh("echo u >r/u; chmod 0 r/u");
	assert_int_equal(reason_without_privilege("r", "u: Permission denied"), FP_UNREADABLE);
	sh("chmod 644 r/u; chmod 0 r/d/e");
	assert_int_equal(reason_without_privilege("r", "d/e: Permission denied"), FP_UNREADABLE);
	/* a folder that can be listed and not entered */
	sh("chmod 644 r/d/e");
	assert_int_equal(reason_without_privilege("r", "d/e/c: Permission denied"), FP_UNREADABLE);
	sh("chmod 755 r/d/e; chmod 0 r/.git/index");
	assert_int_equal(reason_without_privilege("r", "index: "), FP_UNREADABLE);
	sh("chmod 644 r/.git/index");
}

static void test_depth(void **state)
{
	char path[2 * 300 + 1] = "";

	(void)state;
	for (int i = 0; i < 300; i++)
		strcat(path, "d/");
	sh("mkdir -p t/%s; echo f >t/%sf", path, path);
	expect_reason("t", FP_LIMIT);
	path[2 * 200] = '\0';
	sh("rm -rf t; mkdir -p t/%s; echo f >t/%sf", path, path);
	take("t");
	expect_usable();
	assert_int_equal(fp.counts.files, 1);
}

/* Names in any order, of any bytes, and many of them in one folder. */
static void test_names(void **state)
{
	(void)state;
	sh("git init -q r; cd r; mkdir a 'a b' 'a.d' ' '; for i in $(seq 300); do echo $i >a/$((i * 7919 %% "
	   "1009)); "
	   "done; echo 1 >'a b/x'; echo 2 >a.d/y; echo 3 >a-; echo 4 >a0; echo 5 >\"$(printf 'n\\nl')\"; "
	   "echo 6 >\"$(printf '\\377\\001')\"; echo 7 >' /s'; echo 8 >'.gitx'; echo 9 >.gi; git add -A");
	expect_like_git("r");
	sh("cd r; git commit -qm n; rm -r a; echo f >a; mkdir a-x; echo g >a-x/g");
	expect_like_git("r");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hidden_changes, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_stat_settings, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_file_mode, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_racy, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_reads, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_conversion_gone, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_attributes_elsewhere, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_replaced, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_moves, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_smudged, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_sparse, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_untracked, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_ignore_globs, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_links, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_submodules, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_empty_submodule, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_linked_worktree, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_depth, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_names, git_setup, git_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
