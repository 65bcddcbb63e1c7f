/*
 * Overwriting what must not stay, and the one type that holds a secret.
 *
 * A `struct secret` is at most SECRET_MAX bytes, owned by who declared it, and wiped on every exit path with
 * secret_wipe. No log format accepts it; its bytes are reached only through the two fields.
 */
#ifndef BASE_WIPE_H
#define BASE_WIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span;

#define SECRET_MAX 4096

struct secret {
	size_t len;
	uint8_t bytes[SECRET_MAX];
};

void wipe(void *, size_t n);		/* not removed by the optimiser */
void secret_init(struct secret *);
bool secret_set(struct secret *, struct span);	/* false: longer than SECRET_MAX; the secret is empty then */
bool secret_is_set(const struct secret *);
void secret_wipe(struct secret *);

#endif
