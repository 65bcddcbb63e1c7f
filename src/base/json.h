/*
 * Our own small JSON documents, read and written through cJSON: the only file that knows it.
 *
 * For what ghoard itself prints or keeps (stats, config show --json, request bodies of `api -f`): at most 1
 * MiB. What came from elsewhere and is handed on goes through base/jscan instead and is never re-serialised.
 * A `struct json` is a node of a tree; the root owns all, json_free(root) frees it. Additions that find no
 * memory make the next json_print fail.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct json;

#define JSON_MAX ((size_t)1 << 20)

struct json *json_object(void);
struct json *json_array(void);
void json_free(struct json *);

/* Into object `o` under `key` (replacing what is there), or at the end of array `o` when key is NULL. */
void json_put_str(struct json *o, const char *key, const char *);
void json_put_span(struct json *o, const char *key, struct span);	/* invalid UTF-8 becomes U+FFFD */
void json_put_int(struct json *o, const char *key, int64_t);		/* exact, whatever its size */
void json_put_num(struct json *o, const char *key, double);
void json_put_bool(struct json *o, const char *key, bool);
void json_put_null(struct json *o, const char *key);
void json_put_raw(struct json *o, const char *key,
    struct span); /* checked by jscan; null if it is not JSON */
struct json *json_put_object(struct json *o, const char *key);		/* the new child */
struct json *json_put_array(struct json *o, const char *key);

/* Child of an object by key, NULL if none or `o` is no object. */
struct json *json_get(const struct json *o, const char *key);
/* Last item of an array, NULL if it is empty or no array. */
struct json *json_last(const struct json *array);
/* Item of an array; NULL past its end, or if it is none. */
struct json *json_at(const struct json *array, size_t i);
bool json_is_object(const struct json *);
bool json_is_array(const struct json *);

/* 0, or ERR_PROTO (not JSON, deeper than 100, U+0000 in a string) /
 * ERR_LIMIT / ERR_INTERNAL; *out to be freed. Numbers are printed again as they were written. */
int json_parse(struct span, struct json **out);
const char *json_str(const struct json *);		/* NULL if not a string; borrowed */

/* Append, on one line or indented by two spaces; 0 or ERR_INTERNAL. */
int json_print(const struct json *, bool pretty, struct buf *);

/* Append `text` as a JSON string with quotes; bytes that are not UTF-8 become U+FFFD. With `ascii` everything
 * above U+007E is \uXXXX, as Python's json.dumps writes it. */
void json_quote(struct buf *, struct span text, bool ascii);

#endif
