#include <time.h>

#include "folder.h"

/* SHA-256 of KEY by Python */
#define KEY_HEX "f645f47cce89b45b7e4423ceb0ba9352"
#define FILE1 "s/get_repo_info-" KEY_HEX "-00112233.json"
#define FILE2 "s/get_repo_info-" KEY_HEX "-ffeeddcc.json"
#define LAST "s/last/" KEY_HEX

/* ---- opening ---- */

static void test_open_makes(void **state)
{
	struct store *s = NULL;
	struct stat st;
	struct err e;

	(void)state;
	umask(0);
	assert_int_equal(store_open("a/b/c", &s, NULL), 0);
	umask(022);
	assert_string_equal(store_path(s), "a/b/c");
	assert_false(store_is_read_only(s));
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	store_free(s);
	store_free(NULL);
	/* ours, but others could write */
	assert_int_equal(mkdir("loose", 0777), 0);
	assert_int_equal(chmod("loose", 0777), 0);
	assert_int_equal(store_open("loose", &s, NULL), 0);
	assert_int_equal(stat("loose", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	store_free(s);
	write_text("file", "x");
	err_init(&e);
	assert_int_equal(store_open("file", &s, &e), ERR_IO);
	assert_null(s);
	assert_non_null(strstr(e.msg, "file"));
	assert_int_equal(store_open("file/below", &s, NULL), ERR_IO);
	assert_null(s);
}

static int open_denied(void *path)
{
	struct store *s = NULL;
	struct err e;

	CHECK(!be_nobody());
	err_init(&e);
	CHECK(store_open(path, &s, &e) == ERR_DENIED);
	CHECK(s == NULL && strstr(e.msg, path) != NULL);
	return 0;
}

static void test_open_refuses_others(void **state)
{
	struct store *s = NULL;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir("other", 0700), 0);
	assert_int_equal(chown("other", 1234, 1234), 0);
	assert_int_equal(store_open("other", &s, NULL), ERR_DENIED);
	assert_null(s);
	assert_int_equal(chmod("other", 0755), 0);
	assert_int_equal(in_child(open_denied, "other"), 0);
	/* root's, as a system wide cache may be, but open to all */
	assert_int_equal(mkdir("open", 0700), 0);
	assert_int_equal(chmod("open", 01777), 0);
	assert_int_equal(in_child(open_denied, "open"), 0);
}

static int use_read_only(void *arg)
{
	struct entry_parts p = made_parts();
	struct store *s = NULL;
	struct entry *e = NULL;
	struct err err;
	unsigned corrupt = 0;

	(void)arg;
	CHECK(!be_nobody());
	err_init(&err);
	CHECK(store_open("s", &s, &err) == ERR_IO);
	CHECK(s != NULL && store_is_read_only(s) && err.msg[0] != '\0');
	CHECK(store_get(s, span_of(KEY), span_of(TAG), made_key, &e, &corrupt) == 1);
	CHECK(span_eq(e->body, BODY));
	e->mtime = 1;
	store_touch(s, e);
	entry_unref(e);
	CHECK(store_get_last(s, span_of(KEY), &e, &corrupt) == 1);
	entry_unref(e);
	p.body = span_of("{}");
	CHECK(entry_build(&p, &e, NULL) == 0);
	CHECK(store_put(s, e, NULL) == ERR_IO);
	entry_unref(e);
	/* a damaged one stays where it is */
	CHECK(store_get(s, span_of(KEY), span_of(TAG2), made_key, &e, &corrupt) == 0);
	CHECK(corrupt == 1);
	CHECK(store_get(s, span_of(KEY), span_of(TAG), made_key, &e, &corrupt) == 1);
	CHECK(span_eq(e->body, BODY));
	entry_unref(e);
	store_free(s);
	return 0;
}

static void test_read_only(void **state)
{
	(void)state;
	put_body(span_of(TAG), BODY);
	write_text(FILE2, "damaged");
	assert_int_equal(chmod(FILE2, 0644), 0);
	assert_int_equal(chmod("s/last", 0755), 0);
	make_read_only();
	assert_int_equal(in_child(use_read_only, NULL), 0);
	assert_int_equal(chmod("s", 0700), 0);
	assert_true(is_there(FILE1) && is_there(FILE2));
}

/* ---- names ---- */

static void expect_name(const char *key, const char *auth, const char *want)
{
	char name[STORE_NAME_MAX + 1];

	assert_int_equal(store_name(name, span_of(key), span_of(auth)), want != NULL);
	if (want != NULL)
		assert_string_equal(name, want);
}

static void test_names(void **state)
{
	char key[300], name[STORE_NAME_MAX + 1];

	(void)state;
	expect_name(KEY, TAG, FILE1 + 2);
	expect_name(KEY, TAG2, FILE2 + 2);
	expect_name(KEY, ENTRY_PUBLIC, "get_repo_info-" KEY_HEX "-public.json");
	/* the reference's rule; these are its files */
	expect_name("list_repos:limit=10:owner=octo", "", "list_repos_limit=10_owner=octo.json");
	expect_name("copilot_completion:why / is * fast: \"x\"", "",
	    "copilot_completion_why _ is _ fast_ \"x\".json");
	memset(key, 'k', sizeof(key));
	assert_true(store_name(name, span_make(key, STORE_NAME_MAX - 5), span_of("")));
	assert_int_equal(strlen(name), STORE_NAME_MAX);
	assert_false(store_name(name, span_make(key, STORE_NAME_MAX - 4), span_of("")));
	assert_false(store_name(name, span_make(key, sizeof(key)), span_of(TAG)));
}

/* Keys and tags of files that were brought from elsewhere: no name leaves the folder or hides. */
static void test_hostile_names(void **state)
{
	static const char *const keys[] = { "../x:y", "a/b:c", "/etc/x:y", "..:x", ".:x", ".epochs:x", ":x",
		"", "../x", "a/../b", "last/x:y", ".lock" };
	static const char *const auths[] = { TAG, "", "../../x", "a/b", "/" };
	char name[STORE_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++)
		for (size_t j = 0; j < COUNT(auths); j++)
			if (store_name(name, span_of(keys[i]), span_of(auths[j])))
				assert_true(strchr(name, '/') == NULL && name[0] != '.');
	for (size_t j = 2; j < COUNT(auths); j++)
		if (store_name(name, span_of(KEY), span_of(auths[j])))
			assert_null(strchr(name, '/'));
	if (store_name(name, span_make("a\0b", 3), span_of("")))
		assert_int_equal(strlen(name), 8);
}

/* ---- put and get ---- */

static void test_put_and_get(void **state)
{
	struct entry *e = NULL;
	struct stat st;

	(void)state;
	expect_body(TAG, NULL);
	expect_last(NULL);
	put_body(span_of(TAG), BODY);
	expect_body(TAG, BODY);
	assert_true(is_there(FILE1) && !is_there("s/corrupt"));
	/* another's, another key's */
	expect_body(TAG2, NULL);
	expect_body(ENTRY_PUBLIC, NULL);
	assert_int_equal(store_get(store, span_of(KEY "0"), span_of(TAG), made_key, &e, NULL), 0);
	put_body(span_of(TAG), "{}");
	expect_body(TAG, "{}");
	put_body(span_of(ENTRY_PUBLIC), "[]");
	expect_body(ENTRY_PUBLIC, "[]");
	expect_body(TAG, "{}");
	assert_int_equal(stat(FILE1, &st), 0);
	assert_int_equal(st.st_mode & 022, 0);
	assert_int_equal(store_get(store, span_of(KEY), span_of(TAG), made_key, &e, NULL), 1);
	assert_int_equal(e->mtime, st.st_mtime);
	entry_unref(e);
}

static nlink_t links(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? st.st_nlink : 0;
}

static void test_last_is_the_newest(void **state)
{
	(void)state;
	put_body(span_of(TAG), "1");
	expect_last("1");
	assert_int_equal(links(FILE1), 2);
	put_body(span_of(TAG2), "2");
	expect_last("2");
	assert_int_equal(links(FILE1), 1);
	assert_int_equal(links(FILE2), 2);
	assert_int_equal(links(LAST), 2);
	put_body(span_of(TAG), "3");
	expect_last("3");
	put_body(span_of(TAG), "4");
	expect_last("4");
	expect_body(TAG, "4");
	expect_body(TAG2, "2");
	assert_int_equal(count_files("s/last", NULL), 1);
	/* the token's own entry goes, the body may still be offered to others */
	assert_int_equal(store_remove(store, FILE1 + 2, NULL), 0);
	expect_body(TAG, NULL);
	expect_last("4");
}

/* Entries by name have no url, and what has none answers no request. */
static void test_named(void **state)
{
	struct entry_parts p = made_parts();
	struct entry *e, *got = NULL;
	unsigned corrupt = 0;

	(void)state;
	p.url = p.variant = span_of("");
	p.key = span_of("get_repo_info:octo/hello");
	e = made(&p);
	assert_int_equal(store_put(store, e, NULL), 0);
	entry_unref(e);
	assert_true(is_there("s/get_repo_info_octo_hello.json") && !is_there("s/last"));
	assert_int_equal(store_get_named(store, span_of("get_repo_info:octo/hello"), &got, &corrupt), 1);
	assert_true(span_eq(got->body, BODY));
	entry_unref(got);
	/* one name, another key */
	assert_int_equal(store_get_named(store, span_of("get_repo_info:octo:hello"), &got, &corrupt), 0);
	/* the same entry where an answer would stand */
	p.key = span_of(KEY);
	e = made(&p);
	write_file(FILE1, buf_data(&e->image), buf_len(&e->image));
	entry_unref(e);
	assert_int_equal(store_get(store, span_of(KEY), span_of(TAG), made_key, &got, &corrupt), 0);
	/* and an answer is not to be had by name */
	e = made(&(struct entry_parts){ .key = span_of("a:b"),
	    .url = span_of("https://x/"),
	    .auth = span_of(TAG),
	    .body = span_of("1"),
	    .timestamp = WHEN,
	    .status = 200 });
	write_file("s/a_b.json", buf_data(&e->image), buf_len(&e->image));
	entry_unref(e);
	assert_int_equal(store_get_named(store, span_of("a:b"), &got, &corrupt), 0);
	assert_int_equal(corrupt, 0);
}

static void test_named_reference(void **state)
{
	struct entry *e = NULL;
	unsigned corrupt = 0;

	(void)state;
	write_text("s/list_repos_limit=10_owner=octo.json",
	    "{\"data\": [1], \"timestamp\": 1795361584.8958986, \"ttl\": 600, "
	    "\"content_hash\": null, \"validation_fields\": null}");
	assert_int_equal(store_get_named(store, span_of("list_repos:limit=10:owner=octo"), &e, &corrupt), 1);
	assert_true(span_eq(e->data, "[1]"));
	entry_unref(e);
	write_text("s/a_b.json",
	    "{\"cache_key\": \"a:b\", \"data\": [2], \"timestamp\": 1795361584.8958986, \"ttl\": 600, "
	    "\"content_hash\": null, \"validation_fields\": null}");
	assert_int_equal(store_get_named(store, span_of("a:b"), &e, &corrupt), 1);
	assert_true(span_eq(e->data, "[2]"));
	entry_unref(e);
	assert_int_equal(store_get_named(store, span_of("a/b"), &e, &corrupt), 0);
	/* never a request's answer */
	assert_int_equal(store_get(store, span_of("a:b"), span_of(TAG), NULL, &e, &corrupt), 0);
	assert_int_equal(corrupt, 0);
}

/* ---- heads ---- */

static int get_head(const char *auth, const uint8_t *key, uint64_t *n)
{
	struct entry *e = NULL;
	uint64_t at;
	char text[16];
	int fd, rc = store_get_head(store, span_of(KEY), span_of(auth), key, &e, &fd, &at, n);

	if (rc == 1) {
		assert_int_equal(pread(fd, text, 3, (off_t)(at + *n - 1)), 2);
		assert_memory_equal(text, "]}", 2);
		assert_int_equal(pread(fd, text, 3, (off_t)at), 3);
		assert_memory_equal(text, "[ 7", 3);
		assert_true(span_same(e->key, span_of(KEY)) && e->status == 200);
		close(fd);
	}
	entry_unref(e);
	return rc;
}

static void test_heads(void **state)
{
	static const uint8_t other[ENTRY_PROOF_KEY_LEN] = { 9 };
	static char large[STORE_LARGE + 2];
	struct entry_parts p = made_parts();
	struct entry *e;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(get_head(TAG, made_key, &n), 0);
	put_body(span_of(TAG), BODY);
	assert_int_equal(get_head(TAG, made_key, &n), 0);
	assert_int_equal(get_head("", NULL, &n), 0);
	memset(large, ' ', sizeof(large));
	memcpy(large, "[ 7", 3);
	large[sizeof(large) - 1] = ']';
	p.body = span_make(large, sizeof(large));
	e = made(&p);
	assert_int_equal(store_put(store, e, NULL), 0);
	entry_unref(e);
	assert_int_equal(get_head(TAG, made_key, &n), 1);
	assert_int_equal(n, sizeof(large));
	assert_int_equal(get_head("", NULL, &n), 1);
	assert_int_equal(get_head(TAG, other, &n), -1);
	assert_int_equal(get_head(TAG2, made_key, &n), 0);
	assert_int_equal(rename(FILE1, FILE2), 0);
	assert_int_equal(get_head(TAG2, NULL, &n), -1);	/* inside it is another's */
	/* one that stands there in base64 */
	large[0] = '?';
	e = made(&p);
	assert_int_equal(store_put(store, e, NULL), 0);
	entry_unref(e);
	assert_int_equal(get_head(TAG, made_key, &n), -1);
	assert_int_equal(get_head("", NULL, &n), -1);
	/* no entry */
	write_file(FILE1, large, sizeof(large));
	assert_int_equal(get_head(TAG, made_key, &n), -1);
	assert_true(is_there(FILE1));
}

/* ---- what is damaged ---- */

static void expect_set_aside(struct span auth, unsigned want)
{
	struct entry *e = NULL;
	unsigned corrupt = 0;

	assert_int_equal(store_get(store, span_of(KEY), auth, made_key, &e, &corrupt), 0);
	assert_int_equal(corrupt, want);
	assert_int_equal(is_there(FILE1), want == 0);
	assert_int_equal(count_files("s/corrupt", NULL), want);
}

static void test_damaged(void **state)
{
	static const char *const texts[] = { "", "garbage", "{\"cache_key\":", "{}" };
	struct entry_parts p = made_parts();
	struct entry *e;
	uint8_t *image;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		write_text(FILE1, texts[i]);
		expect_set_aside(span_of(TAG), 1);
		expect_body(TAG, NULL);
		put_body(span_of(TAG), BODY);
		expect_body(TAG, BODY);
	}
	e = made(&p);
	image = buf_data(&e->image);
	image[buf_len(&e->image) - 4] ^= 1;	/* in the body */
	write_file(FILE1, image, buf_len(&e->image));
	expect_set_aside(span_of(TAG), 1);
	image[buf_len(&e->image) - 4] ^= 1;
	/* torn */
	write_file(FILE1, image, buf_len(&e->image) - 5);
	expect_set_aside(span_of(TAG), 1);
	/* whole, as last/ has it */
	put_body(span_of(TAG), BODY);
	image[buf_len(&e->image) - 4] ^= 1;
	write_file(LAST, image, buf_len(&e->image));
	struct entry *got = NULL;
	unsigned corrupt = 0;
	assert_int_equal(store_get_last(store, span_of(KEY), &got, &corrupt), 0);
	assert_int_equal(corrupt, 1);
	assert_false(is_there(LAST));
	expect_body(TAG, BODY);
	entry_unref(e);
}

