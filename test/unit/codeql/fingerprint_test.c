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
		{ "",
		    "git config splitIndex.maxPercentChange 100; git update-index --split-index; echo n "
		    ">new; git add new; git rm -q --cached d.c; echo "
		    "9 >z;"
		    " git add z" },
		{ "",
		    "git config splitIndex.maxPercentChange 100; git update-index --index-version 4; "
		    "git update-index --split-index; echo n >0new; git add 0new" },
		{ "--object-format=sha256",
		    "git config splitIndex.maxPercentChange 100; git update-index --split-index; echo n "
		    ">d/new; git add d/new" },
		{ "", "git add new; " NO_HASH },
		{ "",
		    "git config splitIndex.maxPercentChange 100; git update-index --index-version 4; "
		    "git update-index --split-index; git add new; " NO_HASH },
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
		sh("cd r; echo A >a; rm d/b; mkdir d/dir; echo n >d/dir/n; touch d/e/c; chmod +x d-y; ln -sf "
		   "z link");
		expect_like_git("r");
		sh("cd r; touch -d '2026-01-01' a z d/empty; rm -r d; echo file >d");
		expect_like_git("r");
	}
}

/* What the header promises: SHA-256 over fields and records. Made by test data alone, with Python. */
static void test_known_key(void **state)
{
	(void)state;
	sh("mkdir -p t/d; printf 'hello\\n' >t/a; printf '#!/bin/sh\\n' >t/d/run; chmod 755 t/d/run; ln -s "
	   "../a t/d/l");
	chmod("t/a", 0644);
	take("t");
	expect_usable();
	assert_false(fp.indexed);
	assert_string_equal(fp.whole, "0f5c3664e45ee6c56c7625c0f787d59db1ce5c83eb9538aa70080fe57ab07ac7");
}

/* A tree that has one of each input of a scan. */
#define EVERY_INPUT                                                                                          \
	"mkdir -p src .github/workflows .github/codeql/extensions/x .mvn .cargo gradle docs vendor tool; "   \
	"for f in src/a.py src/a.js src/A.java src/a.go src/a.rs src/a.swift src/a.c src/a.h src/a.inc "     \
	"src/A.cs "                                                                                          \
	"src/a.rb src/a.kt src/a.kts src/a.ts src/a.mjs src/a.hxx src/page.html src/view.erb src/a.vue "     \
	"src/a.xml "                                                                                         \
	"src/app.config src/a.properties src/a.json src/a.yaml src/a.sql src/query.ql src/lib.qll "          \
	"src/suite.qls "                                                                                     \
	"qlpack.yml codeql-pack.lock.yml .github/codeql/codeql-config.yml "                                  \
	".github/codeql/extensions/x/model.yml "                                                             \
	".github/codeql/notes.md .github/workflows/codeql.yml action.yml .gitmodules .gitattributes "        \
	".gitignore "                                                                                        \
	"CMakeLists.txt Makefile configure meson.build conanfile.txt vcpkg.json compile_commands.json "      \
	"go.mod go.sum "                                                                                     \
	"go.work pom.xml build.gradle gradle/libs.versions.toml .mvn/jvm.config package.json tsconfig.json " \
	".eslintrc "                                                                                         \
	"package-lock.json setup.py setup.cfg pyproject.toml requirements.txt requirements-dev.txt Pipfile " \
	"poetry.lock "                                                                                       \
	"Gemfile Gemfile.lock Rakefile Cargo.toml Cargo.lock .cargo/config.toml build.rs Package.swift "     \
	"app.csproj "                                                                                        \
	"app.sln nuget.config global.json Directory.Build.props vendor/lib.js unknown.xyz noextension; do "  \
	"echo $f >$f; done; printf '#!/usr/bin/env node\n' >tool/script; printf '#!/bin/sh\n' >tool/run; "   \
	"chmod +x tool/run; ln -s ../src/a.py tool/link; for f in README.md docs/a.rst docs/logo.png "       \
	"docs/a.pdf "                                                                                        \
	"docs/a.txt docs/font.woff2; do echo $f >$f; done; "

