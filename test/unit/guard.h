/*
 * Input that ends where the address space does: a parser that reads one byte too far dies on the spot, also
 * in what the sanitizers do not see into. The copy is good until the next call.
 */
#ifndef UNIT_GUARD_H
#define UNIT_GUARD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD_PAGE ((size_t)4096)

static inline const void *guard_put(const void *p, size_t n)
{
	static uint8_t *base;
	static size_t pages;
	size_t want = n / GUARD_PAGE + 1;

	if (want > pages) {
		if (base)
			munmap(base, (pages + 1) * GUARD_PAGE);
		base = mmap(NULL, (want + 1) * GUARD_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (base == MAP_FAILED || mprotect(base + want * GUARD_PAGE, GUARD_PAGE, PROT_NONE) < 0)
			abort();
		pages = want;
	}
	uint8_t *to = base + pages * GUARD_PAGE - n;
	if (n)
		memcpy(to, p, n);
	return to;
}

#endif