/* Made under another key: damaged for its owner, and nothing to say where no proof is asked for. */
static void test_proof(void **state)
{
	uint8_t other[ENTRY_PROOF_KEY_LEN] = { 9 };
	struct entry_parts p = made_parts();
	struct entry *e;
	unsigned corrupt = 0;

	(void)state;
	p.proof_key = other;
	e = made(&p);
	assert_int_equal(store_put(store, e, NULL), 0);
	entry_unref(e);
	assert_int_equal(store_get(store, span_of(KEY), span_of(TAG), NULL, &e, &corrupt), 1);
	entry_unref(e);
	expect_set_aside(span_of(TAG), 1);
}

/* FORMATS §1: a difference of key is a plain miss. The names hold 8 characters of the tag, so that may differ
 * too. */
static void test_another_entry_in_its_place(void **state)
{
	struct entry_parts p = made_parts();
	struct entry *e;

	(void)state;
	p.key = span_of("get_repo_info:/repos/o/other:0123456789abcdef");
	e = made(&p);
	write_file(FILE1, buf_data(&e->image), buf_len(&e->image));
	entry_unref(e);
	expect_set_aside(span_of(TAG), 0);
	p = made_parts();
	p.auth = span_of("00112233000000000000000000000000");
	e = made(&p);
	write_file(FILE1, buf_data(&e->image), buf_len(&e->image));
	entry_unref(e);
	expect_set_aside(span_of(TAG), 0);
	/* a link is not followed */
	assert_int_equal(unlink(FILE1), 0);
	put_body(span_of(TAG2), BODY);
	assert_int_equal(symlink("get_repo_info-" KEY_HEX "-ffeeddcc.json", FILE1), 0);
	expect_body(TAG, NULL);
}

