/*
 * Under which configuration a scan runs: named fields, one hash over all of them.
 *
 * The order in which fields are added does not matter; a name stands once. Each field keeps a short text for
 * `explain` and for the stored entry: the value itself, or for long values the beginning of its SHA-256. Of a
 * hidden one (a variable may hold a secret) 32 bits of the SHA-256 are shown: enough to see that it changed.
 * What is not pinned, so that equal words may mean another scan tomorrow, is collected as sentences.
 */
#ifndef CODEQL_CONFIGKEY_H
#define CODEQL_CONFIGKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "crypto/hash.h"

struct err;

#define CONFIGKEY_LEN 64		/* hex characters */
#define CONFIGKEY_SHOWN_MAX 200
#define CONFIGKEY_VERSION "1"		/* of what is in the key: another meaning, another number */

struct configkey_field {
	char *name, *shown;
	uint8_t digest[SHA256_LEN];
};

struct configkey {
	struct configkey_field *fields;	/* by name, after configkey_finish */
	size_t n, room;
	bool failed;			/* no memory, or a name twice: sticky */
	struct buf unpinned;		/* sentences with "; " between; empty: all is pinned */
	char hash[CONFIGKEY_LEN + 1];
};

void configkey_init(struct configkey *);
void configkey_free(struct configkey *);
void configkey_add(struct configkey *, const char *name, struct span value);
void configkey_add_hidden(struct configkey *, const char *name, struct span value);
/* "the CodeQL version is not known" */
void configkey_unpinned(struct configkey *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sort and hash. ERR_USAGE (a name twice), ERR_INTERNAL. */
int configkey_finish(struct configkey *, struct err *);

/* Append a JSON object of names and shown texts. */
void configkey_json(const struct configkey *, struct buf *);

/* Fields that differ between such an object and `now`, by name: was or is is NULL where it is not there. -1:
 * not such an object. */
typedef void configkey_diff_fn(void *arg, const char *name, const char *was, const char *is);
int configkey_diff(struct span was, const struct configkey *now, configkey_diff_fn *fn, void *arg);

#endif
