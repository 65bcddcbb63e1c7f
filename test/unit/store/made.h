/*
 * Entries as the tests of store/ make them.
 */
#ifndef UNIT_STORE_MADE_H
#define UNIT_STORE_MADE_H

#include <string.h>

#include "../base/cm.h"
#include "base/err.h"
#include "store/entry.h"

#define KEY "get_repo_info:/repos/o/r:0123456789abcdef"
#define TAG "00112233445566778899aabbccddeeff"
#define TAG2 "ffeeddccbbaa99887766554433221100"
#define BODY "{\"id\":1,\"name\":\"r\"}"
#define WHEN ((int64_t)1795353600250000)

static const uint8_t made_key[ENTRY_PROOF_KEY_LEN] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 };

/* An answer to an HTTP request of one token; the caller changes what it likes. */
static inline struct entry_parts made_parts(void)
{
	static const struct entry_header headers[] = { { { "content-type", 12 },
							   { "application/json; charset=utf-8", 31 } },
		{ { "etag", 4 }, { "W/\"abc\"", 7 } } };

	return (struct entry_parts){ .key = span_of(KEY),
		.url = span_of("https://api.github.com/repos/o/r"),
		.auth = span_of(TAG),
		.variant = span_of("{\"profile\":\"ghoard-1\",\"body\":\"\"}"),
		.proof_key = made_key,
		.timestamp = WHEN,
		.ttl = 300,
		.status = 200,
		.headers = headers,
		.nheaders = 2,
		.body = span_of(BODY) };
}

static inline struct entry *made(const struct entry_parts *p)
{
	struct entry *e = NULL;
	struct err err;

	err_init(&err);
	assert_int_equal(entry_build(p, &e, &err), 0);
	assert_non_null(e);
	return e;
}

/* The bytes parsed as a file; NULL: refused, as damaged or as of another version. */
static inline struct entry *parsed(const void *p, size_t n)
{
	struct entry *e = NULL;
	struct buf b;
	int rc;

	buf_init(&b, ENTRY_FILE_MAX);
	buf_add(&b, p, n);
	rc = entry_parse(&b, &e, NULL);
	assert_true(rc == 0 || rc == ERR_DAMAGED || rc == ERR_NOTFOUND);
	assert_int_equal(buf_len(&b), 0);
	return rc == 0 ? e : NULL;
}

static inline struct entry *parsed_text(const char *text)
{
	return parsed(text, strlen(text));
}

#endif
