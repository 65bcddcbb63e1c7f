#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "p2p/keyfile.h"

struct place {
	char folder[64], path[128], copy[128];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->folder, "/tmp/keyfile-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/" KEYFILE_NAME, p->folder);
	snprintf(p->copy, sizeof(p->copy), "%s/other", p->folder);
	assert_int_equal(mkdir(p->copy, 0700), 0);
	strcat(p->copy, "/" KEYFILE_NAME);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	unlink(p->copy);
	*strrchr(p->copy, '/') = '\0';
	rmdir(p->copy);
	rmdir(p->folder);
	free(p);
	return 0;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write(AT_FDCWD, path, 0600, false, text, strlen(text), NULL), 0);
}

static void test_stays_the_same(void **state)
{
	struct place *p = *state;
	struct ed25519_key a, b;
	struct stat st;
	struct err err;

	for (int bound = 0; bound < 2; bound++) {
		unlink(p->path);
		err_init(&err);
		assert_int_equal(keyfile_load(p->path, bound, &a, &err), 0);
		assert_int_equal(err.cls, 0);
		assert_int_equal(keyfile_load(p->path, bound, &b, &err), 0);
		assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(stat(p->path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void copy_to(const struct place *p)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(file_read(p->path, 4096, false, &b, NULL), 0);
	put(p->copy, buf_cstr(&b));
	buf_free(&b);
}

static void test_a_copy_is_another(void **state)
{
	struct place *p = *state;
	struct ed25519_key a, b, c;

	assert_int_equal(keyfile_load(p->path, true, &a, NULL), 0);
	copy_to(p);
	assert_int_equal(keyfile_load(p->copy, true, &b, NULL), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_int_equal(keyfile_load(p->copy, true, &c, NULL), 0);
	assert_memory_equal(&b, &c, sizeof(b));
	/* one that is bound to no place may go where it likes */
	unlink(p->path);
	assert_int_equal(keyfile_load(p->path, false, &a, NULL), 0);
	copy_to(p);
	assert_int_equal(keyfile_load(p->copy, true, &b, NULL), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void test_form(void **state)
{
	static const char *const bad[] = { "", "\n", "x\n-\n", "CAESQA==\n-\n",
		"CAESQH4IMGF8Sn3oOSXfsmlFVrEpNsR3oOH+suFI7J2mD+59AAAAAAAAAAAA"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-\n" };
	struct place *p = *state;
	struct ed25519_key key;
	struct err err;

	for (size_t i = 0; i < COUNT(bad); i++) {
		put(p->path, bad[i]);
		err_init(&err);
		/* the last: its public half is not that of its seed */
		assert_int_equal(keyfile_load(p->path, true, &key, &err), ERR_DAMAGED);
		assert_non_null(strstr(err.msg, p->path));
	}
}

static void test_others_may_read(void **state)
{
	struct place *p = *state;
	struct ed25519_key key;
	struct err err;

	assert_int_equal(keyfile_load(p->path, true, &key, NULL), 0);
	assert_int_equal(chmod(p->path, 0640), 0);
	err_init(&err);
	assert_int_equal(keyfile_load(p->path, true, &key, &err), ERR_DENIED);
}

static void test_no_folder(void **state)
{
	struct ed25519_key key, none;
	struct err err;

	(void)state;
	memset(&key, 0, sizeof(key));
	none = key;
	err_init(&err);
	assert_int_equal(keyfile_load("/nowhere/at/all/" KEYFILE_NAME, false, &key, &err), ERR_IO);
	assert_memory_not_equal(&key, &none, sizeof(key));
	err_init(&err);
	assert_int_equal(keyfile_load("/nowhere/at/all/" KEYFILE_NAME, true, &key, &err), ERR_IO);
}

static void test_held_by_one(void **state)
{
	struct place *p = *state;
	struct ed25519_key key;
	int a, b;

	assert_true(keyfile_hold(p->path, &a));		/* there is none to hold */
	assert_int_equal(a, -1);
	assert_int_equal(keyfile_load(p->path, true, &key, NULL), 0);
	assert_true(keyfile_hold(p->path, &a));
	assert_true(a >= 0);
	assert_false(keyfile_hold(p->path, &b));
	assert_int_equal(b, -1);
	close(a);
	assert_true(keyfile_hold(p->path, &b));
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(stays_the_same), T(a_copy_is_another), T(form), T(others_may_read), T(no_folder),
		T(held_by_one),
	};

	return cmocka_run_group_tests_name("p2p/keyfile", tests, NULL, NULL);
}
