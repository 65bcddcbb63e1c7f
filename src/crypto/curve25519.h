/*
 * Inside crypto/ only: the arithmetic of Curve25519 as vendor/libsodium.mk builds it. The macros decide about
 * its types and must be the same there.
 */
#ifndef CRYPTO_CURVE25519_H
#define CRYPTO_CURVE25519_H

#include <stdint.h>

#define CONFIGURED 1
#ifdef __SIZEOF_INT128__
#define HAVE_TI_MODE 1
#endif
#define NATIVE_LITTLE_ENDIAN 1
#include <private/ed25519_ref10.h>

#define CURVE25519_LEN 32

/* RFC 7748 §5 and RFC 8032 §5.1.5: of a scalar's bits the lowest three are 0, the two highest 01. */
void curve25519_clamp(uint8_t k[static CURVE25519_LEN]);

#endif