/* ---- writes that fail, end early, or meet ---- */

static void test_put_fails(void **state)
{
	struct entry_parts p = made_parts();
	struct entry *e;
	struct err err;
	char key[300];

	(void)state;
	assert_int_equal(mkdir(FILE1, 0700), 0);
	e = made(&p);
	err_init(&err);
	assert_int_equal(store_put(store, e, &err), ERR_IO);
	assert_string_not_equal(err.msg, "");
	entry_unref(e);
	assert_int_equal(count_files("s", NULL), 0);
	expect_last(NULL);
	memset(key, 'k', sizeof(key));
	p.key = span_make(key, sizeof(key));
	p.url = span_of("");
	e = made(&p);
	assert_true(store_put(store, e, NULL) < 0);
	entry_unref(e);
	assert_int_equal(count_files("s", NULL), 0);
}

static int put_and_die(void *arg)
{
	struct entry_parts p = made_parts();
	struct entry *e;

	p.body = span_of("\"new\"");
	CHECK(entry_build(&p, &e, NULL) == 0);
	file_fault_after(*(unsigned *)arg);
	CHECK(store_put(store, e, NULL) == 0);
	return 0;
}

/* Stopped at each system call of a write: the old or the new one, whole, and the next write goes as if
 * nothing had been. */
