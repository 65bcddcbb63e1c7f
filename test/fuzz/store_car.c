/*
 * store/car: the input is an archive. What is taken is written again byte for byte; no prefix of what is
 * taken is refused.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/car.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_same(struct buf *again, const uint8_t *p, ssize_t n)
{
	assert(!again->failed && buf_len(again) == (size_t)n && memcmp(buf_data(again), p, (size_t)n) == 0);
	buf_clear(again);
}

static ssize_t header(const uint8_t *p, size_t n, struct buf *again)
{
	uint8_t root[CAR_DIGEST_LEN];
	struct err e;

	err_init(&e);
	ssize_t r = car_get_header(p, n, root, &e);
	assert(r >= -2 && r <= (ssize_t)n && r != 0 && (r == -1) == (e.cls != 0));
	if (r < 0)
		return r;
	car_put_header(again, root);
	is_same(again, p, r);
	for (size_t i = 0; i < (size_t)r; i++)
		assert(car_get_header(p, i, root, NULL) == -2);
	return r;
}

static ssize_t block(const uint8_t *p, size_t n, struct buf *again)
{
	uint8_t digest[CAR_DIGEST_LEN];
	struct span body;
	struct err e;

	err_init(&e);
	ssize_t r = car_get_block(p, n, digest, &body, &e);
	assert(r >= -2 && r <= (ssize_t)n && r != 0 && (r == -1) == (e.cls != 0));
	if (r < 0)
		return r;
	assert((const uint8_t *)body.p >= p && (const uint8_t *)body.p + body.n == p + r);
	car_put_block(again, digest, body.p, body.n);
	is_same(again, p, r);
	for (size_t i = 0; i < (size_t)r; i++)
		assert(car_get_block(p, i, digest, &body, NULL) == -2);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf again;

	buf_init(&again, BUF_MAX_ANY);
	ssize_t r = header(data, size, &again);
	while (r > 0) {
		data += r;
		size -= (size_t)r;
		r = block(data, size, &again);
	}
	buf_free(&again);
	return 0;
}
