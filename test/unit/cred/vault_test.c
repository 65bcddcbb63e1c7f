#include "vaults.h"

#define STORE "c/" VAULT_STORE

static void test_round(void **state)
{
	char room[256];
	struct vault *v;

	(void)state;
	assert_null(try_open(false));
	assert_int_equal(err.cls, ERR_NOTFOUND);
	keep("ONE", "first value");
	keep("TWO", "");
	v = opened(false);
	assert_int_equal(v->source, MASTERKEY_FILE);
	assert_string_equal(value_of(v, "ONE", room), "first value");
	assert_string_equal(value_of(v, "TWO", room), "");
	assert_null(value_of(v, "THREE", room));
	assert_int_equal(recordset_gen(&v->set), 2);
	vault_free(v);
	assert_string_equal(notes, "");
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_modes(void **state)
{
	static const char *const files[] = { STORE, "c/.master_key", "c/audit.log", "c/.audit_key",
		"c/" VAULT_GOOD };
	struct vault *v;

	(void)state;
	umask(0);
	keep("ONE", "1");
	for (size_t i = 0; i < COUNT(files); i++)
		assert_int_equal(mode_of(files[i]), 0600);
	assert_int_equal(mode_of("c"), 0700);
	/* a folder of the reference that only others can read is tightened, one they can write is not used */
	assert_int_equal(chmod("c", 0755), 0);
	v = opened(false);
	vault_free(v);
	assert_int_equal(mode_of("c"), 0700);
	assert_int_equal(chmod("c", 0775), 0);
	assert_null(try_open(false));
	assert_int_equal(err.cls, ERR_DENIED);
}

/* Every byte in turn: refused with ERR_DAMAGED, by readers and writers, and nothing changed. */
static void test_every_byte(void **state)
{
	static uint8_t image[4096], now[4096];
	char room[256];
	struct vault *v;
	size_t n;

	(void)state;
	keep("ONE", "1");
	n = slurp(STORE, image, sizeof(image));
	assert_true(n > 100 && n < sizeof(image));
	for (size_t i = 0; i < n; i++) {
		image[i] ^= 0x20;
		spill(STORE, image, n);
		assert_null(try_open(i % 2 == 0));
		assert_int_equal(err.cls, ERR_DAMAGED);
		assert_int_equal(slurp(STORE, now, sizeof(now)), n);
		assert_memory_equal(now, image, n);
		image[i] ^= 0x20;
	}
	for (size_t cut = 0; cut < n; cut += 7) {
		spill(STORE, image, cut);
		assert_null(try_open(true));
		assert_int_equal(err.cls, ERR_DAMAGED);
	}
	spill(STORE, image, n);
	v = opened(false);
	assert_string_equal(value_of(v, "ONE", room), "1");
	vault_free(v);
}

static void test_wrong_key(void **state)
{
	static const char other[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	static const char *const broken[] = { "", "AAAA", "!",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	uint8_t key[64], image[4096], now[4096];
	size_t nkey, n;

	(void)state;
	keep("ONE", "1");
	nkey = slurp("c/.master_key", key, sizeof(key));
	assert_int_equal(nkey, 44);
	n = slurp(STORE, image, sizeof(image));
	spill("c/.master_key", other, sizeof(other) - 1);
	assert_null(try_open(true));
	assert_int_equal(err.cls, ERR_DAMAGED);
	assert_non_null(strstr(err.msg, ".master_key"));
	for (size_t i = 0; i < COUNT(broken); i++) {
		spill("c/.master_key", broken[i], strlen(broken[i]));
		assert_null(try_open(true));
		assert_int_equal(err.cls, ERR_DAMAGED);
		assert_int_equal(slurp("c/.master_key", now, sizeof(now)), strlen(broken[i]));
	}
	/* gone: none is made beside a store */
	unlink("c/.master_key");
	assert_null(try_open(true));
	assert_int_equal(err.cls, ERR_DAMAGED);
	assert_int_equal(access("c/.master_key", F_OK), -1);
	assert_int_equal(slurp(STORE, now, sizeof(now)), n);
	assert_memory_equal(now, image, n);
	/* nor where the store is gone too, and only its copy is left */
	unlink(STORE);
	assert_null(try_open(true));
	assert_int_equal(err.cls, ERR_DAMAGED);
	/* a newline behind the key is the reference's taste as well */
	key[nkey] = '\n';
	spill("c/.master_key", key, nkey + 1);
	spill(STORE, image, n);
	vault_free(opened(false));
	assert_int_equal(chmod("c/.master_key", 0640), 0);
	assert_null(try_open(false));
	assert_int_equal(err.cls, ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "chmod 600"));
}

static void test_rollback(void **state)
{
	uint8_t old[4096];
	struct vault_params p;
	struct vault *v;
	char room[256];
	size_t n;

	(void)state;
	keep("ONE", "old");
	n = slurp(STORE, old, sizeof(old));
	keep("ONE", "new");
	spill(STORE, old, n);
	assert_null(try_open(false));
	assert_int_equal(err.cls, ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "rolled back"));
	assert_null(try_open(true));
	p = params(true);
	p.accept_rollback = true;
	assert_int_equal(vault_open(&p, &v, &err), 0);
	assert_string_equal(value_of(v, "ONE", room), "old");
	vault_free(v);
	v = opened(false);
	assert_string_equal(value_of(v, "ONE", room), "old");
	vault_free(v);
	/* removing the last one leaves no generation, and is no rollback; an older empty store is none either
	 */
	v = opened(true);
	vault_remove(v, &v->set.list[0]);
	assert_int_equal(commit(v, "delete"), 0);
	vault_free(v);
	n = slurp(STORE, old, sizeof(old));
	keep("ONE", "again");
	v = opened(false);
	assert_true(recordset_gen(&v->set) > 3);
	vault_free(v);
	spill(STORE, old, n);
	assert_null(try_open(false));
	assert_non_null(strstr(err.msg, "rolled back"));
}

/* A deleted value is in no file. */
static void test_removed(void **state)
{
	struct vault *v;
	struct buf text;

	(void)state;
	keep("KEEP", "k");
	keep("GONE", "g");
	v = opened(true);
	vault_remove(v, recordset_exact(&v->set, span_of("GONE"), SCOPE_GLOBAL, span_make(NULL, 0)));
	assert_int_equal(commit(v, "delete"), 0);
	buf_init(&text, 1 << 20);
	assert_int_equal(vault_open_file(v, VAULT_GOOD, v->master, &text, &err), 0);
	assert_true(span_find(buf_span(&text), "KEEP") > 0);
	assert_int_equal(span_find(buf_span(&text), "GONE"), -1);
	buf_free(&text);
	vault_free(v);
}

static void test_rotate(void **state)
{
	size_t expired, previous;
	struct record *r;
	struct vault *v;
	char room[256];
	struct buf b;

	(void)state;
	keep("ONE", "old");
	v = opened(true);
	assert_int_equal(vault_rotate(v, &v->set.list[0], span_of("new"), clock_wall() + 5 * CLOCK_SEC, &err),
	    0);
	assert_int_equal(commit(v, "rotate"), 0);
	vault_free(v);
	v = opened(true);
	r = &v->set.list[0];
	assert_int_equal(r->state, RECORD_BOUND);
	assert_string_equal(value_of(v, "ONE", room), "new");
	safe_buf(&safe, &b, 100);
	assert_int_equal(vault_value(v, r->prev.value, &b, &err), 0);
	assert_true(span_eq(buf_span(&b), "old"));
	vault_cleanup(v, clock_wall(), NULL, NULL, &expired, &previous);
	assert_int_equal(expired + previous, 0);
	vault_cleanup(v, clock_wall() + 6 * CLOCK_SEC, NULL, NULL, &expired, &previous);
	assert_int_equal(expired, 0);
	assert_int_equal(previous, 1);
	assert_int_equal(commit(v, "cleanup"), 0);
	vault_free(v);
	v = opened(false);
	assert_int_equal(v->set.list[0].prev.value.n, 0);
	assert_string_equal(value_of(v, "ONE", room), "new");
	vault_free(v);
}

/* What is bad is neither handed out nor written beside; what is intact is. */
static void test_bad_record(void **state)
{
	uint8_t before[4096], after[4096];
	struct vault *v;
	char room[256];
	size_t n;

	(void)state;
	keep("GOOD", "g");
	keep("BAD", "b");
	v = opened(true);
	v->set.list[1].expires_text = span_of("1e9");	/* its MAC does not know */
	assert_int_equal(vault_write(v, NULL, &err), 0);
	vault_free(v);
	notes[0] = '\0';
	v = opened(false);
	assert_non_null(strstr(notes, "BAD is damaged"));
	assert_string_equal(value_of(v, "GOOD", room), "g");
	assert_null(value_of(v, "BAD", room));
	vault_free(v);
	n = slurp(STORE, before, sizeof(before));
	v = opened(true);
	put(v, "NEW", SCOPE_GLOBAL, NULL, "n");
	assert_int_equal(commit(v, "store"), ERR_DAMAGED);
	vault_free(v);
	assert_int_equal(slurp(STORE, after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
}

/* Ended at each system call of a write: all old or all new, and the next writer goes on. */
static void test_killed(void **state)
{
	char room[256], want[32] = "0", next[32];
	int status, value = 0;
	unsigned ended = 0;

	(void)state;
	keep("ONE", "0");
	for (unsigned at = 1; at < 200; at++) {
		snprintf(next, sizeof(next), "%d", value + 1);
		pid_t pid = fork();

		if (pid == 0) {
			struct vault *v = try_open(true);

			if (v == NULL)
				_exit(9);
			put(v, "ONE", SCOPE_GLOBAL, NULL, next);
			file_fault_after(at);
			commit(v, "store");
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 9);
		struct vault *v = opened(false);
		const char *got = value_of(v, "ONE", room);

		assert_non_null(got);
		assert_true(strcmp(got, want) == 0 || strcmp(got, next) == 0);
		if (strcmp(got, next) == 0) {
			strcpy(want, next);
			value++;
		}
		vault_free(v);
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), 137);
		ended++;
	}
	assert_true(ended > 10);
	assert_string_equal(want, next);
}

/* ---- ended at each system call of the other writes ---- */

static void change_rm(struct vault *v)
{
	vault_remove(v, recordset_exact(&v->set, span_of("OLD"), SCOPE_GLOBAL, span_make(NULL, 0)));
}

static void change_rotate(struct vault *v)
{
	struct record *r = recordset_exact(&v->set, span_of("OLD"), SCOPE_GLOBAL, span_make(NULL, 0));

	assert_int_equal(vault_rotate(v, r, span_of("2"), clock_wall() + CLOCK_SEC, &err), 0);
}

static void change_cleanup(struct vault *v)
{
	size_t expired, previous;

	vault_cleanup(v, clock_wall() + 10 * CLOCK_SEC, NULL, NULL, &expired, &previous);
	assert_int_equal(expired, 1);
}

static size_t count_tmp(void)
{
	DIR *d = opendir("c");
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += strstr(e->d_name, ".tmp-") != NULL;
	closedir(d);
	return n;
}

static void prepare_old(void)
{
	struct vault *v = opened(true);
	const struct vault_entry e = { .name = span_of("OLD"), .filter = span_make(NULL, 0),
		.value = span_of("1"), .expires = clock_wall() + 5 * CLOCK_SEC };

	assert_int_equal(vault_put(v, &e, &err), 0);
	assert_int_equal(commit(v, "store"), 0);
	vault_free(v);
}

static void check_old(const char *after)
{
	char room[256];
	struct vault *v = opened(false);
	const char *got;

	assert_string_equal(value_of(v, "ONE", room), "0");
	got = value_of(v, "OLD", room);
	assert_true(got == NULL ? after == NULL
				: strcmp(got, "1") == 0 || (after != NULL && strcmp(got, after) == 0));
	assert_int_equal(recordset_bad(&v->set), 0);
	vault_free(v);
}

/* All old or all new; and after the next write no leftovers, and a good copy that is the store. */
static void killed_in(void (*change)(struct vault *), const char *after)
{
	static uint8_t store[65536], good[65536];
	unsigned ended = 0;
	int status;

	for (unsigned at = 1;; at++) {
		assert_int_equal(system("rm -rf c"), 0);
		keep("ONE", "0");
		prepare_old();
		pid_t pid = fork();

		if (pid == 0) {
			struct vault *v = try_open(true);

			change(v);
			file_fault_after(at);
			_exit(commit(v, "change") == 0 ? 0 : 8);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		check_old(after);
		vault_free(opened(true));
		assert_int_equal(count_tmp(), 0);
		size_t n = slurp(STORE, store, sizeof(store));

		assert_int_equal(slurp("c/" VAULT_GOOD, good, sizeof(good)), n);
		assert_memory_equal(store, good, n);
		check_old(after);
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), 137);
		ended++;
	}
	assert_true(ended > 15);
}

