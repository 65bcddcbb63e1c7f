#include <fcntl.h>

#include "base/buf.h"
#include "base/file.h"
#include "codeql/indexfile.h"
#include "git.h"

static void read_into(const char *path, struct buf *b)
{
	buf_init(b, 1 << 20);
	assert_int_equal(file_read(path, 1 << 20, false, b, NULL), 0);
}

static void write_index(const void *p, size_t n)
{
	int fd = open("r/.git/index", O_WRONLY | O_TRUNC | O_CREAT, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, p, n), 0);
	close(fd);
}

/* Put the right checksum behind what the test made of an index. */
static void seal(struct buf *b)
{
	struct objid_hash h;
	uint8_t id[OBJID_MAX];
	size_t n = buf_len(b) - SHA1_LEN;

	objid_start(&h, OBJID_SHA1);
	objid_add(&h, buf_data(b), n);
	objid_out(&h, id);
	memcpy(buf_data(b) + n, id, SHA1_LEN);
}

struct damage {
	const char *name, *make;
	bool zero;		/* the trailer is of zeros: nothing but the structure speaks */
};

static const struct damage kinds[] = {
	{ "v2", ":", false },
	{ "v3", "echo s >d/s; git add d/s; git update-index --skip-worktree d/s", false },
	{ "v4", "git update-index --index-version 4", false },
	{ "v2, skipHash", ":", true },
	{ "v4, skipHash", "git update-index --index-version 4", true },
	{ "split",
	    "git config splitIndex.maxPercentChange 100; git update-index "
	    "--split-index; echo A >a; git add a; echo n >d/n; git rm -q --cached d.c; git add d/n",
	    false },
	{ "split, skipHash",
	    "git config splitIndex.maxPercentChange 100; git update-index "
	    "--split-index; echo A >a; git add a; echo n >d/n; git rm -q --cached d.c; git add d/n",
	    true },
};

/*
 * The tree on disk is what it is: whatever the index has become, either there is no key, or it is the key of
 * this tree, or (where an id was hit) one that no tree has. Never that of another tree, and never a crash.
 */
static void expect_no_lie(const char *what, size_t at, const char *key, bool sealed, size_t *kept)
{
	struct fingerprint_options o = { .source = "r" };

	take_with(&o);
	if (fp.reason != FP_USABLE || strcmp(fp.whole, key) == 0) {
		*kept += fp.reason == FP_USABLE;
		return;
	}
	if (!sealed)
		fail_msg("%s, byte %zu: another key though the checksum is wrong", what, at);
	/* another key: then exactly one file's id is not that of its bytes, which no tree on disk can bring
	 * about */
	char got[FINGERPRINT_LEN + 1];
	size_t wrong = 0;
	struct manifest *lie = fp.manifest;

	memcpy(got, fp.whole, sizeof(got));
	fp.manifest = NULL;
	o.read_all = true;
	take_with(&o);
	expect_usable();
	assert_string_equal(fp.whole, key);
	wrong = manifest_diff(lie, fp.manifest, false, NULL, NULL);
	manifest_free(lie);
	if (wrong != 1)
		fail_msg("%s, byte %zu: %zu records differ", what, at, wrong);
}

static void flip_all(const struct damage *d, const char *key, bool reseal)
{
	struct buf good, bad;
	size_t kept = 0;

	read_into("r/.git/index", &good);
	for (size_t i = 0; i < buf_len(&good); i++) {
		buf_init(&bad, 1 << 20);
		buf_addspan(&bad, buf_span(&good));
		buf_data(&bad)[i] ^= (uint8_t)(1u << i % 8);
		if (reseal && i < buf_len(&good) - SHA1_LEN)
			seal(&bad);
		write_index(buf_data(&bad), buf_len(&bad));
		expect_no_lie(d->name, i, key, reseal || d->zero, &kept);
		if (!reseal && !d->zero)
			assert_int_equal(fp.reason, FP_DAMAGED);
		buf_free(&bad);
	}
	/* most bytes are stat data, whose loss costs a read and nothing else */
	if (reseal || d->zero)
		if (kept <= buf_len(&good) / 4)
			fail_msg("%s: %zu of %zu kept the key", d->name, kept, buf_len(&good));
	write_index(buf_data(&good), buf_len(&good));
	buf_free(&good);
}

static void cut_all(const struct damage *d)
{
	struct buf good;

	read_into("r/.git/index", &good);
	for (size_t n = 0; n < buf_len(&good); n++) {
		write_index(buf_data(&good), n);
		expect_reason("r", FP_DAMAGED);
	}
	(void)d;
	write_index(buf_data(&good), buf_len(&good));
	buf_free(&good);
}

