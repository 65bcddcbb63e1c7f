#include <sys/prctl.h>

#include "cred/keyring.h"
#include "vaults.h"

static const struct {
	const char *word;
	enum masterkey_source to;
	const char *file;		/* that holds it afterwards */
} places[] = { { "file", MASTERKEY_FILE, "c/.master_key" },
	{ "passphrase", MASTERKEY_PASS, "c/.passphrase" } };

static void check(const char *what)
{
	struct vault *v = opened(false);
	char room[256];

	print_message("%s: %s\n", what, masterkey_name(v->source));
	assert_string_equal(value_of(v, "ONE", room), "1");
	assert_string_equal(value_of(v, "TWO", room), "2");
	assert_int_equal(recordset_bad(&v->set), 0);
	vault_free(v);
}

static int to(enum masterkey_source source)
{
	const struct audit_event e = { .action = "rekey", .credential = span_of("") };
	struct vault *v = opened(true);
	int rc = rekey_to(v, source, &err);

	if (rc == 0)
		rc = vault_note(v, &e, &err);
	vault_free(v);
	return rc;
}

static void test_moves(void **state)
{
	static const char *const left[] = { "c/.master_key.next", "c/.passphrase.next", "c/.audit_key.next" };
	uint8_t before[64], after[64];
	struct vault *v;

	(void)state;
	rounds = MASTERKEY_ROUNDS_MIN;
	keep("ONE", "1");
	keep("TWO", "2");
	slurp("c/.master_key", before, sizeof(before));
	assert_int_equal(to(MASTERKEY_FILE), 0);
	assert_int_equal(slurp("c/.master_key", after, sizeof(after)), 44);
	assert_memory_not_equal(before, after, 44);
	check("file");
	for (size_t i = 2; i-- > 0;) {
		assert_int_equal(to(places[i].to), 0);
		check(places[i].word);
		for (size_t k = 0; k < COUNT(places); k++)
			assert_int_equal(access(places[k].file, F_OK) == 0, k == i);
		for (size_t k = 0; k < COUNT(left); k++)
			assert_int_equal(access(left[k], F_OK), -1);
		/* the good copy and the log are under the new one */
		v = opened(true);
		assert_int_equal(vault_open_file(v, VAULT_GOOD, v->master, NULL, &err), 0);
		assert_true(v->audit.seq > 2);
		vault_free(v);
	}
	assert_string_equal(notes, "");
	rounds = 0;
}

static void test_wrong_words(void **state)
{
	struct vault_params p = params(false);
	struct vault *v;

	(void)state;
	keep("ONE", "1");
	assert_int_equal(to(MASTERKEY_PASS), 0);
	p.place.arg = (void *)(uintptr_t) "another passphrase";
	assert_int_equal(vault_open(&p, &v, &err), ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "passphrase"));
	p.place.ask = NULL;
	err_init(&err);
	assert_int_equal(vault_open(&p, &v, &err), ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "GHOARD_PASSPHRASE_FILE"));
}

/* Counts that are too low or too high are not tried. */
static void test_rounds(void **state)
{
	static const char *const counts[] = { "\"rounds\":99999,", "\"rounds\":10000001,", "\"rounds\":-1,",
		"\"rounds\":1e9," };
	char text[512] = "", bad[600];
	char *at;

	(void)state;
	keep("ONE", "1");
	assert_int_equal(to(MASTERKEY_PASS), 0);
	slurp("c/.passphrase", (uint8_t *)text, sizeof(text) - 1);
	at = strstr(text, "\"rounds\":600000,");
	assert_non_null(at);
	for (size_t i = 0; i < COUNT(counts); i++) {
		snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(at - text), text, counts[i], at + 16);
		spill("c/.passphrase", bad, strlen(bad));
		assert_null(try_open(false));
		assert_int_equal(err.cls, ERR_DAMAGED);
	}
}

/* Ended at each step, from and to each place: it opens, with every value; the next writer cleans up. */
static void killed(enum masterkey_source from, enum masterkey_source where, unsigned step)
{
	int status = -1;
	unsigned ended = 0;

	for (unsigned at = 1; at < 300; at += step) {
		assert_int_equal(system("rm -rf c"), 0);
		keep("ONE", "1");
		keep("TWO", "2");
		if (from == MASTERKEY_PASS)
			assert_int_equal(to(from), 0);
		pid_t pid = fork();

		if (pid == 0) {
			struct vault *v = try_open(true);

			if (v == NULL)
				_exit(9);
			file_fault_after(at);
			_exit(rekey_to(v, where, &err) == 0 ? 0 : 8);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		check("after the end");
		keep("THREE", "3");
		check("after a write");
		assert_int_equal(access("c/.master_key.next", F_OK), -1);
		assert_int_equal(access("c/.passphrase.next", F_OK), -1);
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), 137);
		ended++;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(ended > 30 / step);
}

static void test_killed_file(void **state)
{
	(void)state;
	killed(MASTERKEY_FILE, MASTERKEY_FILE, 1);
}

/* ---- the desktop's keyring: a program that keeps its entries as files in "ring" ---- */

