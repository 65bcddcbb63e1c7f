#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/rand.h"
#include "crypto/hash.h"
#include "crypto/shani.h"

#define MOST 8

/* BearSSL and the instructions agree on any state and on any number of blocks. */
static void test_agree(void **state)
{
	uint8_t data[MOST * 64], ours[SHA256_LEN], theirs[SHA256_LEN];

	(void)state;
	if (!shani_there())
		skip();
	for (size_t n = 0; n <= sizeof(data); n += n % 3 ? 7 : 1) {
		const uint8_t *p;

		assert_int_equal(rand_bytes(data, n, NULL), 0);
		p = guard_put(data, n);
		for (int which = 0; which < 2; which++) {
			struct hash_sha1 h;

			hash_portable(which);
			hash_sha256(which ? theirs : ours, p, n);
			hash_sha1_init(&h);
			hash_sha1_add(&h, p, n);
			if (which) {
				uint8_t again[SHA1_LEN];

				assert_memory_equal(ours, theirs, SHA256_LEN);
				hash_sha1_out(&h, again);
				hash_portable(false);
				hash_sha1_init(&h);
				hash_sha1_add(&h, p, n);
				hash_sha1_out(&h, ours);
				assert_memory_equal(ours, again, SHA1_LEN);
			}
		}
	}
}

/* No block: nothing is read, nothing changes. */
static void test_none(void **state)
{
	uint32_t was[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, now[8];

	(void)state;
	if (!shani_there())
		skip();
	memcpy(now, was, sizeof(was));
	shani_sha1(now, NULL, 0);
	assert_memory_equal(was, now, sizeof(was));
	shani_sha256(now, NULL, 0);
	assert_memory_equal(was, now, sizeof(was));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agree),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
