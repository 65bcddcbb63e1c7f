/*
 * The subcommands of `ghoard cache`, in files by what they work on: entries by name (cache_named), entries
 * one by one (cache_list), archives (cache_export, cache_import, cache_persist), and what these share. They
 * get the store open, the operands behind their name (their number is checked), and the options in force.
 *
 * Each returns an exit code; a failure that is not yet told on stderr is left in err.
 */
#ifndef CLI_CACHE_SUB_H
#define CLI_CACHE_SUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct app;
struct entry;
struct entry_parts;
struct err;
struct file_hold;
struct store;

struct cache_sub {
	struct app *app;
	bool json;			/* --json */
	bool stale;			/* get: also what is past its TTL */
	int64_t ttl;			/* put: OPT_UNSET is the operation's */
	const char *prefix;		/* ls, rm; NULL: none */
	bool keep_runtime;		/* persist */
	const char *const *arg;
	size_t nargs;
};

int cache_named_get(const struct cache_sub *, struct err *);
int cache_named_put(const struct cache_sub *, struct err *);
/* Store an entry by name: of the parts key, timestamp, ttl, body and headers count. A peer's has NAMED_FROM.
 */
#define NAMED_FROM "x-ghoard-from"
int cache_named_keep(struct app *, const struct entry_parts *, struct err *);
/* Do the reference's validation fields still fit the data they were taken from? True for entries without, and
 * for ours. `name` is the file's. */
bool cache_named_hash_ok(const struct entry *, const char *name);

int cache_list_ls(const struct cache_sub *, struct err *);
int cache_list_rm(const struct cache_sub *, struct err *);
int cache_list_clear(const struct cache_sub *, struct err *);
int cache_list_verify(const struct cache_sub *, struct err *);

int cache_export_run(const struct cache_sub *, struct err *);
int cache_import_run(const struct cache_sub *, struct err *);
int cache_persist_run(const struct cache_sub *, struct err *);

/* Every sound entry into an archive at `fd`, which can be sought; above `max` bytes (0: none) entries are
 * left out, with a warning. */
int cache_export_to(const struct app *, int fd, uint64_t max, size_t *packed, struct err *);
struct cache_imported {
	size_t imported, kept, nameless;	/* kept: here as new or newer */
};
/* All of it is checked before anything is written. `file` is for the sentence of a failure. */
int cache_import_from(struct app *, int fd, const char *file, struct cache_imported *, struct err *);

/* Print with control characters as \xNN: keys and names come from files. */
void cache_sub_print(struct span);

/* Is the file's name "-": standard input or output? */
bool cache_sub_is_dash(const char *file);
/* Read an entry by its file's name: 1 with a reference in *out, 0 it is not there, ERR_DAMAGED. The CID is
 * not checked, nothing is moved. */
int cache_sub_load(struct store *, const char *name, struct entry **out);
/* CID and content_hash fit the data. */
bool cache_sub_is_sound(const struct entry *, const char *name);
/* What is held is open for writing alone: open it again, by name, for reading. An fd, or ERR_IO. */
int cache_sub_reopen(const struct file_hold *, struct err *);
/* All that is left in `from` goes to `to`; `what` begins the sentence of a failure. */
int cache_sub_copy(int from, int to, const char *what, struct err *);

#endif