static void test_crash_points(void **state)
{
	unsigned died = 0;
	bool was_new = false;

	(void)state;
	for (unsigned n = 1;; n++) {
		struct entry *e = NULL;
		unsigned corrupt = 0;

		put_body(span_of(TAG), "\"old\"");
		int status = in_child(put_and_die, &n);

		assert_true(status == 0 || status == 137);
		died += status == 137;
		assert_int_equal(store_get(store, span_of(KEY), span_of(TAG), made_key, &e, &corrupt), 1);
		assert_int_equal(corrupt, 0);
		assert_true(span_eq(e->body, "\"new\"") ||
		    (status == 137 && !was_new && span_eq(e->body, "\"old\"")));
		was_new = span_eq(e->body, "\"new\"");
		entry_unref(e);
		assert_int_equal(store_get_last(store, span_of(KEY), &e, &corrupt), 1);
		assert_true(span_eq(e->body, "\"new\"") || (status == 137 && span_eq(e->body, "\"old\"")));
		entry_unref(e);
		assert_int_equal(count_files("s", file_is_tmp), 1);
		if (status == 0)
			break;
	}
	assert_true(died >= 5 && was_new);
	assert_int_equal(count_files("s/last", file_is_tmp), 1);
}

static int write_many(void *arg)
{
	struct entry_parts p = made_parts();
	struct entry *e[2];
	struct store *s;

	for (int i = 0; i < 2; i++) {
		p.body = ((struct span *)arg)[i];
		CHECK(entry_build(&p, &e[i], NULL) == 0);
	}
	CHECK(store_open("s", &s, NULL) == 0);
	for (int i = 0; i < 300; i++)
		CHECK(store_put(s, e[i % 2], NULL) == 0);
	return 0;
}

