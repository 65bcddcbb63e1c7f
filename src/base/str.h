/*
 * Text as (pointer, length): `struct span` borrows, never owns, and may hold any byte.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *p;
	size_t n;
};

struct span span_of(const char *);			/* of a C string; NULL gives the empty span */
struct span span_make(const void *, size_t);
bool span_eq(struct span, const char *);
bool span_ieq(struct span, const char *);		/* ASCII letters without case */
bool span_same(struct span, struct span);
bool span_isame(struct span, struct span);
bool span_starts(struct span, const char *);
bool span_istarts(struct span, const char *);
bool span_ends(struct span, const char *);
bool span_iends(struct span, const char *);
int span_cmp(struct span, struct span);			/* by bytes, shorter first */
/* memcmp(3) by words: musl's goes byte by byte, which long common beginnings of paths make dear. */
int str_bytes(const char *a, const char *b, size_t n);
/* Position of the first `c`, or -1. */
ptrdiff_t span_chr(struct span, char c);
/* Position of `needle`, or -1; with `ieq`, ASCII letters without case. */
ptrdiff_t span_find(struct span, const char *needle);
ptrdiff_t span_ifind(struct span, const char *needle);
struct span span_sub(struct span, size_t from, size_t n);	/* clipped to what is there */
struct span span_before(struct span,
    char c); /* up to the first `c`, or all: the path of a target with its query */
struct span span_trim(struct span);			/* spaces and tabs at both ends */
/* Cut the front of `*rest` up to the first `sep` (which is dropped) into `*out`; false when nothing is left.
 */
bool span_cut(struct span *rest, char sep, struct span *out);
/* The same up to a line feed or a carriage return, as YAML has it; an empty line is between the two of a
 * CRLF. */
bool span_cut_line(struct span *rest, struct span *out);

/* Copy into a C string; false (and "") if it does not fit or holds a NUL. */
bool span_copy(char *dst, size_t size, struct span);
char *span_dup(struct span);				/* malloc'd, NUL-terminated; NULL: no memory */
char *str_dup(const char *);

/* Whole span as an unsigned decimal <= max, digits only; false otherwise. */
bool span_u64(struct span, uint64_t max, uint64_t *);
/* Whole span as a decimal, sign allowed. */
bool span_i64(struct span, int64_t *);
#define STR_I64_LEN 20
/* In decimal, within `room`. */
struct span span_of_i64(char room[static STR_I64_LEN], int64_t);

/* "300", "5m", "24h", "7d", "1h30m", "1.5h" (units ms s m h d w) as seconds, 0 <= x <= 10 years. What is over
 * makes a whole second: only nothing is 0, which is "no end" to some. */
bool span_duration(struct span, int64_t *seconds);
/* "16777216", "16MiB", "4k", "1GB" (k M G: powers of 1024 with or without iB, KB MB GB: powers of 1000) as
 * bytes. */
bool span_size(struct span, uint64_t *bytes);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, <= U+10FFFF). */
bool span_utf8(struct span);
/* Bytes of the well-formed character at the front, 1 to 4; 0: there is none. `code` may be NULL. */
size_t span_utf8_char(struct span, uint32_t *code);
/* Levenshtein distance, capped at `cap`; for "did you mean". Spans above 64 bytes give cap. */
size_t span_distance(struct span, struct span, size_t cap);
/* Shell-style match with `*` and `?`, whole span. */
bool span_glob(const char *pattern, struct span);

/* Compare in time that depends on `n` alone. */
bool mem_same_ct(const void *, const void *, size_t n);

#endif
