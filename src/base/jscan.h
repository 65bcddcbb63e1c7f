/*
 * A streaming JSON scanner (RFC 8259): it checks and points, it builds nothing.
 *
 * What came from elsewhere (bodies, entries, SARIF) is cut by offsets and handed on as it came. The input is
 * fed in pieces of any size; jscan_feed stops at each event and says how far it got. Nesting is at most
 * JSCAN_DEPTH, strings and keys must be UTF-8 (also after \u: no lone surrogate), numbers follow the grammar,
 * and nothing but white space may follow the value. A duplicate key is not an error here. No allocation, no
 * recursion: the whole state is the struct, which has no pointers and may be copied.
 *
 * Offsets count from the first byte ever fed.
 */
#ifndef BASE_JSCAN_H
#define BASE_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

#define JSCAN_DEPTH 128

enum jscan_event {
	JSCAN_NONE,		/* all input used, value not complete */
	JSCAN_OBJECT, JSCAN_OBJECT_END,
	JSCAN_ARRAY, JSCAN_ARRAY_END,
	JSCAN_KEY,		/* start..end cover the string with its quotes, as for JSCAN_STRING */
	JSCAN_STRING, JSCAN_NUMBER, JSCAN_TRUE, JSCAN_FALSE, JSCAN_NULL
};

struct jscan {
	uint64_t pos;		/* bytes consumed so far */
	uint64_t start, end;	/* of the token of the last event, [start, end) */
	unsigned depth;		/* open containers, after the event */
	bool done;		/* the top-level value is complete */
	bool bad;		/* sticky */
	uint8_t st, sub;	/* private from here on */
	uint8_t u8need, u8lo, u8hi;
	uint16_t hex, hi;
	uint8_t stack[JSCAN_DEPTH / 8];
};

void jscan_init(struct jscan *);

/* Consume up to `n` bytes until an event. Returns the bytes consumed (>= 0) with *ev set, or -1 when the
 * bytes are not JSON (sticky). With *ev == JSCAN_NONE all n bytes were consumed. A number at top level ends
 * only at white space or jscan_end. */
ssize_t jscan_feed(struct jscan *, const void *, size_t n, enum jscan_event *ev);
/* The input is over: 0 if one whole value was seen (*ev is JSCAN_NUMBER if that ended a top-level number,
 * else JSCAN_NONE), -1 otherwise. */
int jscan_end(struct jscan *, enum jscan_event *ev);

/* Just behind the opening bracket: go on at offset `pos`, behind one of the members. */
void jscan_resume(struct jscan *, uint64_t pos);

/* A whole text, event by event: all levels in one pass. */
struct jscan_walk {
	struct jscan s;		/* its depth says where the walk is */
	struct span text;
	size_t at;
};

void jscan_walk(struct jscan_walk *, struct span text);
/* The next event: 1, 0 at the end of a text that is JSON, -1 where it is not. */
int jscan_step(struct jscan_walk *, enum jscan_event *ev);
/* The token of the last event, raw. */
struct span jscan_token(const struct jscan_walk *);
/* Go on to the end of the value whose first event, `ev`, has just come; `*value` is all of it. 0, -1. */
int jscan_rest(struct jscan_walk *, enum jscan_event ev, struct span *value);

/* Whole text is exactly one JSON value. */
bool jscan_valid(struct span);

/* Lookups in a whole text, for small questions; each scans what it must. They return 1 found, 0 not there, -1
 * not JSON. `*value` is the raw text of the value: a string with its quotes, a container with its brackets.
 * The FIRST of duplicate keys counts. */
int jscan_member(struct span object, const char *key, struct span *value);
/* By path: keys separated by '.', array indexes as numbers: "rate.limit", "0.id". */
int jscan_path(struct span text, const char *path, struct span *value);
/* Several members of an object at once; p == NULL where one is not there. 0, -1: no object. */
int jscan_pick(struct span object, const char *const *keys, size_t n, struct span *values);
/* Walk a container: *at starts at 0; each call gives the next member (key raw, with quotes, empty for arrays)
 * and value; 0 at the end. */
int jscan_next(struct span container, size_t *at, struct span *key, struct span *value);

struct buf;
/* Decode a raw string token (with quotes) as UTF-8 into buf; -1: not a string. */
int jscan_unescape(struct span raw, struct buf *);
/* Raw string token equals this text? Escapes are honoured. */
bool jscan_str_eq(struct span raw, const char *text);
/* Decode into a C string; false: not a string, too long, or holds a NUL. */
bool jscan_str(struct span raw, char *out, size_t size);

#endif
