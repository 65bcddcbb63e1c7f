#include <stdbool.h>
#include <string.h>

#include "codeql/ewah.h"

#define HEAD_LEN 8
#define TAIL_LEN 4

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

struct target {
	uint8_t *bytes;
	size_t n;
	uint64_t at;		/* the next bit; at most 2^32 words a marker, 2^29 markers */
};

static bool set_word(struct target *t, uint64_t word)
{
	for (int i = 0; i < 64; i++, t->at++) {
		if (!(word >> i & 1))
			continue;
		if (t->at >= t->n)
			return false;
		t->bytes[t->at] = 1;
	}
	return true;
}

static bool set_run(struct target *t, bool one, uint64_t words)
{
	if (!one) {
		t->at += 64 * words;
		return true;
	}
	if (t->at > t->n || words > (t->n - t->at) / 64)
		return false;
	memset(t->bytes + t->at, 1, 64 * words);
	t->at += 64 * words;
	return true;
}

ssize_t ewah_expand(struct span in, uint8_t *bytes, size_t n)
{
	const uint8_t *p = (const uint8_t *)in.p;
	struct target t = { .bytes = bytes, .n = n };

	if (in.n < HEAD_LEN + TAIL_LEN)
		return -1;
	size_t words = be32(p + 4);
	if (words > (in.n - HEAD_LEN - TAIL_LEN) / 8)
		return -1;
	for (size_t i = 0; i < words;) {
		uint64_t marker = be64(p + HEAD_LEN + 8 * i++);
		uint64_t literals = marker >> 33;

		if (!set_run(&t, marker & 1, marker >> 1 & UINT32_MAX) || literals > words - i)
			return -1;
		for (; literals > 0; literals--)
			if (!set_word(&t, be64(p + HEAD_LEN + 8 * i++)))
				return -1;
	}
	return (ssize_t)(HEAD_LEN + 8 * words + TAIL_LEN);
}