/* A short index, so that each byte can have its turn. */
static void make_small(const struct damage *d)
{
	sh("rm -rf r; git init -q r; cd r; mkdir d; echo a >a; echo b >d/b; echo c >d.c; chmod +x a; "
	   "touch -d 2026-01-01 a d/b d.c; git add .; git commit -qm s; %s; %s sleep 0.02; touch .git/index",
	    d->make, d->zero ? NO_HASH : "");
}

static void test_damage(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		make_small(&kinds[i]);
		char key[FINGERPRINT_LEN + 1];

		memcpy(key, key_of("r"), sizeof(key));
		flip_all(&kinds[i], key, false);
		assert_string_equal(key, key_of("r"));
		if (!kinds[i].zero)
			cut_all(&kinds[i]);
	}
}

/* The same with a checksum that fits: only the parser stands between. */
static void test_damage_sealed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (kinds[i].zero)
			continue;
		make_small(&kinds[i]);
		char key[FINGERPRINT_LEN + 1];

		memcpy(key, key_of("r"), sizeof(key));
		flip_all(&kinds[i], key, true);
	}
}

static void test_shared_damage(void **state)
{
	struct buf good;
	char name[256];

	(void)state;
	make_small(&kinds[5]);
	struct span found = output("cd r; printf r/; git rev-parse --shared-index-path | tr -d '\\n'");
	assert_true(span_copy(name, sizeof(name), found));
	free((void *)(uintptr_t)found.p);
	read_into(name, &good);
	const char *key = key_of("r");
	for (size_t i = 0; i < buf_len(&good); i++) {
		buf_data(&good)[i] ^= 1;
		assert_int_equal(file_write(AT_FDCWD, name, 0644, false, buf_data(&good), buf_len(&good),
				     NULL),
		    0);
		expect_reason("r", FP_DAMAGED);
		buf_data(&good)[i] ^= 1;
	}
	assert_int_equal(file_write(AT_FDCWD, name, 0644, false, buf_data(&good), buf_len(&good), NULL), 0);
	assert_string_equal(key, key_of("r"));
	/* one that is sound and another */
	sh("git init -q other; cd other; echo o >o; git add o; git update-index --split-index; "
	   "cp .git/sharedindex.* ../%s", name);
	expect_reason("r", FP_DAMAGED);
	assert_string_equal(fp.where, "index: its shared index is another one");
	unlink(name);
	expect_reason("r", FP_DAMAGED);
	buf_free(&good);
}

/* What cannot be decided is said, by name. */
static void test_reasons(void **state)
{
	static const struct {
		const char *make;
		enum fingerprint_reason reason;
		const char *where;
	} cases[] = {
		{ "git checkout -q -b s; echo 1 >d/b; git commit -qam 1; git checkout -q master; echo 2 "
		  ">d/b; "
		  "git commit -qam 2; git merge -q s || :",
		    FP_CONFLICT, "index: d/b" },
		{ "echo n >n; git add -N n", FP_INTENT, "index: n" },
		{ "git config core.repositoryformatversion 2", FP_FORMAT, ".git" },
		{ "git config core.repositoryformatversion 1; git config extensions.strange true", FP_FORMAT,
		    ".git" },
		{ "git config core.repositoryformatversion 1; git config extensions.objectFormat md5",
		    FP_FORMAT, ".git" },
		{ "git config core.worktree ../elsewhere; mkdir ../elsewhere", FP_WORKTREE, ".git" },
		{ "echo '[core' >>.git/config", FP_FORMAT, ".git" },
		{ "printf x >>.git/index", FP_DAMAGED, "index: its checksum is wrong" },
		{ ": >.git/index", FP_DAMAGED, "index" },
		{ "rm .git/index; mkdir .git/index", FP_UNREADABLE, "index" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		sh("rm -rf r elsewhere");
		make_repo("");
		sh("cd r; %s", cases[i].make);
		take("r");
		if (fp.reason != cases[i].reason ||
		    strncmp(fp.where, cases[i].where, strlen(cases[i].where)) != 0)
			fail_msg("%s: %s (%s)", cases[i].make, fingerprint_reason_name(fp.reason), fp.where);
		assert_string_equal(fp.whole, "");
	}
	/* core.worktree that names this very folder is no harm */
	sh("rm -rf r");
	make_repo("");
	sh("cd r; git config core.worktree $PWD");
	expect_like_git("r");
}

/* Headers and extensions of another make, with a checksum that fits. */
static void test_foreign(void **state)
{
	static const struct {
		const char *ext;
		enum fingerprint_reason reason;
	} cases[] = { { "XXXX", FP_USABLE }, { "xxxx", FP_EXTENSION }, { "fsmx", FP_EXTENSION },
		{ "_abc", FP_EXTENSION } };
	struct buf good;

	(void)state;
	make_small(&kinds[0]);
	read_into("r/.git/index", &good);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b;

		buf_init(&b, 1 << 20);
		buf_add(&b, buf_data(&good), buf_len(&good) - SHA1_LEN);
		buf_adds(&b, cases[i].ext);
		buf_add(&b, "\0\0\0\3abc", 7);
		buf_add(&b, (uint8_t[SHA1_LEN]){ 0 }, SHA1_LEN);
		seal(&b);
		write_index(buf_data(&b), buf_len(&b));
		take("r");
		assert_int_equal(fp.reason, cases[i].reason);
		buf_free(&b);
	}
	for (unsigned v = 0; v < 256; v++) {
		buf_data(&good)[7] = (uint8_t)v;
		seal(&good);
		write_index(buf_data(&good), buf_len(&good));
		take("r");
		if (v < 2 || v > 4)
			assert_int_equal(fp.reason, FP_VERSION);
		else if (v == 4)
			assert_int_equal(fp.reason, FP_DAMAGED);
	}
	buf_free(&good);
}

