#include <assert.h>

#include "base/varint.h"

size_t varint_put(uint8_t out[static VARINT_MAX_LEN], uint64_t v)
{
	size_t n = 0;

	assert(v >> 63 == 0);
	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

int varint_get(const void *p, size_t n, uint64_t *v)
{
	const uint8_t *b = p;
	uint64_t sum = 0;

	for (unsigned i = 0; i < VARINT_MAX_LEN; i++) {
		if (i == n)
			return -2;
		sum |= (uint64_t)(b[i] & 0x7f) << 7 * i;
		if (b[i] & 0x80)
			continue;
		/* A last byte of zero adds nothing: a shorter form exists. */
		if (b[i] == 0 && i > 0)
			return -1;
		*v = sum;
		return (int)i + 1;
	}
	return -1;
}
