#include <stddef.h>

#include "crypto/curve25519.h"

void curve25519_clamp(uint8_t k[static CURVE25519_LEN])
{
	k[0] &= 248;
	k[31] &= 127;
	k[31] |= 64;
}

/* The library's arithmetic asks for it; its own file of such helpers would bring much else along. */
int sodium_is_zero(const unsigned char *p, const size_t n)
{
	volatile unsigned char any = 0;

	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return 1 & ((any - 1) >> 8);
}
