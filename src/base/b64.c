#include <stdbool.h>
#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/str.h"

struct alphabet {
	const char *letters;
	unsigned bits;		/* a letter stands for */
	unsigned group;		/* letters in a full group */
	bool pad;		/* when encoding */
};

static const struct alphabet base64 = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, 4, true
};
static const struct alphabet base64url = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6, 4, false
};
static const struct alphabet base32 = { "abcdefghijklmnopqrstuvwxyz234567", 5, 8, false };

static void encode(struct buf *b, const struct alphabet *a, const uint8_t *p, size_t n)
{
	size_t letters = n / a->bits * 8 + (n % a->bits * 8 + a->bits - 1) / a->bits;
	size_t total = a->pad ? (letters + a->group - 1) / a->group * a->group : letters;
	uint8_t *out = buf_reserve(b, total);
	uint32_t acc = 0;
	unsigned have = 0;

	if (!out)
		return;
	buf_commit(b, total);
	for (; a->bits == 6 && n >= 3; n -= 3, p += 3) {
		acc = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*out++ = (uint8_t)a->letters[acc >> 18];
		*out++ = (uint8_t)a->letters[acc >> 12 & 63];
		*out++ = (uint8_t)a->letters[acc >> 6 & 63];
		*out++ = (uint8_t)a->letters[acc & 63];
	}
	acc = 0;
	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | p[i];
		for (have += 8; have >= a->bits; have -= a->bits)
			*out++ = (uint8_t)a->letters[acc >> (have - a->bits) & ((1u << a->bits) - 1)];
	}
	if (have)
		*out++ = (uint8_t)a->letters[acc << (a->bits - have) & ((1u << a->bits) - 1)];
	memset(out, '=', total - letters);
}

static int value64(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == c62 ? 62 : c == c63 ? 63 : -1;
}

static int value32(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* `text` without its padding. */
static ssize_t decode(uint8_t *out, size_t size, const struct alphabet *a, struct span text)
{
	size_t n = text.n / 8 * a->bits + text.n % 8 * a->bits / 8, at = 0;
	uint32_t acc = 0;
	unsigned have = 0;

	if (n > size)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		int v = a->bits == 5 ? value32(c) : value64(c, a->letters[62], a->letters[63]);
		if (v < 0)
			return -1;
		acc = acc << a->bits | (unsigned)v;
		have += a->bits;
		if (have >= 8) {
			have -= 8;
			out[at++] = (uint8_t)(acc >> have);
		}
	}
	/* A whole letter left over carries no byte: no encoder writes it. Nor does one set the bits that are
	 * not used. */
	if (have >= a->bits || acc & ((1u << have) - 1))
		return -1;
	return (ssize_t)at;
}

/* Take "=" or "==" off the end of text whose length is a multiple of four. */
static struct span unpad(struct span text)
{
	for (int i = 0; i < 2; i++)
		if (span_ends(text, "="))
			text.n--;
	return text;
}

void b64_encode(struct buf *b, const void *p, size_t n)
{
	encode(b, &base64, p, n);
}

void b64url_encode(struct buf *b, const void *p, size_t n)
{
	encode(b, &base64url, p, n);
}

ssize_t b64_decode(uint8_t *out, size_t size, struct span text)
{
	if (text.n % 4)
		return -1;
	return decode(out, size, &base64, unpad(text));
}

ssize_t b64url_decode(uint8_t *out, size_t size, struct span text)
{
	return decode(out, size, &base64url, text.n % 4 ? text : unpad(text));
}

void b32_encode(struct buf *b, const void *p, size_t n)
{
	encode(b, &base32, p, n);
}

ssize_t b32_decode(uint8_t *out, size_t size, struct span text)
{
	return decode(out, size, &base32, text);
}

static const char base58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* A byte takes log(256) / log(58) = 1.366 letters. */
#define B58_LETTERS (B58_MAX * 137 / 100 + 1)

static size_t leading(const void *p, size_t n, uint8_t c)
{
	const uint8_t *b = p;
	size_t i = 0;

	while (i < n && b[i] == c)
		i++;
	return i;
}

/* num = num * times + add, where num has `n` digits to `base`, the last the least; returns how many it has
 * after. */
static size_t times_add(uint8_t *end, size_t n, unsigned base, unsigned times, unsigned add)
{
	uint8_t *d = end;

	for (size_t i = 0; i < n; i++) {
		unsigned v = *--d * times + add;
		*d = (uint8_t)(v % base);
		add = v / base;
	}
	for (; add; add /= base, n++)
		*--d = (uint8_t)(add % base);
	return n;
}

int b58_encode(struct buf *b, const void *p, size_t n)
{
	const uint8_t *in = p;
	uint8_t digits[B58_LETTERS];
	size_t len = 0;

	if (n > B58_MAX)
		return -1;
	size_t zeros = leading(in, n, 0);
	for (size_t i = zeros; i < n; i++)
		len = times_add(digits + sizeof digits, len, 58, 256, in[i]);
	/* A zero byte at the front has no weight; each is kept as the letter for 0. */
	for (size_t i = 0; i < zeros; i++)
		buf_addc(b, base58[0]);
	for (size_t i = sizeof digits - len; i < sizeof digits; i++)
		buf_addc(b, base58[digits[i]]);
	return 0;
}

/* Base 36 in either case, which need not be the same throughout: nothing depends on it. */
static int value36(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : -1;
}

static int value58(uint8_t c)
{
	const char *at = c ? strchr(base58, c) : NULL;

	return at ? (int)(at - base58) : -1;
}

static ssize_t decode_number(uint8_t *out, size_t size, struct span text, unsigned base)
{
	uint8_t bytes[B58_LETTERS];
	size_t len = 0;

	size_t zeros = leading(text.p, text.n, base == 58 ? (uint8_t)base58[0] : '0');
	/* A letter is less than a byte: the number fits `bytes`. */
	if (zeros > B58_MAX || text.n - zeros > B58_LETTERS)
		return -1;
	for (size_t i = zeros; i < text.n; i++) {
		int v = base == 58 ? value58((uint8_t)text.p[i]) : value36((uint8_t)text.p[i]);
		if (v < 0)
			return -1;
		len = times_add(bytes + sizeof bytes, len, 256, base, (unsigned)v);
	}
	if (zeros + len > size || zeros + len > B58_MAX)
		return -1;
	memset(out, 0, zeros);
	memcpy(out + zeros, bytes + sizeof bytes - len, len);
	return (ssize_t)(zeros + len);
}

ssize_t b58_decode(uint8_t *out, size_t size, struct span text)
{
	return decode_number(out, size, text, 58);
}

ssize_t b36_decode(uint8_t *out, size_t size, struct span text)
{
	return decode_number(out, size, text, 36);
}
