/*
 * One value of a setting: its text, what it means by the row's type, and whether another is stricter. For
 * layers.c alone.
 *
 * A struct value owns its strings. The functions that make one leave it empty when they fail; value_wipe
 * empties it.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/table.h"

struct err;

struct value {
	char *text;		/* as written; lists with commas */
	char *shown;		/* for display; NULL: as text */
	char *path;		/* "~/" expanded; NULL: nothing to expand, or no home */
	char *origin;
	char **items;		/* of a list */
	size_t n;
	int64_t num;		/* for value_num */
	bool from_checkout;
	bool is_default;	/* text and origin are the table's; num is not set */
};

/* From one text: a scalar, or a list with commas. `where` begins the sentence of an error. 0, ERR_CONFIG,
 * ERR_INTERNAL. */
int value_of_text(const struct setting *, const char *text, const char *where, struct value *, struct err *);
int value_of_default(const struct setting *, struct value *, struct err *);
/* From a list of texts, empty ones left out. */
int value_of_items(const char *const *items, size_t n, struct value *, struct err *);
void value_wipe(struct value *);
/* Of a bool 0 or 1, of a word its position in one_of. */
int64_t value_num(const struct setting *, const struct value *);

bool value_same(const struct setting *, const struct value *, const struct value *);
/* Is `to` stricter than `from` in the sense of TRUST_LOWER (down) or TRUST_TRUE (up)? */
bool value_lower(const struct setting *, const struct value *from, const struct value *to);
bool value_higher(const struct setting *, const struct value *from, const struct value *to);

/* printf into malloc'd memory; NULL: none. */
char *value_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
