#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/buf.h"
#include "codeql/gitpack.h"

#define IDX (8 + 1024 + 3 * 28 + 8 + 40)

/* Three objects, of which the last stands beyond 2 GiB: ids 00…, 01…, ff…. */
static void make_idx(uint8_t idx[static IDX])
{
	uint8_t *ids = idx + 8 + 1024, *at = ids + 60 + 12;

	memset(idx, 0, IDX);
	memcpy(idx, "\377tOc\0\0\0\2", 8);
	for (size_t i = 0; i < 256; i++)
		idx[8 + 4 * i + 3] = i == 0 ? 1 : i < 255 ? 2 : 3;
	memset(ids, 0, 20);
	memset(ids + 20, 1, 20);
	memset(ids + 40, 0xff, 20);
	at[3] = 12;
	at[6] = 1;
	at[8] = 0x80;
	memcpy(at + 12, "\0\0\0\1\0\0\0\5", 8);
}

static bool find(const uint8_t *idx, size_t n, uint8_t id, uint64_t *at)
{
	uint8_t key[20];

	memset(key, id, sizeof(key));
	return gitpack_find(span_make(guard_put(idx, n), n), OBJID_SHA1, key, at);
}

static void test_find(void **state)
{
	uint8_t idx[IDX];
	uint64_t at = 0;

	(void)state;
	make_idx(idx);
	assert_true(find(idx, IDX, 0, &at) && at == 12);
	assert_true(find(idx, IDX, 1, &at) && at == 256);
	assert_true(find(idx, IDX, 0xff, &at) && at == 0x100000005);
	assert_false(find(idx, IDX, 2, &at));
	assert_false(find(idx, IDX, 0xfe, &at));
	for (size_t n = 0; n < IDX - 8; n++)
		find(idx, n, 0xff, &at);
	assert_false(find(idx, IDX - 8, 0xff, &at));
	for (size_t i = 0; i < IDX; i++) {
		idx[i] ^= 0x81;
		find(idx, IDX, 0xff, &at);
		find(idx, IDX, 0, &at);
		idx[i] ^= 0x81;
	}
	idx[7] = 1;
	assert_false(find(idx, IDX, 0, &at));
}

static bool entry(const char *text, size_t n, uint64_t at, struct gitpack_entry *e)
{
	uint8_t pack[200] = "PACK\0\0\0\2\0\0\0\1";

	memset(pack + 12, 'z', sizeof(pack) - 12);
	memcpy(pack + at, text, n);
	return gitpack_entry(span_make(guard_put(pack, at + n + 20), at + n + 20), OBJID_SHA1, at, e);
}

static void test_entries(void **state)
{
	struct gitpack_entry e;

	(void)state;
	assert_true(entry("\x9f\x03zip", 5, 12, &e));
	assert_true(e.type == GITPACK_COMMIT && e.size == 63 && e.data.n == 3 &&
	    memcmp(e.data.p, "zip", 3) == 0);
	/* git's own example of an offset: 0x80 0x00 is 128 */
	assert_true(entry("\x61\x80\x00", 3, 140, &e) && e.type == GITPACK_NEAR && e.base_at == 12);
	assert_true(entry("\x61\x01", 2, 20, &e) && e.base_at == 19);
	assert_false(entry("\x61\x00", 2, 20, &e));
	assert_false(entry("\x61\x09", 2, 20, &e));
	assert_false(entry("\x61\x80", 2, 140, &e));
	assert_true(entry("\x71" "12345678901234567890zip", 24, 12, &e));
	assert_true(e.type == GITPACK_FAR && memcmp(e.base_id, "12345678901234567890", 20) == 0 &&
	    e.data.n == 3);
	assert_false(entry("\x71" "1234567890123456789", 20, 12, &e));
	assert_false(entry("\x01", 1, 12, &e));
	assert_false(entry("\x51", 1, 12, &e));
	assert_false(entry("\x9f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, 12, &e));
	assert_false(entry("\x9f", 1, 12, &e));
	assert_false(gitpack_entry(span_of("PACK"), OBJID_SHA1, 12, &e));
}

static bool delta(const char *base, const char *d, size_t n, const char *want)
{
	struct buf out;
	bool ok;

	buf_init(&out, 1000);
	buf_adds(&out, "-");
	ok = gitpack_delta(span_of(base), span_make(guard_put(d, n), n), &out);
	if (ok)
		assert_string_equal(buf_cstr(&out) + 1, want);
	buf_free(&out);
	return ok;
}

static void test_deltas(void **state)
{
	(void)state;
	assert_true(delta("hello world",
	    "\x0b\x0a"
	    "\x91\x06\x05"
	    "\x03"
	    " to"
	    "\x91\x00\x02",
	    12, "world tohe"));
	assert_true(delta("", "\x00\x02\x02" "ab", 5, "ab"));
	assert_false(delta("hello world", "\x0a\x05\x91\x06\x05", 5, ""));	/* another base */
	assert_false(delta("hello world", "\x0b\x04\x91\x06\x05", 5, ""));	/* another length */
	assert_false(delta("hello world", "\x0b\x06\x91\x06\x06", 5, ""));	/* beyond the base */
	assert_false(delta("hello world", "\x0b\x05\x91\x06", 4, ""));
	assert_false(delta("hello world", "\x0b\x05\x05" "abcd", 7, ""));
	assert_false(delta("hello world", "\x0b\x00\x00", 3, ""));		/* reserved */
	assert_false(delta("hello world", "\x0b\x05\x80", 3, ""));		/* 64 KiB of it */
	assert_false(delta("hello world", "\x0b", 1, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_deltas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
