#include "base/jscan.h"
#include "base/str.h"
#include "cred/audit_check.h"
#include "vaults.h"

static const uint8_t master[32] = { 1, 2, 3 };
static struct audit a;
static int folder = -1;

static int setup(void **state)
{
	if (vaults_setup(state) != 0)
		return -1;
	folder = open(".", O_RDONLY | O_DIRECTORY);
	return audit_open(&a, folder, master, true, &err);
}

static int teardown(void **state)
{
	audit_wipe(&a);
	close(folder);
	return vaults_teardown(state);
}

static int say(const char *name)
{
	const struct audit_event e = { .action = "access_granted", .credential = span_of(name) };

	return audit_append(&a, &e, 1, &err);
}

static int verify(const char *anchor, struct audit_check *k)
{
	err_init(&err);
	return audit_check_all(&a, anchor, k, &err);
}

static void test_chain(void **state)
{
	struct audit_check k;
	char head[AUDIT_MAC_HEX + 1];

	(void)state;
	assert_int_equal(verify(NULL, &k), 0);
	assert_int_equal(k.lines, 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(say("ONE"), 0);
		if (i == 2)
			strcpy(head, a.head);
	}
	assert_int_equal(verify(head, &k), 0);
	assert_int_equal(k.lines, 5);
	assert_int_equal(k.seq, 5);
	assert_true(k.anchor_found);
	assert_string_equal(k.head, a.head);
	assert_int_equal(verify("zz", &k), ERR_USAGE);
	/* another process goes on where the last one was */
	struct audit b;

	assert_int_equal(audit_open(&b, folder, master, true, &err), 0);
	assert_int_equal(audit_tail(&b, &err), 0);
	assert_int_equal(b.seq, 5);
	assert_string_equal(b.head, a.head);
}

/* The file as lines; what a hand does to them. */
static char file[65536];
static char *line[16];
static size_t nlines;

static void take(void)
{
	size_t n = slurp("audit.log", (uint8_t *)file, sizeof(file) - 1);

	file[n] = '\0';
	nlines = 0;
	for (char *p = strtok(file, "\n"); p != NULL; p = strtok(NULL, "\n"))
		line[nlines++] = p;
}

static void write_lines(const size_t *order, size_t n)
{
	static char out[65536];

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		strcat(out, line[order[i]]);
		strcat(out, "\n");
	}
	spill("audit.log", out, strlen(out));
}

static void test_hands(void **state)
{
	static const size_t whole[] = { 0, 1, 2, 3, 4 }, removed[] = { 0, 1, 3, 4 },
			    swapped[] = { 0, 2, 1, 3, 4 }, twice[] = { 0, 1, 1, 2, 3, 4 },
			    headless[] = { 1, 2, 3, 4 }, cut[] = { 0, 1, 2 };
	struct audit_check k;
	char head[AUDIT_MAC_HEX + 1];

	(void)state;
	for (int i = 0; i < 5; i++)
		say("ONE");
	strcpy(head, a.head);
	take();
	assert_int_equal(nlines, 5);
	write_lines(whole, 5);
	assert_int_equal(verify(head, &k), 0);
	write_lines(removed, 4);
	assert_int_equal(verify(NULL, &k), ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "line 3"));
	write_lines(swapped, 5);
	assert_int_equal(verify(NULL, &k), ERR_DAMAGED);
	write_lines(twice, 6);
	assert_int_equal(verify(NULL, &k), ERR_DAMAGED);
	write_lines(headless, 4);
	assert_int_equal(verify(NULL, &k), ERR_DAMAGED);
	/* a cut end alone is seen by an anchor only */
	write_lines(cut, 3);
	assert_int_equal(verify(NULL, &k), 0);
	assert_int_equal(verify(head, &k), ERR_DAMAGED);
	/* …and by nothing that was written on top of it */
	assert_int_equal(say("TWO"), 0);
	assert_int_equal(verify(NULL, &k), 0);
	assert_int_equal(verify(head, &k), ERR_DAMAGED);
}