static const char *const languages[] = { "actions", "c-cpp", "csharp", "go", "java-kotlin",
	"javascript-typescript", "python", "ruby", "rust", "swift" };

static const char *narrow_key(const char *dir, const char *language, bool built)
{
	static char keys[8][FINGERPRINT_LEN + 1];
	static unsigned next;
	struct span name = span_of(language);
	struct fingerprint_options o = { .source = dir, .languages = &name, .nlanguages = 1, .built = built };
	char *key = keys[next++ % 8];

	take_with(&o);
	expect_usable();
	return memcpy(key, fp.narrow, sizeof(fp.narrow));
}

/* Every input of a scan that lies in the tree is changed, one at a time, and each must change the whole key.
 */
static void test_mutations(void **state)
{
	char key[FINGERPRINT_LEN + 1];

	(void)state;
	sh("git init -q r; cd r; " EVERY_INPUT "git add -f .; git commit -qm all");
	memcpy(key, key_of("r"), sizeof(key));
	struct span list = output("cd r; git ls-files -z"), rest = list, path;
	size_t n = 0;
	while (span_cut(&rest, '\0', &path)) {
		static const char *const ways[] = { "printf x >>'%s'", "rm '%s'", "mv '%s' '%s.renamed'",
			"chmod +x '%s'; chmod -x tool/run" };

		for (size_t i = 0; path.n > 0 && i < COUNT(ways); i++) {
			char command[512];

			snprintf(command, sizeof(command), ways[i], path.p, path.p);
			/* a link's target is the file that was changed: its own text is what counts */
			if (span_eq(path, "tool/link") && i != 1)
				snprintf(command, sizeof(command), "ln -sfn ../src/a%zu tool/link", i);
			sh("cd r; %s", command);
			if (strcmp(key_of("r"), key) == 0)
				fail_msg("%s changed nothing", command);
			assert_true(fp.counts.dirty > 0);
			sh("cd r; git checkout -q -f .; git clean -qfdx; chmod +x tool/run");
			n++;
		}
	}
	assert_string_equal(key, key_of("r"));
	assert_true(n > 300);
	free((void *)(uintptr_t)list.p);
	static const char *const more[] = { "echo new >src/new.py", "echo new >src/new.unknown",
		"mkdir g; echo 1 >g/.1", "ln -s a.py src/second", "cp -a src src2", "mv src/a.py src/b.py",
		"echo 1 >docs/unseen.md" };
	for (size_t i = 0; i < COUNT(more); i++) {
		sh("cd r; %s", more[i]);
		assert_string_not_equal(key, key_of("r"));
		sh("cd r; git checkout -q -f .; git clean -qfdx");
		assert_string_equal(key, key_of("r"));
	}
}

