/*
 * Bytes written as hexadecimal, and the shared vectors.
 */
#ifndef UNIT_P2P_BYTES_H
#define UNIT_P2P_BYTES_H

#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/str.h"

/* Into `room`; the number of bytes. */
static inline size_t bytes_of(const char *hex, uint8_t *room, size_t size)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= size);
	assert_true(n == 0 || hex_decode(room, n, span_of(hex)));
	return n;
}

/* What a buffer holds is this. */
static inline void bytes_expect(struct span got, const char *hex)
{
	char *text = malloc(2 * got.n + 1);

	hex_encode(text, got.p, got.n);
	assert_string_equal(text, hex);
	free(text);
}

/* A file of ../shared/data, or skip. */
static inline void bytes_shared(const char *name, struct buf *b)
{
	const char *data = getenv("GHOARD_TEST_DATA");	/* <checkout>/test/data */
	char path[4096];

	buf_init(b, 8 << 20);
	if (data == NULL)
		skip();
	snprintf(path, sizeof(path), "%.*s/../shared/data/%s", (int)(strlen(data) - strlen("/test/data")),
	    data, name);
	if (file_read(path, 8 << 20, true, b, NULL) != 0)
		skip();
}

#endif
