/*
 * A file's bytes as a blob id. Read whole or not at all: a file that changes meanwhile is read again.
 */
#ifndef CODEQL_FILEHASH_H
#define CODEQL_FILEHASH_H

#include <sys/stat.h>

#include "codeql/convert.h"
#include "codeql/objid.h"

#define FILEHASH_CLEAN_MAX ((size_t)64 << 20)	/* of larger files it is not made out what git would add */

struct filehash {
	enum objid_format format;
	uint8_t *buf;
	uint64_t bytes;		/* read so far */
};

enum filehash_result { FILEHASH_OK, FILEHASH_GONE, FILEHASH_UNREADABLE, FILEHASH_CHANGING };

int filehash_init(struct filehash *, enum objid_format);	/* 0 or ERR_INTERNAL */
void filehash_free(struct filehash *);

/* Of the regular file `name` below `dir`; `st` is its state and is renewed where it changed. */
enum filehash_result filehash_file(struct filehash *, int dir, const char *name, struct stat *st,
    uint8_t id[static OBJID_MAX]);
/* The same of a file that is open. */
enum filehash_result filehash_fd(struct filehash *, int fd, struct stat *st, uint8_t id[static OBJID_MAX]);

/* Has the file the content of this blob, as `git status` sees it? `raw` is the id of its bytes. False also
 * where that takes a program that git would run. */
bool filehash_same(struct filehash *, int dir, const char *name, const struct convert *, const uint8_t *raw,
    const uint8_t *blob);

#endif
