/*
 * The names in a folder, in the order in which git sorts paths: by bytes, a folder as if its name ended with
 * '/'. Lists lie on a stack, one for each folder that is being walked, so that a walk allocates almost
 * nothing.
 */
#ifndef CODEQL_DIRLIST_H
#define CODEQL_DIRLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct dirlist_name {
	uint32_t at;		/* in the stack's text; NUL-terminated there */
	uint16_t len;
	uint8_t type;		/* DT_REG, DT_DIR, DT_LNK, … ; DT_UNKNOWN: gone again, or not to be known */
};

struct dirlist {
	struct buf names, text;
	uint8_t *raw;		/* what the kernel gives at a time */
};

/* One folder's names on the stack. */
struct dirlist_part {
	size_t first, n;	/* in `names` */
	size_t names_mark, text_mark;
};

int dirlist_init(struct dirlist *);	/* 0 or ERR_INTERNAL */
void dirlist_free(struct dirlist *);

/* Push the names of the folder `fd`, without ".", ".." and a ".git" that is a repository's. 0; ERR_IO with
 * errno, ERR_INTERNAL. */
int dirlist_push(struct dirlist *, int fd, struct dirlist_part *);
void dirlist_pop(struct dirlist *, const struct dirlist_part *);

/* Name `i` < n; `text` is good until the next push. */
struct dirlist_name dirlist_at(const struct dirlist *, const struct dirlist_part *, size_t i);
const char *dirlist_text(const struct dirlist *, struct dirlist_name);
/* Is a folder (or not a folder) of that name there? */
bool dirlist_find(const struct dirlist *, const struct dirlist_part *, struct span name, bool folder,
    struct dirlist_name *);

/* The order: names as spans, and whether they are folders. */
int dirlist_cmp(struct span a, bool a_folder, struct span b, bool b_folder);

#endif