/* What a language's scan reads changes its key too; what the deny list names does not. */
static void test_narrow_mutations(void **state)
{
	static const struct {
		const char *language, *counts, *denied;
	} cases[] = {
		{ "python",
		    "src/a.py tool/script tool/run noextension setup.py requirements-dev.txt pyproject.toml "
		    ".gitattributes .gitmodules src/query.ql .github/codeql/notes.md unknown.xyz src/a.sql "
		    ".github/workflows/codeql.yml src/a.inc Pipfile",
		    "README.md docs/a.rst docs/a.txt docs/logo.png src/A.java src/a.go src/a.js src/a.c "
		    "src/a.rb" },
		{ "javascript-typescript",
		    "src/a.js src/a.ts src/a.mjs src/page.html src/a.vue src/a.json src/a.xml "
		    "tool/script .eslintrc package.json tsconfig.json src/a.yaml noextension",
		    "README.md docs/font.woff2 src/a.py src/A.java src/a.rs docs/a.pdf" },
		{ "ruby", "src/a.rb src/view.erb Gemfile Gemfile.lock Rakefile",
		    "src/a.py README.md src/a.js" },
		{ "java-kotlin",
		    "src/A.java src/a.kt src/a.kts pom.xml build.gradle gradle/libs.versions.toml "
		    "src/a.properties src/a.xml docs/a.txt .mvn/jvm.config src/a.js",
		    "README.md src/a.py docs/logo.png" },
		{ "csharp",
		    "src/A.cs app.csproj app.sln nuget.config src/app.config docs/a.txt "
		    "Directory.Build.props",
		    "README.md src/A.java" },
		{ "actions",
		    ".github/workflows/codeql.yml action.yml .github/codeql/notes.md src/a.yaml noextension",
		    "README.md src/a.py src/a.js src/A.java" },
		/* a compiler may open any file */
		{ "c-cpp", "src/a.c src/a.inc README.md docs/logo.png src/a.py Makefile", "" },
		{ "go", "src/a.go go.mod README.md docs/a.txt src/page.html", "" },
		{ "rust", "src/a.rs README.md docs/logo.png Cargo.toml", "" },
		{ "swift", "src/a.swift Package.swift README.md", "" },
		{ "klingon", "README.md src/a.py", "" },
	};

	(void)state;
	sh("git init -q r; cd r; " EVERY_INPUT "rm tool/link; git add -f .; git commit -qm all");
	for (size_t i = 0; i < COUNT(cases); i++) {
		char key[FINGERPRINT_LEN + 1];
		struct span lists[2] = { span_of(cases[i].counts), span_of(cases[i].denied) }, path;

		memcpy(key, narrow_key("r", cases[i].language, false), sizeof(key));
		for (int denied = 0; denied < 2; denied++)
			while (span_cut(&lists[denied], ' ', &path)) {
				if (path.n == 0)
					continue;
				sh("cd r; printf x >>%.*s", (int)path.n, path.p);
				bool same = strcmp(key, narrow_key("r", cases[i].language, false)) == 0;
				if (same != denied)
					fail_msg("%s: %.*s", cases[i].language, (int)path.n, path.p);
				/* a build may read it */
				sh("cd r; git checkout -q -f .");
			}
		assert_string_equal(key, narrow_key("r", cases[i].language, false));
		char built[FINGERPRINT_LEN + 1];
		memcpy(built, narrow_key("r", cases[i].language, true), sizeof(built));
		assert_int_equal(fp.counts.denied, 0);
		assert_string_not_equal(built, key);
		sh("cd r; printf x >>README.md");
		assert_string_not_equal(built, narrow_key("r", cases[i].language, true));
		sh("cd r; git checkout -q -f .");
		/* what can be run, or is a link, is not prose */
		sh("cd r; chmod +x README.md");
		assert_string_not_equal(key, narrow_key("r", cases[i].language, false));
		sh("cd r; git checkout -q -f .; ln -sf a.rst docs/a.txt");
		assert_string_not_equal(key, narrow_key("r", cases[i].language, false));
		sh("cd r; git checkout -q -f .");
	}
}