static const char ring_tool[] = "#!/bin/sh\n"
				"verb=$1 u=\n"
				"while [ $# -gt 0 ]; do [ \"$1\" = username ] && u=$2; shift; done\n"
				"case $verb in\n"
				"store) cat > ring/.new.$$ && mv ring/.new.$$ \"ring/$u\";;\n"
				"lookup) [ ! -f \"ring/$u\" ] && exit 1; cat \"ring/$u\";;\n"
				"clear) [ ! -f \"ring/$u\" ] && exit 1; rm \"ring/$u\";;\n"
				"esac\n";

static void make_ring(void)
{
	static char path[4096];

	assert_non_null(getcwd(path, sizeof(path) - 16));
	strcat(path, "/secret-tool");
	spill(path, ring_tool, sizeof(ring_tool) - 1);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(mkdir("ring", 0700), 0);
	setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=none", 1);
	keyring_use_tool(path);
	/* a tool that outlives its caller is waited for here */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static size_t ring_entries(void)
{
	DIR *d = opendir("ring");
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* The new key is where it should be, the old one and what was made on the way nowhere. */
static void check_ring_end(enum masterkey_source from, enum masterkey_source where, bool moved)
{
	enum masterkey_source now = moved ? where : from;
	struct vault *v = opened(false);

	assert_int_equal(v->source, now);
	vault_free(v);
	assert_int_equal(ring_entries(), now == MASTERKEY_RING);
	assert_int_equal(access("ring/" KEYRING_NAME, F_OK) == 0, now == MASTERKEY_RING);
	assert_int_equal(access("c/.master_key", F_OK) == 0, now == MASTERKEY_FILE);
	assert_int_equal(access("c/.keyring.next", F_OK), -1);
	assert_int_equal(access("c/.master_key.next", F_OK), -1);
}

/* true: it ended before its end. */
static bool end_at(enum masterkey_source where, unsigned at)
{
	int status = -1, other;
	pid_t pid = fork();

	if (pid == 0) {
		struct vault *v = try_open(true);

		if (v == NULL)
			_exit(9);
		file_fault_after(at);
		_exit(rekey_to(v, where, &err) == 0 ? 0 : 8);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (waitpid(-1, &other, 0) > 0)
		;
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 137);
	return WEXITSTATUS(status) == 137;
}

static void killed_ring(enum masterkey_source from, enum masterkey_source where)
{
	unsigned at = 1, moved = 0;
	bool ended = true;

	for (; ended && at < 300; at++) {
		uint8_t before[4096], after[4096];
		size_t n;

		assert_int_equal(system("rm -rf c ring/*"), 0);
		keep("ONE", "1");
		keep("TWO", "2");
		if (from == MASTERKEY_RING)
			assert_int_equal(to(from), 0);
		n = slurp("c/credentials.json.enc", before, sizeof(before));
		ended = end_at(where, at);
		check("after the end");
		bool is_new = slurp("c/credentials.json.enc", after, sizeof(after)) != n ||
		    memcmp(before, after, n) != 0;

		moved += is_new;
		keep("THREE", "3");
		check("after a write");
		check_ring_end(from, where, is_new);
	}
	assert_false(ended);
	assert_true(at > 30 && moved > 3 && moved < at);
}

static void test_killed_ring(void **state)
{
	(void)state;
	make_ring();
	killed_ring(MASTERKEY_FILE, MASTERKEY_RING);
	killed_ring(MASTERKEY_RING, MASTERKEY_FILE);
	killed_ring(MASTERKEY_RING, MASTERKEY_RING);
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
}

/* A derivation takes its time, more under the sanitizers: each ninth step, and the kernel's keyring where
 * it is */
static void test_killed_pass(void **state)
{
	(void)state;
	kernel_s = 60;
	rounds = MASTERKEY_ROUNDS_MIN;
	killed(MASTERKEY_FILE, MASTERKEY_PASS, 9);
	kernel_s = rounds = 0;
}

/* From one passphrase to another: it opens with one of them, which the next writer's settling does not
 * change. */
static void test_killed_words(void **state)
{
	int status = -1;
	unsigned ended = 0;

	(void)state;
	rounds = MASTERKEY_ROUNDS_MIN;
	keep("ONE", "1");
	keep("TWO", "2");
	assert_int_equal(to(MASTERKEY_PASS), 0);
	assert_int_equal(system("cp -a c base"), 0);
	for (unsigned at = 1; at < 300; at += 5) {
		words = NULL;
		assert_int_equal(system("rm -rf c && cp -a base c"), 0);
		pid_t pid = fork();

		if (pid == 0) {
			struct vault *v = try_open(true);

			new_words = "an entirely new one";
			if (v == NULL)
				_exit(9);
			file_fault_after(at);
			_exit(rekey_to(v, MASTERKEY_PASS, &err) == 0 ? 0 : 8);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 137);
		struct vault *v = try_open(false);

		if (v == NULL)
			words = "an entirely new one";
		vault_free(v);
		check("after the end");
		keep("THREE", "3");
		assert_int_equal(access("c/.passphrase.next", F_OK), -1);
		check("after a write");
		if (WEXITSTATUS(status) == 0)
			break;
		ended++;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_non_null(words);
	assert_true(ended > 5);
	words = NULL;
	rounds = 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, vaults_setup, vaults_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_moves), T(test_wrong_words), T(test_rounds),
		T(test_killed_file), T(test_killed_pass), T(test_killed_words), T(test_killed_ring) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
