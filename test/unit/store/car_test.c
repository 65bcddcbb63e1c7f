#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/buf.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "store/car.h"

/* Written out by hand from the CARv1 and CBOR texts: root and one block "hello\n" (CID of sha2-256
 * 5891b5b5…6be03). */
static const uint8_t archive[] =
	"\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00\x01\x55\x12\x20"
	"\x58\x91\xb5\xb5\x22\xd5\xdf\x08\x6d\x0f\xf0\xb1\x10\xfb\xd9\xd2"
	"\x1b\xb4\xfc\x71\x63\xaf\x34\xd0\x82\x86\xa2\xe8\x46\xf6\xbe\x03"
	"\x67version\x01"
	"\x2a\x01\x55\x12\x20"
	"\x58\x91\xb5\xb5\x22\xd5\xdf\x08\x6d\x0f\xf0\xb1\x10\xfb\xd9\xd2"
	"\x1b\xb4\xfc\x71\x63\xaf\x34\xd0\x82\x86\xa2\xe8\x46\xf6\xbe\x03"
	"hello\n";
#define HEADER 59
#define BLOCK 43

static void test_known_archive(void **state)
{
	uint8_t root[CAR_DIGEST_LEN], digest[CAR_DIGEST_LEN];
	struct span block;
	struct buf out;

	(void)state;
	assert_int_equal(sizeof archive - 1, HEADER + BLOCK);
	hash_sha256(digest, "hello\n", 6);
	buf_init(&out, BUF_MAX_ANY);
	car_put_header(&out, digest);
	car_put_block(&out, digest, "hello\n", 6);
	assert_int_equal(buf_len(&out), HEADER + BLOCK);
	assert_memory_equal(buf_data(&out), archive, HEADER + BLOCK);
	buf_free(&out);
	assert_int_equal(car_get_header(archive, HEADER + BLOCK, root, NULL), HEADER);
	assert_memory_equal(root, digest, CAR_DIGEST_LEN);
	memset(root, 0, sizeof root);
	assert_int_equal(car_get_block(archive + HEADER, BLOCK, root, &block, NULL), BLOCK);
	assert_memory_equal(root, digest, CAR_DIGEST_LEN);
	assert_true(span_eq(block, "hello\n"));
}

static void test_every_prefix(void **state)
{
	uint8_t digest[CAR_DIGEST_LEN];
	struct span block;

	(void)state;
	for (size_t n = 0; n < HEADER; n++)
		assert_int_equal(car_get_header(guard_put(archive, n), n, digest, NULL), -2);
	for (size_t n = 0; n < BLOCK; n++)
		assert_int_equal(car_get_block(guard_put(archive + HEADER, n), n, digest, &block, NULL), -2);
}

/* Any changed byte of a header but the digest's, and any of a block, is refused or asks for more. */
static void test_every_byte(void **state)
{
	uint8_t copy[HEADER + BLOCK], digest[CAR_DIGEST_LEN];
	struct span block;

	(void)state;
	for (size_t i = 0; i < HEADER + BLOCK; i++) {
		memcpy(copy, archive, sizeof copy);
		copy[i] ^= 0x01;
		if (i >= HEADER)
			assert_true(car_get_block(copy + HEADER, BLOCK, digest, &block, NULL) < 0);
		else if (i < 18 || i >= 50)
			assert_true(car_get_header(copy, sizeof copy, digest, NULL) < 0);
		else
			assert_int_equal(car_get_header(copy, sizeof copy, digest, NULL), HEADER);
	}
}

static void refused(const char *bytes, size_t n, const char *want)
{
	uint8_t digest[CAR_DIGEST_LEN];
	struct span block;
	struct err e;

	err_init(&e);
	assert_int_equal(car_get_block(guard_put(bytes, n), n, digest, &block, &e), -1);
	assert_int_equal(e.cls, ERR_DAMAGED);
	if (!strstr(e.msg, want))
		fail_msg("%s", e.msg);
}

static void test_bad_blocks(void **state)
{
	uint8_t digest[CAR_DIGEST_LEN];
	struct span block;

	(void)state;
	refused("\x80\x00", 2, "no varint");
	refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, "no varint");
	refused("\x00", 1, "without a CID");
	refused("\x23\x01\x55", 3, "without a CID");
	refused("\x24\x01\x70", 3, "whose CID");	/* dag-pb */
	refused("\x24\x12\x20", 3, "whose CID");	/* CIDv0 */
	refused("\x24\x01\x55\x1b", 4, "whose CID");	/* keccak */
	/* 36 + 72 MiB is the last that is waited for */
	assert_int_equal(car_get_block("\xa4\x80\x80\x24", 4, digest, &block, NULL), -2);
	refused("\xa5\x80\x80\x24", 4, "above 72 MiB");
	/* an empty block is one */
	struct buf out;
	buf_init(&out, BUF_MAX_ANY);
	hash_sha256(digest, "", 0);
	car_put_block(&out, digest, NULL, 0);
	assert_int_equal(car_get_block(buf_data(&out), buf_len(&out), digest, &block, NULL), 37);
	assert_int_equal(block.n, 0);
	buf_free(&out);
}

static void test_bad_headers(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{ "\x0a\xa1\x67version\x01", 11 },	/* no roots */
		{ "\x0a\xa1\x67version\x02", 11 },	/* the pragma of CARv2 */
		{ "\x5f\xa2\x65roots\x82", 9 },		/* two roots */
		{ "\x3a\xa2\x67version\x01\x65roots", 16 },
		{ "hello", 5 },
	};
	uint8_t root[CAR_DIGEST_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct err e;
		err_init(&e);
		assert_int_equal(car_get_header(guard_put(bad[i].bytes, bad[i].n), bad[i].n, root, &e), -1);
		assert_int_equal(e.cls, ERR_DAMAGED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_archive),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_bad_blocks),
		cmocka_unit_test(test_bad_headers),
	};

	return cmocka_run_group_tests_name("store/car", tests, NULL, NULL);
}
