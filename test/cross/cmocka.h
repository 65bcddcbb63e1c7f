/*
 * As much of cmocka as the unit tests of `make cross` use, for machines whose cmocka the
 * distribution does not install beside this one's: same names, same closing lines. A failed assertion ends
 * its test. Every value is compared as uintmax_t, as cmocka does.
 */
#ifndef CROSS_CMOCKA_H
#define CROSS_CMOCKA_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*test)(void **);
	int (*setup)(void **);
	int (*teardown)(void **);
};

static jmp_buf cm_end;	/* where a failed or skipped test goes: with 1 or 2 */

#define cmocka_unit_test(f) { #f, f, NULL, NULL }
#define cmocka_unit_test_setup_teardown(f, s, t) { #f, f, s, t }
#define cmocka_run_group_tests(tests, setup, teardown) \
	cm_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
	cmocka_run_group_tests(tests, setup, teardown)

#define print_message(...) printf(__VA_ARGS__)
#define skip() longjmp(cm_end, 2)
#define fail() cm_fail(__FILE__, __LINE__, "fail()")
#define fail_msg(...) (printf(__VA_ARGS__), cm_fail(__FILE__, __LINE__, ""))

#define cm_assert(condition) ((condition) ? (void)0 : cm_fail(__FILE__, __LINE__, #condition))
/* each value is computed once */
#define cm_pair(a, op, b) do { \
	uintmax_t cm_a = (uintmax_t)(a), cm_b = (uintmax_t)(b); \
	if (!(cm_a op cm_b)) \
		cm_differ(cm_a, cm_b, __FILE__, __LINE__, #a " " #op " " #b); \
} while (0)
#define assert_true(a) cm_assert(a)
#define assert_false(a) cm_assert(!(a))
#define assert_null(a) cm_assert((a) == NULL)
#define assert_non_null(a) cm_assert((a) != NULL)
#define assert_ptr_equal(a, b) cm_assert((const void *)(a) == (const void *)(b))
#define assert_int_equal(a, b) cm_pair(a, ==, b)
#define assert_int_not_equal(a, b) cm_pair(a, !=, b)
#define assert_in_range(a, low, high) do { \
	uintmax_t cm_of = (uintmax_t)(a); \
	cm_pair(cm_of, >=, low); \
	cm_pair(cm_of, <=, high); \
} while (0)
#define assert_string_equal(a, b) cm_assert(strcmp(a, b) == 0)
#define assert_string_not_equal(a, b) cm_assert(strcmp(a, b) != 0)
#define assert_memory_equal(a, b, n) cm_assert(memcmp(a, b, n) == 0)
#define assert_memory_not_equal(a, b, n) cm_assert(memcmp(a, b, n) != 0)

static inline _Noreturn void cm_fail(const char *file, int line, const char *what)
{
	printf("%s:%d: not so: %s\n", file, line, what);
	longjmp(cm_end, 1);
}

static inline _Noreturn void cm_differ(uintmax_t a, uintmax_t b, const char *file, int line, const char *what)
{
	printf("%" PRIdMAX " and %" PRIdMAX ": ", (intmax_t)a, (intmax_t)b);
	cm_fail(file, line, what);
}

/* 0 passed, 1 failed, 2 skipped */
static inline int cm_one(const struct CMUnitTest *t)
{
	void *state = NULL;
	int how;

	if (t->setup != NULL && t->setup(&state) != 0)
		return 1;
	how = setjmp(cm_end);
	if (how == 0)
		t->test(&state);
	if (t->teardown != NULL && t->teardown(&state) != 0)
		return 1;
	return how;
}

static inline int cm_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **),
    int (*teardown)(void **))
{
	static int passed, failed;
	void *state = NULL;

	if (setup != NULL && setup(&state) != 0)
		failed++;
	for (size_t i = 0; i < n; i++) {
		int how = cm_one(&tests[i]);

		printf("[ %s ] %s\n", how == 0 ? "OK" : how == 1 ? "FAILED" : "SKIPPED", tests[i].name);
		passed += how == 0;
		failed += how == 1;
	}
	if (teardown != NULL && teardown(&state) != 0)
		failed++;
	printf("[  PASSED  ] %d test(s).\n", passed);
	if (failed > 0)
		printf("[  FAILED  ] %d test(s), listed below:\n", failed);
	return failed;
}

#endif
