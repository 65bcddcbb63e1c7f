#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/wipe.h"

/* Below this, growth copies and wipes the old block instead of realloc: a buffer that holds a secret (they
 * are small) leaves no copies behind in the heap. Above, bodies: mremap moves them without a second copy. */
#define WIPE_BELOW ((size_t)1 << 20)
#define CAP_MIN ((size_t)64)

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max < BUF_MAX_ANY ? max : BUF_MAX_ANY };
}

void buf_free(struct buf *b)
{
	free(b->base);
	buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
	wipe(b->base, b->cap);
	buf_free(b);
}

size_t buf_len(const struct buf *b)
{
	return b->end - b->off;
}

uint8_t *buf_data(const struct buf *b)
{
	return b->base ? b->base + b->off : NULL;
}

struct span buf_span(const struct buf *b)
{
	return span_make(buf_data(b), buf_len(b));
}

static bool move_to(struct buf *b, size_t cap)
{
	if (b->cap >= WIPE_BELOW) {
		uint8_t *moved = realloc(b->base, cap);
		if (!moved)
			return false;
		b->base = moved;
		b->cap = cap;
		return true;
	}
	uint8_t *base = malloc(cap);
	if (!base)
		return false;
	if (b->end)
		memcpy(base, b->base, b->end);
	wipe(b->base, b->cap);
	free(b->base);
	b->base = base;
	b->cap = cap;
	return true;
}

static void slide(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->off == 0)
		return;
	memmove(b->base, b->base + b->off, len);
	b->off = 0;
	b->end = len;
}

/* `need`: content, what is to come, and one for the NUL of buf_cstr. */
static bool grow(struct buf *b, size_t need)
{
	/* A slide is paid for by the bytes consumed since the last one; where fewer were, the block doubles,
	 * up to twice the ceiling, so that a full buffer drained in small pieces does not slide for each. */
	bool cheap = b->off >= buf_len(b);
	size_t ceiling = b->off ? 2 * (b->max + 1) : b->max + 1;

	slide(b);
	if (cheap && need <= b->cap)
		return true;
	size_t cap = b->cap < CAP_MIN ? CAP_MIN : 2 * b->cap;
	while (cap < need)
		cap *= 2;
	return move_to(b, cap < ceiling ? cap : ceiling);
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b);

	if (b->failed)
		return NULL;
	if (n > b->max - len) {
		b->failed = true;
		return NULL;
	}
	if (n >= b->cap - b->end && !grow(b, len + n + 1)) {
		b->failed = true;
		return NULL;
	}
	return b->base + b->end;
}

void buf_fit(struct buf *b)
{
	uint8_t *fit;

	if (buf_len(b) + 1 >= b->cap)
		return;
	slide(b);
	fit = realloc(b->base, b->end + 1);
	if (fit == NULL)
		return;
	b->base = fit;
	b->cap = b->end + 1;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->end);
	b->end += n;
}

/* musl's memcpy is one `rep movsq` on x86-64: 10 ns whatever the size, which is all of what a field of a head
 * costs. The fixed copies below are two moves each. */
static void copy(uint8_t *to, const uint8_t *p, size_t n)
{
	if (n > 64) {
		memcpy(to, p, n);
		return;
	}
	for (; n >= 8; n -= 8, to += 8, p += 8)
		memcpy(to, p, 8);
	while (n-- > 0)
		*to++ = *p++;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	uint8_t *to = buf_reserve(b, n);
	if (!to)
		return;
	copy(to, p, n);
	b->end += n;
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addi(struct buf *b, int64_t v)
{
	char room[STR_I64_LEN];

	buf_addspan(b, span_of_i64(room, v));
}

void buf_addspan(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_addv(b, fmt, ap);
	va_end(ap);
}

void buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	if (b->failed)
		return;
	va_copy(again, ap);
	size_t room = b->cap - b->end;
	int n = vsnprintf(b->base ? (char *)b->base + b->end : NULL, room, fmt, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < room && (size_t)n <= b->max - buf_len(b)) {
		b->end += (size_t)n;
	} else {
		/* buf_reserve leaves room for the NUL. */
		uint8_t *to = buf_reserve(b, (size_t)n);
		if (to) {
			vsnprintf((char *)to, (size_t)n + 1, fmt, again);
			b->end += (size_t)n;
		}
	}
	va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->off += n;
	if (b->off == b->end)
		b->off = b->end = 0;
}

void buf_clear(struct buf *b)
{
	b->off = b->end = 0;
	b->failed = false;
}

void buf_truncate(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->end = b->off + n;
}

const char *buf_cstr(struct buf *b)
{
	uint8_t *to = buf_reserve(b, 0);

	if (!to)
		return "";
	*to = '\0';
	return (const char *)buf_data(b);
}