/* Each datum by itself can tell a file from the one git saw; and so does the tick of the index. */
static void test_fresh(void **state)
{
	static struct indexfile x;
	struct gitrepo repo = { 0 };
	enum fingerprint_reason reason;
	struct span where;
	struct stat good;

	(void)state;
	sh("git init -q r; cd r; echo a >a; : >empty; git add .; sleep 0.02; touch .git/index");
	snprintf(repo.gitdir, sizeof(repo.gitdir), "r/.git");
	assert_int_equal(indexfile_read(&x, &repo, &reason, &where, NULL), 0);
	assert_int_equal(reason, FP_USABLE);
	const struct gitindex_entry *e = &x.index.list[0];
	assert_int_equal(lstat("r/a", &good), 0);
	assert_true(indexfile_fresh(&x, e, &good));
	for (int i = 0; i < 10; i++) {
		struct stat st = good;

		st.st_mtim.tv_sec += i == 0;
		st.st_mtim.tv_nsec ^= i == 1;
		st.st_ctim.tv_sec -= i == 2;
		st.st_ctim.tv_nsec ^= i == 3;
		st.st_ino += i == 4;
		st.st_uid += i == 5;
		st.st_gid += i == 6;
		st.st_size += i == 7;
		if (i == 8)
			st.st_mode = (st.st_mode & 07777) | S_IFLNK;
		/* neither the device nor anything but the type */
		st.st_dev += i == 9;
		st.st_mode ^= i == 9 ? 0111 : 0;
		assert_int_equal(indexfile_fresh(&x, e, &st), i == 9);
	}
	/* the index in the tick of either time, before and after it */
	struct timespec mtime = good.st_mtim, ctime = good.st_ctim, later = ctime;
	later.tv_sec++;
	x.written = ctime;
	assert_false(indexfile_fresh(&x, e, &good));
	x.written = mtime;
	assert_false(indexfile_fresh(&x, e, &good));
	x.written = later;
	assert_true(indexfile_fresh(&x, e, &good));
	x.written = ctime;
	x.written.tv_nsec += x.written.tv_nsec < 999999999;
	assert_true(indexfile_fresh(&x, e, &good) || ctime.tv_nsec == 999999999);
	x.written = ctime;
	x.written.tv_sec--;
	assert_false(indexfile_fresh(&x, e, &good));
	/* times of whole seconds say less */
	uint8_t raw[128];
	memcpy(raw, e->raw, 62);
	memset(raw + 4, 0, 4);
	memset(raw + 12, 0, 4);
	struct gitindex_entry coarse = { .raw = raw, .path = "a", .len = 1 };
	good.st_ctim.tv_nsec = good.st_mtim.tv_nsec = 0;
	x.written = (struct timespec){ .tv_sec = good.st_ctim.tv_sec, .tv_nsec = 5 };
	assert_false(indexfile_fresh(&x, &coarse, &good));
	x.written.tv_sec++;
	assert_true(indexfile_fresh(&x, &coarse, &good));
	/* a size of zero is believed of the empty blob alone */
	memset(raw + 36, 0, 4);
	good.st_size = 0;
	assert_false(indexfile_fresh(&x, &coarse, &good));
	memcpy(raw + 40, x.empty, SHA1_LEN);
	assert_true(indexfile_fresh(&x, &coarse, &good));
	/* an entry of the shared half is as old as that */
	buf_add(&x.shared_bytes, raw, sizeof(raw));
	coarse.raw = buf_data(&x.shared_bytes);
	x.shared_written = x.written;
	assert_true(indexfile_fresh(&x, &coarse, &good));
	x.shared_written.tv_sec--;
	assert_false(indexfile_fresh(&x, &coarse, &good));
	indexfile_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_damage, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_damage_sealed, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_shared_damage, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_reasons, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_foreign, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_fresh, git_setup, git_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
