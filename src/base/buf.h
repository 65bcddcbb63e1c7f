/*
 * A growable byte buffer with a ceiling: bytes are appended at the end and consumed from the front.
 *
 * Growth doubles. An append that would pass `max` or finds no memory sets the sticky `failed` and adds
 * nothing, so a writer may append many pieces and check once. The struct owns its memory; buf_free leaves an
 * empty, sound buffer with the same ceiling. A pointer from buf_data is good until the next call that
 * appends.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span;

struct buf {
	uint8_t *base;
	size_t off;		/* consumed */
	size_t end;		/* filled; off <= end <= cap */
	size_t cap;
	size_t max;		/* ceiling of end - off */
	bool failed;
};

#define BUF_MAX_ANY ((size_t)1 << 40)

void buf_init(struct buf *, size_t max);
void buf_free(struct buf *);
/* Free after overwriting what it held: for buffers that held a secret. */
void buf_wipe(struct buf *);

size_t buf_len(const struct buf *);
uint8_t *buf_data(const struct buf *);
struct span buf_span(const struct buf *);

/* Make room for `n` bytes at the end and return where they go, NULL if `failed`; buf_commit says how many
 * came. */
uint8_t *buf_reserve(struct buf *, size_t n);
void buf_commit(struct buf *, size_t n);

void buf_add(struct buf *, const void *, size_t n);
void buf_addc(struct buf *, char);
void buf_adds(struct buf *, const char *);
void buf_addspan(struct buf *, struct span);
void buf_addi(struct buf *, int64_t);		/* in decimal */
void buf_addf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *, const char *fmt, va_list) __attribute__((format(printf, 2, 0)));

/* Drop `n` bytes from the front (n <= buf_len), or all; buf_clear also forgets `failed`. */
void buf_consume(struct buf *, size_t n);
void buf_clear(struct buf *);
/* Cut to the first `n` bytes (n <= buf_len). */
void buf_truncate(struct buf *, size_t n);

/* The content as a C string: a NUL stands after the last byte and is not counted. "" if `failed`. */
const char *buf_cstr(struct buf *);

#endif
