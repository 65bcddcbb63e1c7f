#include <string.h>

#include <bearssl.h>

#include "crypto/x25519.h"

/* The library clamps the scalar and ignores the point's highest bit (RFC 7748 §5). */
void x25519_public(uint8_t pub[static X25519_LEN], const uint8_t key[static X25519_LEN])
{
	br_ec_c25519_m31.mulgen(pub, key, X25519_LEN, BR_EC_curve25519);
}

bool x25519(uint8_t secret[static X25519_LEN], const uint8_t key[static X25519_LEN],
    const uint8_t pub[static X25519_LEN])
{
	uint8_t any = 0;

	memmove(secret, pub, X25519_LEN);
	br_ec_c25519_m31.mul(secret, X25519_LEN, key, X25519_LEN, BR_EC_curve25519);
	for (unsigned i = 0; i < X25519_LEN; i++)
		any |= secret[i];
	return any != 0;
}
