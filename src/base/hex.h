/*
 * Lower-case hexadecimal.
 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span;

/* Writes 2n characters and a NUL. */
void hex_encode(char *out, const void *, size_t n);
/* Exactly 2n characters of either case; false otherwise. */
bool hex_decode(uint8_t *out, size_t n, struct span);
/* Only characters 0-9 a-f (A-F too when `upper`), at least one. */
bool hex_is(struct span, bool upper);

#endif