static void test_killed_rm(void **state)
{
	(void)state;
	killed_in(change_rm, NULL);
}

static void test_killed_rotate(void **state)
{
	(void)state;
	killed_in(change_rotate, "2");
}

static void test_killed_cleanup(void **state)
{
	(void)state;
	killed_in(change_cleanup, NULL);
}

/* Leftovers of ours go; what is of others, or may still be written, stays. */
static void test_sweep(void **state)
{
	static const char *const gone[] = { "c/credentials.json.enc.tmp-1-0123456789abcdef",
		"c/.master_key.tmp-22-0123456789abcdef", "c/.passphrase.next.tmp-3-0123456789abcdef.gone" },
				 *const stay[] = { "c/.access.tmp-1-0123456789abcdef",
					 "c/notes.tmp-1-0123456789abcdef", "c/credentials.json.enc.tmp-1",
					 "c/credentials.json.enc.damaged-1" };

	(void)state;
	keep("ONE", "1");
	for (size_t i = 0; i < COUNT(gone); i++)
		spill(gone[i], "x", 1);
	for (size_t i = 0; i < COUNT(stay); i++)
		spill(stay[i], "x", 1);
	spill("c/.access.tmp-2-0123456789abcdef", "x", 1);
	assert_int_equal(system("touch -d '2 hours ago' c/.access.tmp-2-0123456789abcdef"), 0);
	vault_free(opened(false));
	assert_int_equal(access(gone[0], F_OK), 0);
	keep("TWO", "2");
	for (size_t i = 0; i < COUNT(gone); i++)
		assert_int_equal(access(gone[i], F_OK), -1);
	for (size_t i = 0; i < COUNT(stay); i++)
		assert_int_equal(access(stay[i], F_OK), 0);
	assert_int_equal(access("c/.access.tmp-2-0123456789abcdef", F_OK), -1);
}