/* Two write one key, one reads: always a whole entry of either. */
static void test_two_writers(void **state)
{
	static char large[200000];
	struct span bodies[2] = { span_of("{}"), span_make(large, sizeof(large)) };
	pid_t pid[2];
	unsigned reads = 0, corrupt = 0;

	(void)state;
	memset(large, '7', sizeof(large));
	put_body(span_of(TAG), "{}");
	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0)
			_exit(write_many(bodies));
	for (int live = 2, status; live > 0; reads++) {
		struct entry *e = NULL;

		assert_int_equal(store_get(store, span_of(KEY), span_of(TAG), made_key, &e, &corrupt), 1);
		assert_true(span_same(e->body, bodies[0]) || span_same(e->body, bodies[1]));
		entry_unref(e);
		assert_int_equal(store_get_last(store, span_of(KEY), &e, &corrupt), 1);
		entry_unref(e);
		if (waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			live--;
		}
	}
	assert_int_equal(corrupt, 0);
	assert_true(reads > 2);
	assert_int_equal(count_files("s", NULL), 1);
	assert_int_equal(count_files("s/last", NULL), 1);
}

/* ---- use and walks ---- */

static void test_touch(void **state)
{
	int64_t now = time(NULL);
	struct entry *e;
	struct stat st;

	(void)state;
	for (int age = 10; age <= 3610; age += 3600) {
		put_body(span_of(TAG), BODY);
		set_mtime(FILE1, now - age);
		assert_int_equal(store_get(store, span_of(KEY), span_of(TAG), made_key, &e, NULL), 1);
		store_touch(store, e);
		entry_unref(e);
		assert_int_equal(stat(FILE1, &st), 0);
		if (age == 10)
			assert_int_equal(st.st_mtime, now - age);
		else
			assert_true(st.st_mtime >= now);
	}
}