/* Any byte of the text. */
static void test_edits(void **state)
{
	struct audit_check k;
	size_t n;

	(void)state;
	say("ONE");
	say("TWO");
	say("THREE");
	n = slurp("audit.log", (uint8_t *)file, sizeof(file));
	for (size_t i = 0; i < n; i++) {
		char was = file[i];

		if (was == '\n')
			continue;
		file[i] = was == 'x' ? 'y' : 'x';
		spill("audit.log", file, n);
		/* a last line that is none any more is a cut end */
		bool last = strchr(file + i, '\n') == file + n - 1;

		assert_true(verify(NULL, &k) == ERR_DAMAGED ||
		    (last && k.unreadable + k.foreign == 1 && k.lines == 2));
		file[i] = was;
	}
}

static void test_tail_is_checked(void **state)
{
	char *at;
	size_t n;

	(void)state;
	say("ONE");
	n = slurp("audit.log", (uint8_t *)file, sizeof(file) - 1);
	file[n] = '\0';
	at = strstr(file, "ONE");
	memcpy(at, "TWO", 3);
	spill("audit.log", file, n);
	assert_int_equal(say("THREE"), ERR_DAMAGED);
	assert_int_equal(slurp("audit.log", (uint8_t *)file, sizeof(file)), n);
	err_init(&err);
	assert_int_equal(audit_restart(&a, &err), 0);
	assert_int_equal(a.seq, 1);
	assert_int_equal(say("FOUR"), 0);
}

/* The reference's lines break no chain; nor does a line that was cut off by a crash. */
static void test_foreign(void **state)
{
	static const char reference[] = "{\"timestamp\": \"2026-11-22T13:49:42\", \"action\": \"store\", "
					"\"credential\": \"X\", \"details\": {}}\n";
	struct audit_check k;
	FILE *f;

	(void)state;
	spill("audit.log", reference, sizeof(reference) - 1);
	assert_int_equal(say("ONE"), 0);
	f = fopen("audit.log", "a");
	fputs(reference, f);
	fputs("{\"timestamp\": \"2026", f);
	fclose(f);
	assert_int_equal(say("TWO"), 0);
	assert_int_equal(verify(NULL, &k), 0);
	assert_int_equal(k.lines, 2);
	assert_int_equal(k.foreign, 2);
	assert_int_equal(k.unreadable, 1);
}

static void test_neutral(void **state)
{
	const char *hostile = "::add-mask::x\n##[error]\x1b[31m\xe2\x80\xa8%0A\x7f";
	struct audit_line l;
	struct buf details;
	char back[256];
	size_t n;

	(void)state;
	buf_init(&details, 4096);
	audit_detail(&details, "repo", span_of(hostile));
	const struct audit_event e = { "store", span_of("::x"), buf_span(&details) };

	assert_int_equal(audit_append(&a, &e, 1, &err), 0);
	n = slurp("audit.log", (uint8_t *)file, sizeof(file) - 1);
	file[n] = '\0';
	assert_null(strstr(file, "::"));
	assert_null(strstr(file, "##["));
	for (size_t i = 0; i + 1 < n; i++)
		assert_true(file[i] >= ' ' && file[i] < 0x7F);
	/* it reads back as it was said */
	assert_true(audit_parse(span_make(file, n - 1), &l));
	struct span v;

	assert_int_equal(jscan_member(l.details, "repo", &v), 1);
	assert_true(jscan_str(v, back, sizeof(back)));
	assert_string_equal(back, hostile);
	buf_free(&details);
}

static void test_rotation(void **state)
{
	struct audit_check k;
	struct buf details;
	char head[AUDIT_MAC_HEX + 1];

	(void)state;
	say("ONE");
	strcpy(head, a.head);
	buf_init(&details, 8192);
	while (buf_len(&details) < 3000)
		audit_detail(&details, "x", span_of("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"));
	const struct audit_event e = { "store", span_of("X"), buf_span(&details) };

	for (int i = 0; i < 750; i++)
		assert_int_equal(audit_append(&a, &e, 1, &err), 0);
	assert_int_equal(access("audit.log.1", F_OK), 0);
	assert_int_equal(access("audit.log.2", F_OK), 0);
	assert_int_equal(access("audit.log.3", F_OK), -1);
	assert_int_equal(verify(head, &k), 0);
	assert_int_equal(k.lines, 751 + 2);
	assert_true(k.anchor_found);
	/* a whole file out of the middle */
	unlink("audit.log.1");
	assert_int_equal(rename("audit.log.2", "audit.log.1"), 0);
	assert_int_equal(verify(NULL, &k), ERR_DAMAGED);
	buf_free(&details);
}