/* Without the log an older store would look like the newest. */
static void test_removed_log(void **state)
{
	static uint8_t old[4096];
	size_t n;

	(void)state;
	keep("ONE", "1");
	n = slurp(STORE, old, sizeof(old));
	keep("ONE", "2");
	spill(STORE, old, n);
	unlink("c/audit.log");
	assert_null(try_open(false));
	assert_int_equal(err.cls, ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "--restart-audit"));
	unlink("c/.audit_key");
	assert_null(try_open(true));
	assert_int_equal(err.cls, ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "--restart-audit"));
	assert_int_equal(access("c/audit.log", F_OK), -1);
}

/* The first write makes the folder, the key and the store. */
static void test_killed_at_first(void **state)
{
	char room[256];
	int status;

	(void)state;
	for (unsigned at = 1; at < 200; at++) {
		assert_int_equal(system("rm -rf c"), 0);
		pid_t pid = fork();

		if (pid == 0) {
			struct vault *v;

			file_fault_after(at);
			v = try_open(true);
			if (v == NULL)
				_exit(9);
			put(v, "ONE", SCOPE_GLOBAL, NULL, "1");
			commit(v, "store");
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_not_equal(WEXITSTATUS(status), 9);
		keep("TWO", "2");
		struct vault *v = opened(false);

		assert_string_equal(value_of(v, "TWO", room), "2");
		if (value_of(v, "ONE", room) != NULL)
			assert_string_equal(room, "1");
		vault_free(v);
		if (WEXITSTATUS(status) == 0)
			return;
	}
	fail();
}

/* Four writers at once, 25 each: nothing is lost. */
static void test_writers(void **state)
{
	int status;
	struct vault *v;

	(void)state;
	keep("FIRST", "1");
	for (int w = 0; w < 4; w++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < 25; i++) {
			char name[32];

			snprintf(name, sizeof(name), "W%d_%d", w, i);
			v = try_open(true);
			if (v == NULL)
				_exit(1);
			put(v, name, SCOPE_GLOBAL, NULL, name);
			if (commit(v, "store") != 0)
				_exit(2);
			vault_free(v);
		}
		_exit(0);
	}
	for (int w = 0; w < 4; w++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	v = opened(false);
	assert_int_equal(v->set.n, 101);
	assert_int_equal(recordset_bad(&v->set), 0);
	vault_free(v);
}

static void test_scopes(void **state)
{
	const struct scope_caller job = { span_of("o/r"), span_of("build"), span_of("box") };
	const struct scope_caller other = { span_of("o/x"), span_make(NULL, 0), span_make(NULL, 0) };
	struct vault *v = opened(true);
	bool others;

	(void)state;
	put(v, "T", SCOPE_GLOBAL, NULL, "g");
	put(v, "T", SCOPE_REPO, "o/r", "r");
	put(v, "T", SCOPE_REPO, "o/q", "q");
	put(v, "T", SCOPE_RUNNER, "box", "x");
	put(v, "U", SCOPE_WORKFLOW, "build", "w");
	assert_int_equal(commit(v, "store"), 0);
	vault_free(v);
	v = opened(false);
	assert_int_equal(v->set.n, 5);
	assert_true(span_eq(v->set.list[1].key, "T@repo:o/r"));
	assert_int_equal(recordset_match(&v->set, span_of("T"), &job, &others)->scope, SCOPE_RUNNER);
	assert_int_equal(recordset_match(&v->set, span_of("T"), &other, &others)->scope, SCOPE_GLOBAL);
	assert_null(recordset_match(&v->set, span_of("U"), &other, &others));
	assert_true(others);
	assert_null(recordset_match(&v->set, span_of("V"), &job, &others));
	assert_false(others);
	vault_free(v);
}

/* The accesses of the log come into the records with the next write, once. */
static void test_fold(void **state)
{
	const struct audit_event e[] = { { "access_granted", span_of("ONE"),
					     span_of("\"scope\": \"global\", \"scope_filter\": null") },
		{ "access_denied", span_of("ONE"), span_of("\"scope\": \"global\", \"scope_filter\": null") },
		{ "access_granted", span_of("ONE"),
		    span_of("\"scope\": \"repo\", \"scope_filter\": \"o/r\"") } };
	struct vault *v;

	(void)state;
	keep("ONE", "1");
	v = opened(false);
	assert_int_equal(audit_append(&v->audit, e, 3, &err), 0);
	assert_int_equal(audit_append(&v->audit, e, 1, &err), 0);
	vault_free(v);
	keep("TWO", "2");
	keep("TWO", "3");
	v = opened(false);
	assert_int_equal(v->set.list[0].count, 2);
	assert_false(span_eq(v->set.list[0].accessed, "null"));
	assert_int_equal(v->set.list[1].count, 0);
	vault_free(v);
}

#define T(f) cmocka_unit_test_setup_teardown(f, vaults_setup, vaults_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_round), T(test_modes), T(test_every_byte),
		T(test_wrong_key), T(test_rollback), T(test_removed), T(test_rotate), T(test_bad_record),
		T(test_killed), T(test_killed_at_first), T(test_writers), T(test_scopes), T(test_fold),
		T(test_killed_rm), T(test_killed_rotate), T(test_killed_cleanup), T(test_sweep),
		T(test_removed_log) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
