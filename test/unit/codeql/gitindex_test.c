#include "../guard.h"
#include "base/buf.h"
#include "base/file.h"
#include "codeql/gitindex.h"
#include "git.h"

/* One entry as `git ls-files --stage --debug` shows it. */
static void print(const struct gitindex *ix, const struct gitindex_entry *e, struct buf *out)
{
	char id[OBJID_HEX_MAX];
	struct gitindex_stat s;

	gitindex_stat(e, &s);
	hex_encode(id, gitindex_id(e), objid_len(ix->format));
	buf_addf(out, "%06o %s %u\t%.*s\n", gitindex_mode(e), id, gitindex_stage(e), (int)e->len, e->path);
	buf_addf(out, "  ctime: %u:%u\n  mtime: %u:%u\n  dev: %u\tino: %u\n  uid: %u\tgid: %u\n", s.ctime_s,
	    s.ctime_ns, s.mtime_s, s.mtime_ns, s.dev, s.ino, s.uid, s.gid);
	unsigned flags = (e->flags & 0xf000u) | (unsigned)(e->more << 16);
	buf_addf(out, "  size: %u\tflags: %x\n", s.size, flags);
}

static void read_file(const char *path, struct buf *b)
{
	buf_init(b, GITINDEX_FILE_MAX);
	assert_int_equal(file_read(path, GITINDEX_FILE_MAX, false, b, NULL), 0);
}

/* Every field of every entry, in every version, with stages and flags. */
static void test_fields(void **state)
{
	static const char *const shapes[] = { ":", "git update-index --index-version 3",
		"git update-index --index-version 4", "git update-index --assume-unchanged a",
		"git update-index --skip-worktree d/b", "echo i >i; git add -N i",
		"git checkout -q -b s; echo 1 >d/b; git commit -qam 1; git checkout -q master; echo 2 >d/b; "
		"git commit -qam 2; git merge -q s || :",
		"n=$(printf 'x%%.0s' $(seq 250)); p=$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n/$n; git "
		"update-index "
		"--add --cacheinfo 100644,$(git rev-parse HEAD:a),$p; git update-index --add --cacheinfo "
		"100755,$(git rev-parse HEAD:a),${p}z" };

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++)
		for (int format = 0; format < 2; format++) {
			struct gitindex ix;
			struct buf b, ours;
			const char *why;

			sh("rm -rf r");
			make_repo(format ? "--object-format=sha256" : "");
			sh("cd r; %s", shapes[i]);
			read_file("r/.git/index", &b);
			struct span file = span_make(guard_put(buf_data(&b), buf_len(&b)), buf_len(&b));
			assert_true(gitindex_checksum_ok(file, (enum objid_format)format));
			assert_int_equal(gitindex_parse(&ix, file, (enum objid_format)format, &why),
			    GITINDEX_OK);
			buf_init(&ours, BUF_MAX_ANY);
			for (size_t k = 0; k < ix.n; k++)
				print(&ix, &ix.list[k], &ours);
			struct span theirs = output("git -C r ls-files --stage --debug");
			assert_true(ix.n >= 8);
			assert_string_equal(buf_cstr(&ours), theirs.p);
			free((void *)(uintptr_t)theirs.p);
			/* no prefix of it is taken, nor is it in the other format */
			for (size_t n = 0; n < buf_len(&b); n += n < 300 ? 1 : 37) {
				struct gitindex cut;
				struct span part = span_make(guard_put(buf_data(&b), n), n);

				/* twenty zeros within may look like the trailer of skipHash */
				bool sum = gitindex_checksum_ok(part, (enum objid_format)format);
				assert_true(gitindex_parse(&cut, part, (enum objid_format)format, &why) !=
				    GITINDEX_OK || !sum);
				gitindex_free(&cut);
			}
			assert_false(gitindex_checksum_ok(buf_span(&b), (enum objid_format)!format));
			gitindex_free(&ix);
			buf_free(&ours);
			buf_free(&b);
		}
}

/* Paths that would lead out of the tree, or to no file, as no git writes them. */
static void test_paths(void **state)
{
	static const char *const bad[] = { "/etc/x", "a/../b", "..", ".", "./a", "a//b", "a/", ".git",
		".git/config", "a/.git/b", ".GIT/x", "a/.GiT", "a/.", "" };
	static const char *const good[] = { "a", ".gitx", "a/.gitignore", "...", "a/..b", ".g" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad) + COUNT(good); i++) {
		const char *path = i < COUNT(bad) ? bad[i] : good[i - COUNT(bad)];
		uint8_t file[200] = "DIRC\0\0\0\2\0\0\0\1";
		size_t n = strlen(path), size = 12 + ((62 + n + 8) & ~(size_t)7) + SHA1_LEN;
		struct gitindex ix;
		const char *why;

		file[12 + 26] = 0x81;
		file[12 + 27] = 0xa4;
		file[12 + 61] = (uint8_t)n;
		memcpy(file + 12 + 62, path, n);
		enum gitindex_result rc =
		    gitindex_parse(&ix, span_make(guard_put(file, size), size), OBJID_SHA1, &why);
		if ((rc == GITINDEX_OK) != (i >= COUNT(bad)))
			fail_msg("'%s': %d %s", path, (int)rc, why);
		gitindex_free(&ix);
	}
}

/* Entries ascend by path, then by stage; nothing stands twice. */
static void test_order(void **state)
{
	static const struct {
		const char *paths;
		unsigned stages[2];
		bool good;
	} cases[] = { { "ab", { 0, 0 }, true }, { "ba", { 0, 0 }, false }, { "aa", { 0, 0 }, false },
		{ "aa", { 1, 2 }, true }, { "aa", { 3, 1 }, false } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t file[12 + 2 * 64 + SHA1_LEN] = "DIRC\0\0\0\2\0\0\0\2";
		struct gitindex ix;
		const char *why;

		for (int k = 0; k < 2; k++) {
			uint8_t *e = file + 12 + 64 * k;

			e[26] = 0x81;
			e[27] = 0xa4;
			e[60] = (uint8_t)(cases[i].stages[k] << 4);
			e[61] = 1;
			e[62] = (uint8_t)cases[i].paths[k];
		}
		enum gitindex_result rc = gitindex_parse(&ix,
		    span_make(guard_put(file, sizeof(file)), sizeof(file)), OBJID_SHA1, &why);
		assert_int_equal(rc, cases[i].good ? GITINDEX_OK : GITINDEX_DAMAGED);
		gitindex_free(&ix);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, git_setup, git_teardown),
		cmocka_unit_test_setup_teardown(test_paths, git_setup, git_teardown),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