static void test_language_sets(void **state)
{
	struct span two[] = { span_of("python"), span_of("ruby") },
		    turned[] = { span_of("ruby"), span_of("python") };
	struct fingerprint_options o = { .source = "r", .languages = two, .nlanguages = 2 };
	char key[FINGERPRINT_LEN + 1], whole[FINGERPRINT_LEN + 1];

	(void)state;
	sh("git init -q r; cd r; " EVERY_INPUT "rm tool/link; git add -f .; git commit -qm all");
	take_with(&o);
	memcpy(key, fp.narrow, sizeof(key));
	memcpy(whole, fp.whole, sizeof(whole));
	assert_string_not_equal(key, whole);
	o.languages = turned;
	take_with(&o);
	assert_string_equal(fp.narrow, key);
	assert_string_equal(fp.whole, whole);
	/* relevant to one of the two */
	sh("echo more >>r/src/a.py");
	take_with(&o);
	assert_string_not_equal(fp.narrow, key);
	sh("cd r; git checkout -q .; echo more >>src/A.java");
	take_with(&o);
	assert_string_equal(fp.narrow, key);
	assert_string_not_equal(fp.whole, whole);
	/* another language, another key, whatever is denied; an alias is the same */
	for (size_t i = 0; i < COUNT(languages); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(narrow_key("r", languages[i], false),
			    narrow_key("r", languages[j], false));
	assert_string_equal(narrow_key("r", "typescript", false),
	    narrow_key("r", "javascript-typescript", false));
	assert_string_equal(narrow_key("r", "kotlin", false), narrow_key("r", "java", false));
	/* a path that the configuration names counts whatever its kind */
	static const char *const always[] = { "docs/", "README.md" };
	sh("cd r; git checkout -q .");
	o.always = always;
	o.nalways = 2;
	take_with(&o);
	assert_true(fp.counts.denied > 0);
	memcpy(key, fp.narrow, sizeof(key));
	sh("echo more >>r/docs/a.rst");
	take_with(&o);
	assert_string_not_equal(fp.narrow, key);
	/* a link may name any file */
	sh("cd r; git checkout -q .; ln -s ../docs/a.txt src/b.py");
	take_with(&o);
	assert_int_equal(fp.counts.denied, 0);
	memcpy(key, fp.narrow, sizeof(key));
	sh("echo more >>r/docs/a.txt");
	take_with(&o);
	assert_string_not_equal(fp.narrow, key);
}

/* What cannot matter to a scan. */
static void test_no_effect(void **state)
{
	static const char *const same[] = {
		"find r -path r/.git -prune -o -type f -exec touch {} +",
		"find r -exec touch -h -d 2020-02-02 {} +",
		"git clone -q r copy; rm -rf r; mv copy r",
		"git clone -q --depth 1 file://$PWD/r copy; rm -rf r; mv copy r",
		"mkdir -p other/path; mv r other/path/r; ln -s other/path/r r; rm r; mv other/path/r r",
		"cp -a r copy; rm -rf r; mv copy r",
		"cp -r --preserve=mode,links r copy; rm -rf r; mv copy r",
		"tar cf t.tar r; rm -rf r; tar xf t.tar; rm t.tar",
		"git -C r commit -q --allow-empty -m empty",
		"git -C r checkout -q -b branch",
		"git -C r checkout -q --detach",
		"git -C r gc -q",
		"rm r/.git/index; "
		"git -C r reset -q",
		"git -C r update-index --index-version 4",
		"git -C r status",
		"chmod -R g+w,o-r r; chmod -R g-w,o+r r",
		"mkdir r/empty",
		"umask 077; cp -r r copy; rm -rf r; mv copy r",
		"cd r; git mv src/a.py src/x.py; git commit -qm away; git mv src/x.py src/a.py; git commit "
		"-qm back",
		"cd r; printf x >>src/a.py; git commit -qam more; git revert --no-edit HEAD",
		"rm -rf r/.git",
	};
	char key[FINGERPRINT_LEN + 1];

	(void)state;
	sh("git init -q r; cd r; " EVERY_INPUT "git add -f .; git commit -qm all");
	memcpy(key, key_of("r"), sizeof(key));
	for (size_t i = 0; i < COUNT(same); i++) {
		sh("%s", same[i]);
		if (strcmp(key, key_of("r")) != 0)
			fail_msg("changed by: %s", same[i]);
		assert_int_equal(fp.counts.dirty, 0);
		/* and again, while the index is of the same tick */
		assert_string_equal(key, key_of("r"));
	}
	if (geteuid() == 0) {
		sh("cp -a r mine; chown -R 12345:54321 mine");
		assert_string_equal(key, key_of("mine"));
	}
	/* from within, and below */
	assert_int_equal(chdir("r/src"), 0);
	assert_string_equal(key, key_of("../"));
	assert_int_equal(chdir("../.."), 0);
}

/* ---- HEAD and the root of TREE ---- */

static void expect_head(const char *dir)
{
	struct span id = output("git -C %s rev-parse HEAD | tr -d '\n'", dir);
	struct span ref = output("git -C %s symbolic-ref -q HEAD | tr -d '\n'", dir);

	take(dir);
	assert_true(span_eq(id, fp.commit));
	assert_true(span_eq(ref, fp.ref));
	free((void *)(uintptr_t)id.p);
	free((void *)(uintptr_t)ref.p);
}

static void test_labels(void **state)
{
	(void)state;
	make_repo("");
	expect_head("r");
	sh("cd r; git checkout -q -b feature/deep; git pack-refs --all; git tag -a -m t v1; git pack-refs "
	   "--all");
	expect_head("r");
	sh("cd r; git commit -q --allow-empty -m loose-again");
	expect_head("r");
	sh("cd r; git checkout -q --detach");
	expect_head("r");
	sh("cd r; git symbolic-ref refs/heads/alias refs/heads/master; git symbolic-ref HEAD "
	   "refs/heads/alias");
	take("r");
	assert_string_equal(fp.ref, "refs/heads/master");
	assert_int_equal(strlen(fp.commit), 40);
	/* as actions/checkout leaves it */
	sh("git -C r checkout -q master; git init -q co; cd co; git fetch -q --depth 1 ../r "
	   "+refs/heads/master:refs/remotes/pull/7/merge; git checkout -q --force refs/remotes/pull/7/merge");
	expect_head("co");
	assert_int_equal(fp.root, FP_TREE_VALID);
	struct span tree = output("git -C co rev-parse 'HEAD^{tree}' | tr -d '\n'");
	assert_true(span_eq(tree, fp.tree));
	free((void *)(uintptr_t)tree.p);
	/* what is staged */
	sh("cd co; echo staged >d/b; git add d/b");
	take("co");
	assert_int_equal(fp.root, FP_TREE_INVALID);
	assert_string_equal(fp.tree, "");
	assert_int_equal(fp.counts.dirty, 0);
	sh("cd co; rm .git/index; git update-index --add a");
	take("co");
	assert_int_equal(fp.root, FP_TREE_MISSING);
	/* no commit yet */
	sh("rm -rf r; git init -q r; echo f >r/f");
	take("r");
	expect_usable();
	assert_true(fp.indexed);
	assert_string_equal(fp.commit, "");
	assert_string_equal(fp.ref, "refs/heads/master");
	assert_int_equal(fp.counts.untracked, 1);
	/* refs in a form that is not read: as git 3 makes it, by its description */
	sh("cd r; git add f; git commit -qm f; git config core.repositoryformatversion 1; git config "
	   "extensions.refStorage reftable; echo 'ref: refs/heads/.invalid' >.git/HEAD");
	take("r");
	expect_usable();
	assert_true(fp.reftable);
	assert_string_equal(fp.commit, "");
	assert_string_equal(fp.ref, "");
}

/* A file outside the tree joins by its label and bytes. */
static void test_extra(void **state)
{
	struct fingerprint_extra x = { .label = "config", .path = "outside.yml" };
	struct fingerprint_options o = { .source = "r", .extra = &x, .nextra = 1 };
	char key[FINGERPRINT_LEN + 1];

	(void)state;
	make_repo("");
	const char *plain = key_of("r");
	sh("echo 1 >outside.yml");
	take_with(&o);
	memcpy(key, fp.whole, sizeof(key));
	assert_string_not_equal(key, plain);
	sh("mv outside.yml elsewhere.yml");
	x.path = "elsewhere.yml";
	take_with(&o);
	assert_string_equal(key, fp.whole);
	sh("echo 2 >elsewhere.yml");
	take_with(&o);
	assert_string_not_equal(key, fp.whole);
	x.path = "nowhere.yml";
	take_with(&o);
	assert_int_equal(fp.reason, FP_UNREADABLE);
	assert_string_equal(fp.whole, "");
}

static void test_no_folder(void **state)
{
	struct fingerprint_options o = { .source = "nowhere" };
	struct err e;

	(void)state;
	err_init(&e);
	assert_int_equal(fingerprint_take(&o, &fp, &e), ERR_NOTFOUND);
	assert_string_equal(e.msg, "nowhere is not a folder: name the checkout with --source");
	assert_null(fp.manifest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shapes, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_known_key, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_mutations, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_narrow_mutations, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_language_sets, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_no_effect, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_labels, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_extra, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_no_folder, git_setup, git_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
