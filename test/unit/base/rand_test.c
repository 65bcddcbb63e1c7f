#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rand.h"
#include "cm.h"

/* The kernel gives at most 32 MiB less a byte in one call. */
static int large(void)
{
	size_t n = ((size_t)32 << 20) + 1000, zeros = 0;
	uint8_t *p = calloc(n, 1);

	if (!p || rand_bytes(p, n, NULL) != 0)
		return 0;
	for (size_t i = n - 1000; i < n; i++)
		zeros += p[i] == 0;
	free(p);
	return zeros < 100;
}

/* No byte position stays zero over 16 draws (chance 256^-16 each), nor a single byte over 64; nothing stays
 * open. */
static int looks_random(void)
{
	uint8_t a[1000], any[1000] = { 0 }, one = 0, byte = 0;

	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(fd);
	for (int i = 0; i < 64; i++) {
		if (rand_bytes(&byte, 1, NULL) != 0)
			return 0;
		one |= byte;
	}
	if (!one || !large())
		return 0;

	for (int i = 0; i < 16; i++) {
		memset(a, 0, sizeof a);
		if (rand_bytes(a, sizeof a, NULL) != 0)
			return 0;
		for (size_t k = 0; k < sizeof a; k++)
			any[k] |= a[k];
	}
	int again = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(again);
	return again == fd && memchr(any, 0, sizeof any) == NULL;
}

static void test_bytes(void **state)
{
	uint8_t edge[3] = { 1, 2, 3 };

	(void)state;
	assert_true(looks_random());
	assert_int_equal(rand_bytes(edge, 0, NULL), 0);
	assert_int_equal(edge[0], 1);
}

static void test_below(void **state)
{
	unsigned seen[7] = { 0 };

	(void)state;
	assert_int_equal(rand_below(1), 0);
	for (int i = 0; i < 7000; i++) {
		uint32_t x = rand_below(7);
		assert_true(x < 7);
		seen[x]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 700, 1300);
}

/* From here on getrandom, and perhaps openat, answer with an error, as an old kernel or a sandbox would. */
static int deny(long first, long second, unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)first, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)second, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { COUNT(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

#define NO_SECCOMP 77

static int in_child(int (*what)(void))
{
	int status;

	pid_t pid = fork();
	if (pid == 0)
		_exit(what());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_SECCOMP)
		skip();
	return WEXITSTATUS(status);
}

static int old_kernel(void)
{
	if (deny(SYS_getrandom, SYS_getrandom, ENOSYS) < 0)
		return NO_SECCOMP;
	return looks_random() ? 0 : 1;
}

static int no_source(void)
{
	uint8_t b[16] = { 0 };
	struct err e;

	err_init(&e);
	if (deny(SYS_getrandom, SYS_openat, ENOSYS) < 0)
		return NO_SECCOMP;
	if (rand_bytes(b, sizeof b, &e) != ERR_IO || e.cls != ERR_IO || b[0] || !strstr(e.msg, "/dev/random"))
		return 1;
	/* Not a secret: better some number than none. */
	uint32_t x = rand_below(1u << 30);
	for (int i = 0; i < 8; i++)
		if (rand_below(1u << 30) != x)
			return 0;
	return 2;
}

static int refused(void)
{
	uint8_t b[16];

	if (deny(SYS_getrandom, SYS_getrandom, EPERM) < 0)
		return NO_SECCOMP;
	return rand_bytes(b, sizeof b, NULL) == ERR_IO ? 0 : 1;
}

static void test_old_kernel(void **state)
{
	(void)state;
	assert_int_equal(in_child(old_kernel), 0);
}

static void test_no_source(void **state)
{
	(void)state;
	assert_int_equal(in_child(no_source), 0);
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(in_child(refused), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_old_kernel),
		cmocka_unit_test(test_no_source),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
