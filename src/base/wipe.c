#include <string.h>

#include "base/str.h"
#include "base/wipe.h"

void wipe(void *p, size_t n)
{
	if (n == 0)
		return;
	memset(p, 0, n);
	/* The compiler must believe somebody reads the zeros. */
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

void secret_init(struct secret *s)
{
	s->len = 0;
	memset(s->bytes, 0, sizeof s->bytes);
}

bool secret_set(struct secret *s, struct span text)
{
	if (text.n > SECRET_MAX) {
		secret_wipe(s);
		return false;
	}
	/* memmove: a caller may trim a secret in place. */
	if (text.n)
		memmove(s->bytes, text.p, text.n);
	wipe(s->bytes + text.n, SECRET_MAX - text.n);
	s->len = text.n;
	return true;
}

bool secret_is_set(const struct secret *s)
{
	return s->len > 0;
}

void secret_wipe(struct secret *s)
{
	wipe(s, sizeof *s);
}
