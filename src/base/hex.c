#include "base/hex.h"
#include "base/str.h"

void hex_encode(char *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 15];
	}
	*out = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(uint8_t *out, size_t n, struct span text)
{
	if (text.n % 2 || text.n / 2 != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_value(text.p[2 * i]);
		int lo = hex_value(text.p[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

bool hex_is(struct span text, bool upper)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (hex_value(c) < 0 || (!upper && c >= 'A' && c <= 'F'))
			return false;
	}
	return text.n > 0;
}