static void test_key(void **state)
{
	static const uint8_t other[32] = { 9 };
	struct audit b;

	(void)state;
	say("ONE");
	assert_int_equal(audit_open(&b, folder, other, true, &err), ERR_DAMAGED);
	err_init(&err);
	unlink(".audit_key");
	assert_int_equal(audit_open(&b, folder, master, true, &err), ERR_DAMAGED);
	assert_int_equal(access(".audit_key", F_OK), -1);
	/* sealed anew under another one, before and after it is put in place */
	err_init(&err);
	assert_int_equal(audit_reseal(&a, other, &err), 0);
	assert_int_equal(audit_open(&b, folder, other, false, &err), 0);
	assert_int_equal(audit_settle(folder, other, &err), 0);
	assert_int_equal(access(".audit_key.next", F_OK), -1);
	assert_int_equal(audit_open(&b, folder, other, false, &err), 0);
	assert_memory_equal(b.key, a.key, AUDIT_KEY_LEN);
}

/* A line whose details are about 3 KiB. */
static int say_much(void)
{
	struct buf details;
	int rc;

	buf_init(&details, 8192);
	while (buf_len(&details) < 3000)
		audit_detail(&details, "x", span_of("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"));
	buf_adds(&details, ", \"gen\": 7, \"high\": 9, \"sha256\": \"");
	for (int i = 0; i < 64; i++)
		buf_addc(&details, 'a');
	buf_adds(&details, "\"");
	const struct audit_event e = { "store", span_of("X"), buf_span(&details) };

	err_init(&err);
	rc = audit_append(&a, &e, 1, &err);
	buf_free(&details);
	return rc;
}

/* Run in a process that ends at its n-th system call of a write; false: it came to its end. */
static bool ended_at(unsigned at, int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		file_fault_after(at);
		_exit(fn() == 0 ? 0 : 9);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 9);
	return WEXITSTATUS(status) == 137;
}

static void reopen(void)
{
	audit_wipe(&a);
	err_init(&err);
	assert_int_equal(audit_open(&a, folder, master, true, &err), 0);
}

static int one_more(void)
{
	return say("ONE");
}

/* The chain and what it says of the store outlast an end at each step of a rotation. */
static void test_rotation_cut(void **state)
{
	struct audit_check k;
	struct stat st;
	unsigned ended = 0;

	(void)state;
	do
		assert_int_equal(say_much(), 0);
	while (stat("audit.log", &st) == 0 && (size_t)st.st_size <= AUDIT_FILE_MAX);
	assert_int_equal(system("mkdir base && cp audit.log .audit_key base/"), 0);
	for (unsigned at = 1;; at++) {
		uint64_t seq = a.seq;

		assert_int_equal(system("rm -f audit.log* && cp base/audit.log base/.audit_key ."), 0);
		bool more = ended_at(at, one_more);

		reopen();
		assert_int_equal(audit_tail(&a, &err), 0);
		assert_true(a.seq >= seq);
		assert_true(a.has_gen && a.gen == 7 && a.high == 9);
		assert_int_equal(say("TWO"), 0);
		assert_int_equal(verify(NULL, &k), 0);
		assert_true(k.lines > seq && k.unreadable == 0);
		assert_true(a.has_gen && a.gen == 7);
		reopen();
		assert_int_equal(audit_tail(&a, &err), 0);
		a.seq = seq;
		if (!more)
			break;
		ended++;
	}
	assert_true(ended >= 4);
}

