/*
 * The folder of entries: one file an answer, found by a computed name, so that opening a store of any size
 * scans nothing.
 *
 *   <op>-<32 hex of SHA-256(key)>-<first 8 of auth>.json     an answer to an HTTP request, of one token
 *   <key with / : * as _>.json                               an answer by name, as the reference names it
 *   last/<32 hex of SHA-256(key)>                            hard link to the newest of that request key,
 * whoever's corrupt/                                                 what was damaged, kept for a look .lock
 * .epochs
 *
 * Writers hold and commit (base/file); readers see a whole file or none; the CID catches what a crash tore.
 * Processes share a store freely. A folder that another user owns or can write is not used.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct entry;
struct err;
struct store;

/*
 * Open, making the folder (0700) where it is missing; a folder of ours with a looser mode is tightened.
 * ERR_DENIED: it is another user's, or others can write it: the store must not be used (exit 3). ERR_IO: it
 * cannot be made or written (read-only, no HOME): with `read_only` set in *out where it can still be read,
 * else *out is NULL. The answer is then served uncached.
 */
int store_open(const char *path, struct store **out, struct err *);
void store_free(struct store *);
const char *store_path(const struct store *);
int store_dirfd(const struct store *);
bool store_is_read_only(const struct store *);

#define STORE_NAME_MAX 255

/* File names. false: longer than a name may be, or it would leave the folder. `auth` empty: by name (the
 * reference's rule). */
bool store_name(char out[static STORE_NAME_MAX + 1], struct span key, struct span auth);

/*
 * The entry of this key that belongs to `auth` (a tag or ENTRY_PUBLIC). 1 with *out (a reference for the
 * caller), 0 there is none. Another key or owner inside is a plain miss. The CID must fit, and with
 * `proof_key` the proof: what fails them is moved to corrupt/, counted in *corrupt, and is a miss.
 */
int store_get(struct store *, struct span key, struct span auth, const uint8_t *proof_key, struct entry **out,
    unsigned *corrupt);
/* The newest of this request key, whoever's: a candidate. Only the CID is checked. */
int store_get_last(struct store *, struct span key, struct entry **out, unsigned *corrupt);

#define STORE_LARGE ((size_t)512 << 10)

/*
 * The head of an entry in a file above STORE_LARGE, so that who passes the body on need not read it: 1 with
 * *out, a reference whose data and body are cut short, and *fd, the file, in which the body is *n bytes from
 * *at on. Its CID is not checked. 0: there is no such file. -1: there is, but it is another key's or owner's
 * (`auth` empty: store_get_last's, of any), it fails the proof, or its body does not stand there as it is.
 */
int store_get_head(struct store *, struct span key, struct span auth, const uint8_t *proof_key,
    struct entry **out, int *fd, uint64_t *at, uint64_t *n);
/* By name: ours or the reference's, in either of its forms. */
int store_get_named(struct store *, struct span key, struct entry **out, unsigned *corrupt);

/* Write an entry under its own key and auth (by name if it has no url), and its last/ link. ERR_IO: nothing
 * was changed. */
int store_put(struct store *, const struct entry *, struct err *);
/* Make the stored file of this entry the newest of its request key; nothing where it is not there. */
void store_link_last(struct store *, const struct entry *);
/* Mark as used (mtime), at most once a minute. */
void store_touch(struct store *, const struct entry *);

/* Walk all entries: the file name and the entry, NULL where it cannot be parsed. A negative return of `fn`
 * ends the walk and is returned. */
int store_each(struct store *, int (*fn)(void *arg, const char *name, struct entry *), void *arg,
    struct err *);
/* Walk the names alone. */
int store_each_name(struct store *, int (*fn)(void *arg, const char *name), void *arg, struct err *);
int store_remove(struct store *, const char *name, struct err *);	/* 0 also if it was gone */
int store_set_aside(struct store *, const char *name, struct err *);	/* into corrupt/ */
/* Number of entries and their bytes. */
int store_usage(struct store *, int64_t *entries, int64_t *bytes, struct err *);

#endif
