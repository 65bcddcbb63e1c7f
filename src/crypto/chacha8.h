/*
 * ChaCha20 (RFC 8439 §2.4) eight blocks at a time, on the AVX2 of x86-64; less than eight blocks at the end
 * are the caller's. Constant time, as the cipher is.
 */
#ifndef CRYPTO_CHACHA8_H
#define CRYPTO_CHACHA8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHACHA8_BYTES 512

/* Do the processor and the system have AVX2? */
bool chacha8_there(void);

/* XOR the key stream from block `counter` on into `data`, whose length is a multiple of CHACHA8_BYTES. The
 * counter wraps at 2^32. */
void chacha8_run(const uint8_t key[static 32], const uint8_t nonce[static 12], uint32_t counter,
    uint8_t *data, size_t n);

#endif