static void test_beginning_cut(void **state)
{
	struct audit_check k;
	unsigned ended = 0;

	(void)state;
	for (unsigned at = 1;; at++) {
		assert_int_equal(system("rm -f audit.log .audit_key .audit_key.next"), 0);
		reopen();
		bool more = ended_at(at, one_more);

		reopen();
		assert_int_equal(audit_tail(&a, &err), 0);
		assert_int_equal(say("TWO"), 0);
		assert_int_equal(verify(NULL, &k), 0);
		assert_int_equal(access(".audit_key", F_OK), 0);
		assert_int_equal(access(".audit_key.next", F_OK), -1);
		if (!more)
			break;
		ended++;
	}
	assert_true(ended > 8);
}

/* A log that is not there is no new log. */
static void test_gone(void **state)
{
	(void)state;
	say("ONE");
	unlink("audit.log");
	assert_int_equal(say("TWO"), ERR_DAMAGED);
	assert_non_null(strstr(err.msg, "--restart-audit"));
	reopen();
	assert_int_equal(audit_tail(&a, &err), ERR_DAMAGED);
	spill("audit.log", "", 0);
	err_init(&err);
	assert_int_equal(audit_tail(&a, &err), ERR_DAMAGED);
}

static int restart(void)
{
	return audit_restart(&a, &err);
}

/* Ended anywhere, it can be done again, or is done. */
static void test_restart_cut(void **state)
{
	struct audit_check k;
	unsigned ended = 0;

	(void)state;
	for (unsigned at = 1;; at++) {
		assert_int_equal(system("rm -f audit.log* .audit_key*"), 0);
		reopen();
		say("ONE");
		unlink("audit.log");
		bool more = ended_at(at, restart);

		audit_wipe(&a);
		err_init(&err);
		assert_int_equal(audit_settle(folder, master, &err), 0);
		reopen();
		if (audit_tail(&a, &err) != 0) {
			err_init(&err);
			assert_int_equal(audit_restart(&a, &err), 0);
		}
		assert_int_equal(say("TWO"), 0);
		assert_int_equal(verify(NULL, &k), 0);
		assert_int_equal(k.lines, 2);
		if (!more)
			break;
		ended++;
	}
	assert_true(ended > 8);
}

/* Two that find no log begin one. */
static void test_begun_by_another(void **state)
{
	struct audit_check k;
	struct audit b;

	(void)state;
	assert_int_equal(audit_open(&b, folder, master, true, &err), 0);
	assert_true(a.fresh && b.fresh);
	assert_int_equal(say("ONE"), 0);
	const struct audit_event e = { .action = "access_granted", .credential = span_of("TWO") };

	assert_int_equal(audit_append(&b, &e, 1, &err), 0);
	assert_int_equal(verify(NULL, &k), 0);
	assert_int_equal(k.lines, 2);
	audit_wipe(&b);
}

static void test_at_once(void **state)
{
	struct audit_check k;
	int status;

	(void)state;
	for (int w = 0; w < 4; w++)
		if (fork() == 0) {
			for (int i = 0; i < 50; i++)
				if (say("ONE") != 0)
					_exit(1);
			_exit(0);
		}
	for (int w = 0; w < 4; w++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(verify(NULL, &k), 0);
	assert_int_equal(k.lines, 200);
}

/* A line longer than 4 KiB is not written, and whoever waits for it keeps the secret. */
static void test_too_long(void **state)
{
	struct buf details;

	(void)state;
	buf_init(&details, 8192);
	while (buf_len(&details) < 5000)
		audit_detail(&details, "x", span_of("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"));
	const struct audit_event e = { "store", span_of("X"), buf_span(&details) };

	assert_int_equal(audit_append(&a, &e, 1, &err), ERR_LIMIT);
	assert_int_equal(slurp("audit.log", (uint8_t *)file, sizeof(file)), 0);
	buf_free(&details);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_chain), T(test_hands), T(test_edits),
		T(test_tail_is_checked), T(test_foreign), T(test_neutral), T(test_rotation), T(test_key),
		T(test_at_once), T(test_too_long), T(test_rotation_cut), T(test_beginning_cut), T(test_gone),
		T(test_restart_cut), T(test_begun_by_another) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
