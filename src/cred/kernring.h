/*
 * The kernel's keyring as a cache of the unlocked master key (add_key(2), keyctl(2)): a `user` key in the
 * session's keyring, which the kernel itself takes away after a time. Never the only copy. Where a container
 * or a kernel does not let us (EPERM, ENOSYS), there is no cache and no error.
 */
#ifndef CRED_KERNRING_H
#define CRED_KERNRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNRING_NAME_MAX 64

/* Keep `n` bytes for `seconds`; false: it cannot. */
bool kernring_put(const char *name, const void *, size_t n, unsigned seconds);
/* Exactly `n` bytes of what is there; false: nothing, or another size. */
bool kernring_get(const char *name, void *, size_t n);
void kernring_drop(const char *name);

#endif
