/*
 * Text forms of bytes: base64 and base64url (RFC 4648 §4, §5), base32 lower-case without padding (RFC 4648
 * §6, the multibase 'b'), base58btc (the multibase 'z').
 *
 * Decoders are strict: no white space, no characters outside the alphabet, padding complete (base64) or
 * absent (the others), unused bits zero. They return the number of bytes, or -1; `size` bounds the output.
 */
#ifndef BASE_B64_H
#define BASE_B64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct span;
struct buf;

void b64_encode(struct buf *, const void *, size_t n);		/* padded */
void b64url_encode(struct buf *, const void *, size_t n);	/* not padded */
ssize_t b64_decode(uint8_t *out, size_t size, struct span);
ssize_t b64url_decode(uint8_t *out, size_t size, struct span);	/* padding allowed */

void b32_encode(struct buf *, const void *, size_t n);
ssize_t b32_decode(uint8_t *out, size_t size, struct span);	/* either case */

#define B58_MAX 128	/* bytes; the conversion is quadratic */
int b58_encode(struct buf *, const void *, size_t n);		/* -1: n > B58_MAX */
ssize_t b58_decode(uint8_t *out, size_t size, struct span);
ssize_t b36_decode(uint8_t *out, size_t size, struct span);	/* either case; the multibase 'k' */

#endif
