#include "../guard.h"
#include "bytes.h"
#include "p2p/protobuf.h"

static int next(const char *hex, struct span *rest, struct protobuf_field *f)
{
	static uint8_t room[256];
	size_t n = bytes_of(hex, room, sizeof(room));

	*rest = span_make(guard_put(room, n), n);
	return protobuf_next(rest, f);
}

static void test_fields(void **state)
{
	struct protobuf_field f;
	struct span rest;

	(void)state;
	/* encoding.md: field 1 = 150; field 2 = "testing" */
	assert_int_equal(next("089601120774657374696e67", &rest, &f), 1);
	assert_true(f.number == 1 && f.kind == PROTOBUF_VARINT && f.value == 150);
	assert_int_equal(protobuf_next(&rest, &f), 1);
	assert_true(f.number == 2 && f.kind == PROTOBUF_BYTES && span_eq(f.bytes, "testing"));
	assert_int_equal(protobuf_next(&rest, &f), 0);
	/* ten bytes: -1; not the shortest form; fixed widths; the largest number of a field */
	assert_int_equal(next("08ffffffffffffffffff01", &rest, &f), 1);
	assert_true(f.value == UINT64_MAX);
	assert_int_equal(next("088000", &rest, &f), 1);
	assert_int_equal(f.value, 0);
	assert_int_equal(next("0901020304050607080801", &rest, &f), 1);
	assert_true(f.kind == PROTOBUF_OTHER && rest.n == 2);
	assert_int_equal(next("0d01020304", &rest, &f), 1);
	assert_true(f.kind == PROTOBUF_OTHER && rest.n == 0);
	assert_int_equal(next("f8ffffff0f00", &rest, &f), 1);
	assert_int_equal(f.number, (1u << 29) - 1);
	assert_int_equal(next("1200", &rest, &f), 1);
	assert_int_equal(f.bytes.n, 0);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = { "08", "0880", "08ffffffffffffffffffff01", "00", "0000", "0b", "0c",
		"0f", "1201", "12ffffffffffffffffff01", "0901020304050607", "0d010203", "80",
		"f8ffffff1f00" };
	struct protobuf_field f;
	struct span rest;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(next(bad[i], &rest, &f), -1);
}

static void test_writing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	protobuf_put_varint(&b, 1, 150);
	protobuf_put_bytes(&b, 2, span_of("testing"));
	protobuf_put_varint(&b, 16, UINT64_MAX);
	bytes_expect(buf_span(&b), "089601120774657374696e678001ffffffffffffffffff01");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_writing),
	};

	return cmocka_run_group_tests_name("p2p/protobuf", tests, NULL, NULL);
}