struct seen {
	unsigned n, whole;
	int answer;
};

static int see(void *arg, const char *name, struct entry *e)
{
	struct seen *s = arg;

	assert_true(span_ends(span_of(name), ".json"));
	s->n++;
	s->whole += e != NULL;
	return s->answer;
}

static int see_name(void *arg, const char *name)
{
	return see(arg, name, NULL);
}

static void test_each(void **state)
{
	struct seen s = { 0 };
	int64_t n, bytes;
	struct stat a, b;

	(void)state;
	put_body(span_of(TAG), BODY);
	write_text("s/damaged.json", "x");
	write_text("s/.hidden.json", "x");
	write_text("s/a.json.tmp-1-0123456789abcdef", "x");
	assert_int_equal(store_each(store, see, &s, NULL), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.whole, 1);
	assert_true(is_there("s/damaged.json"));
	s = (struct seen){ .answer = ERR_TIMEOUT };
	assert_int_equal(store_each(store, see, &s, NULL), ERR_TIMEOUT);
	assert_int_equal(s.n, 1);
	s = (struct seen){ 0 };
	assert_int_equal(store_each_name(store, see_name, &s, NULL), 0);
	assert_int_equal(s.n, 2);
	s = (struct seen){ .answer = ERR_TIMEOUT };
	assert_int_equal(store_each_name(store, see_name, &s, NULL), ERR_TIMEOUT);
	assert_int_equal(s.n, 1);
	assert_int_equal(store_usage(store, &n, &bytes, NULL), 0);
	assert_int_equal(n, 2);
	assert_true(stat(FILE1, &a) == 0 && stat("s/damaged.json", &b) == 0);
	assert_int_equal(bytes, a.st_size + b.st_size);
	assert_int_equal(store_set_aside(store, "damaged.json", NULL), 0);
	assert_true(is_there("s/corrupt/damaged.json") && !is_there("s/damaged.json"));
	assert_int_equal(store_remove(store, FILE1 + 2, NULL), 0);
	assert_int_equal(store_remove(store, FILE1 + 2, NULL), 0);
	assert_false(is_there(FILE1));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_makes),
		TEST(test_open_refuses_others),
		TEST(test_read_only),
		TEST(test_names),
		TEST(test_hostile_names),
		TEST(test_put_and_get),
		TEST(test_last_is_the_newest),
		TEST(test_named),
		TEST(test_named_reference),
		TEST(test_heads),
		TEST(test_damaged),
		TEST(test_proof),
		TEST(test_another_entry_in_its_place),
		TEST(test_put_fails),
		TEST(test_crash_points),
		TEST(test_two_writers),
		TEST(test_touch),
		TEST(test_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
