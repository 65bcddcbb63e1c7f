/*
 * Configuration files through libyaml: the only file that knows it.
 *
 * A file becomes a flat list of (dotted key, scalar) pairs with their line and column: `cache:` / ` max_size:
 * 5000` gives "cache.max_size" = "5000". A sequence of scalars becomes one row an item with the same key and
 * `item` counting from 0 (an empty sequence one row with item -1 and an empty value). Anchors, aliases, tags,
 * merge keys, duplicate keys, several documents, and sequences of mappings are refused. Limits against
 * libyaml's quadratic nesting: 64 KiB, depth 16.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stddef.h>

#include "base/str.h"

struct err;

#define YAML_FILE_MAX ((size_t)64 << 10)
#define YAML_DEPTH 16

struct yaml_row {
	char *key;		/* dotted */
	char *value;		/* as written, unquoted; "" for null */
	int null;		/* plain null, ~ or nothing */
	int quoted;		/* was in quotes: a string whatever it looks like */
	int item;		/* -2 a scalar; >= 0 in a sequence; -1 an empty sequence */
	unsigned line, column;	/* from 1 */
};

struct yaml_rows {
	struct yaml_row *rows;
	size_t n;
};

/* Parse `text`; `name` is what errors call it ("name line 3 column 5: …"). 0, ERR_CONFIG or ERR_INTERNAL. */
int yaml_parse(struct span text, const char *name, struct yaml_rows *, struct err *);
void yaml_rows_free(struct yaml_rows *);

#endif
