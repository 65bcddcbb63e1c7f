#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/hex.h"
#include "tls/validity.h"

/* Made once with Python's cryptography. 1999-12-31 23:59:58 to 2049-12-31 23:59:59, both UTCTime. */
static const char utc[] =
	"3082012e3081d4a003020102020101300a06082a8648ce3d04030230163114301206035504030c0b67686f61726420746573"
	"74301e170d3939313233313233353935385a170d3439313233313233353935395a30163114301206035504030c0b67686f61"
	"726420746573743059301306072a8648ce3d020106082a8648ce3d03010703420004f2cdcb681a23d34137a164addeef2d97"
	"6ef6dff9c2560e80b2cb0cfafe4ea4e3f0341dcb048ea71436ef0d772ac9c25180b32454e1c1f3f0b8c742eb362b1a1ea313"
	"3011300f0603551d130101ff040530030101ff300a06082a8648ce3d0403020349003046022100e36e5896425e0c436fab70"
	"af265d6d65e3414674e8d9c7b068e7d27f65d09396022100db2093a0b6db7343472eac4eac7fa26a360d31b739be0e667bf8"
	"e8df5e958809";
/* 2026-01-02 03:04:05, UTCTime, to 2050-01-01 00:00:00, GeneralizedTime */
static const char generalized[] =
	"3082012f3081d6a003020102020101300a06082a8648ce3d04030230163114301206035504030c0b67686f61726420746573"
	"743020170d3236303130323033303430355a180f32303530303130313030303030305a30163114301206035504030c0b6768"
	"6f61726420746573743059301306072a8648ce3d020106082a8648ce3d03010703420004c3550f86d1daff89db2c054fcd48"
	"95d7c203565daae07e2faf355bd0f303ae55621f32044b42232d176f7cd3786e1eaf0eeac6f73aa89274856ba0c9e44beabc"
	"a3133011300f0603551d130101ff040530030101ff300a06082a8648ce3d040302034800304502203de19032ca913cb2ddc1"
	"f0da94ca3f3409bdea84cc92975f06227153b0c7ddd702210096420727b80535e22e9bd4619859ea5ba25e64a8d6c950b680"
	"765fdf7f1f537e";
/* The first without extensions, and so of version 1, which is not written. */
static const char v1[] =
	"308201143081ba020101300a06082a8648ce3d04030230163114301206035504030c0b67686f6172642074657374301e170d"
	"3939313233313233353935385a170d3439313233313233353935395a30163114301206035504030c0b67686f617264207465"
	"73743059301306072a8648ce3d020106082a8648ce3d03010703420004f2cdcb681a23d34137a164addeef2d976ef6dff9c2"
	"560e80b2cb0cfafe4ea4e3f0341dcb048ea71436ef0d772ac9c25180b32454e1c1f3f0b8c742eb362b1a1e300a06082a8648"
	"ce3d0403020349003046022100e36e5896425e0c436fab70af265d6d65e3414674e8d9c7b068e7d27f65d09396022100db20"
	"93a0b6db7343472eac4eac7fa26a360d31b739be0e667bf8e8df5e958809";

static uint8_t der[512];

static size_t decode(const char *hex)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= sizeof(der) && hex_decode(der, n, span_of(hex)));
	return n;
}

static bool parse(size_t n, struct validity *v)
{
	return validity_parse(span_make(guard_put(der, n), n), v);
}

static void test_certificates(void **state)
{
	static const struct {
		const char *hex, *from, *to;
	} certs[] = { { utc, "19991231235958", "20491231235959" },
		{ generalized, "20260102030405", "20500101000000" },
		{ v1, "19991231235958", "20491231235959" } };
	struct validity v;

	(void)state;
	for (size_t i = 0; i < COUNT(certs); i++) {
		assert_true(parse(decode(certs[i].hex), &v));
		assert_string_equal(v.not_before, certs[i].from);
		assert_string_equal(v.not_after, certs[i].to);
	}
}

/* Only the front is kept of a long one: enough once the second time is there, and no byte earlier. */
static void test_fronts(void **state)
{
	static const char *const certs[] = { utc, generalized, v1 };
	struct validity v;

	(void)state;
	for (size_t i = 0; i < COUNT(certs); i++) {
		size_t n = decode(certs[i]), end = n;

		while (end > 0 && parse(end, &v))
			end--;
		assert_in_range(end, 50, 120);
		for (size_t k = 0; k <= end; k++)
			assert_false(parse(k, &v));
		assert_true(parse(end + 1, &v));
		assert_string_equal(v.not_before, i == 1 ? "20260102030405" : "19991231235958");
		assert_string_equal(v.not_after, i == 1 ? "20500101000000" : "20491231235959");
	}
}

/* RFC 5280 §4.1.2.5.1: two digits of the year, 50 and above are 19xx; both forms end in Z. */
static void test_times(void **state)
{
	static const struct {
		const char *time, *want;	/* want NULL: none */
	} times[] = { { "491231235958Z", "20491231235958" }, { "500101000000Z", "19500101000000" },
		{ "991231235958Z", "19991231235958" }, { "000101000000Z", "20000101000000" },
		{ "9912312359580", NULL }, { "991231235958z", NULL }, { "99123123595 Z", NULL },
		{ "a91231235958Z", NULL }, { "99123123595.Z", NULL } };
	struct validity v;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		size_t n = decode(utc);
		uint8_t *at = memmem(der, n, "991231235958Z", 13);

		assert_non_null(at);
		memcpy(at, times[i].time, 13);
		bool ok = parse(n, &v);
		assert_int_equal(ok, times[i].want != NULL);
		if (ok)
			assert_string_equal(v.not_before, times[i].want);
	}
}

/* What comes out of any change is digits or nothing. */
static void test_damaged(void **state)
{
	struct validity v;
	size_t n = decode(generalized);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (unsigned c = 0; c < 256; c++) {
			uint8_t was = der[i];

			der[i] = (uint8_t)c;
			if (parse(n, &v)) {
				assert_int_equal(strspn(v.not_before, "0123456789"), VALIDITY_LEN);
				assert_int_equal(strspn(v.not_after, "0123456789"), VALIDITY_LEN);
			}
			der[i] = was;
		}
	assert_false(validity_parse(span_of(""), &v));
	assert_false(validity_parse(span_of("\x30\x80"), &v));
	assert_false(validity_parse(span_of("\x30\x84\xff\xff\xff\xff"), &v));
	assert_false(validity_parse(span_of("0123456789"), &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_fronts),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
