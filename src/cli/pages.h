/*
 * What is printed of an answer: gh's head for -i, bodies as they are, and the pages of a list joined into one
 * JSON array.
 */
#ifndef CLI_PAGES_H
#define CLI_PAGES_H

#include <stdbool.h>

#include "base/str.h"

struct http_head;

/* Status line, fields sorted by name, empty line: as `gh api -i`. */
void pages_head(const struct http_head *);

struct pages {
	bool started;			/* an array is open */
	bool items;			/* it has one */
};

/* Print one page: an array is joined to those before it, anything else stands by itself. */
void pages_add(struct pages *, struct span body);
void pages_end(struct pages *);

/* The first member named pageInfo whose value is an object, wherever it stands in a GraphQL answer. */
bool pages_info(struct span body, struct span *info);

#endif
