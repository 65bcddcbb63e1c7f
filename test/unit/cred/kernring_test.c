#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cm.h"
#include "cred/kernring.h"

#define NAME "ghoard:test:kernring"

static bool allowed(void)
{
	return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 1) >= 0;
}

static void test_round(void **state)
{
	char back[8];

	(void)state;
	if (!allowed()) {
		print_message("skipped: this kernel or container has no keyrings\n");
		skip();
	}
	assert_false(kernring_get(NAME, back, 6));
	assert_true(kernring_put(NAME, "secret", 6, 60));
	assert_true(kernring_get(NAME, back, 6));
	assert_memory_equal(back, "secret", 6);
	assert_false(kernring_get(NAME, back, 5));
	assert_true(kernring_put(NAME, "other!", 6, 60));
	assert_true(kernring_get(NAME, back, 6));
	assert_memory_equal(back, "other!", 6);
	kernring_drop(NAME);
	assert_false(kernring_get(NAME, back, 6));
	kernring_drop(NAME);
}

/* The kernel's own clock ends it. */
static void test_timeout(void **state)
{
	char back[8];

	(void)state;
	if (!allowed())
		skip();
	assert_true(kernring_put(NAME, "secret", 6, 1));
	assert_true(kernring_get(NAME, back, 6));
	usleep(1300000);
	assert_false(kernring_get(NAME, back, 6));
}

/* As Docker's seccomp does. */
static void deny(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_add_key, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_keyctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(77);
}

static void test_refused(void **state)
{
	static const int errors[] = { EPERM, ENOSYS };
	int status;

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			char back[8];

			deny(errors[i]);
			if (syscall(SYS_keyctl, 0, -3, 1) != -1 || errno != errors[i])
				_exit(2);
			kernring_drop(NAME);
			_exit(kernring_put(NAME, "secret", 6, 60) || kernring_get(NAME, back, 6));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
