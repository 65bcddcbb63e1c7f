/*
 * Wycheproof's files, where they stand beside the checkout (../shared/data): text of one file, and its
 * members as bytes.
 */
#ifndef UNIT_CRYPTO_WYCHEPROOF_H
#define UNIT_CRYPTO_WYCHEPROOF_H

#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jscan.h"

#define WYCHEPROOF_BYTES 16384

/* The whole file; the test is skipped where there is none. */
static inline void wycheproof_open(const char *name, struct buf *b)
{
	const char *data = getenv("GHOARD_TEST_DATA");	/* <checkout>/test/data */
	char path[4096];

	buf_init(b, 8 << 20);
	if (data == NULL)
		skip();
	snprintf(path, sizeof(path), "%.*s/../shared/data/wycheproof/%s",
	    (int)(strlen(data) - strlen("/test/data")), data, name);
	if (file_read(path, 8 << 20, true, b, NULL) != 0)
		skip();
}

/* A member in hex as bytes, in `room`. */
static inline struct span wycheproof_hex(struct span test, const char *name,
    uint8_t room[static WYCHEPROOF_BYTES])
{
	struct span v;

	assert_int_equal(jscan_member(test, name, &v), 1);
	v = span_sub(v, 1, v.n - 2);
	assert_true(v.n / 2 <= WYCHEPROOF_BYTES);
	assert_true(v.n == 0 || hex_decode(room, v.n / 2, v));
	return span_make(room, v.n / 2);
}

static inline uint64_t wycheproof_number(struct span object, const char *name)
{
	struct span v;
	uint64_t n;

	assert_int_equal(jscan_member(object, name, &v), 1);
	assert_true(span_u64(v, UINT64_MAX, &n));
	return n;
}

static inline bool wycheproof_valid(struct span test)
{
	struct span v;

	assert_int_equal(jscan_member(test, "result", &v), 1);
	return jscan_str_eq(v, "valid");
}

/* Call `one` for each test of each group; the number of calls. */
static inline unsigned wycheproof_each(struct span file, void (*one)(struct span group, struct span test))
{
	struct span groups, group, tests, test, key;
	unsigned n = 0;

	assert_int_equal(jscan_member(file, "testGroups", &groups), 1);
	for (size_t g = 0; jscan_next(groups, &g, &key, &group) == 1;) {
		assert_int_equal(jscan_member(group, "tests", &tests), 1);
		for (size_t t = 0; jscan_next(tests, &t, &key, &test) == 1; n++)
			one(group, test);
	}
	return n;
}

#endif
