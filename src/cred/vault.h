/*
 * The credential folder: the sealed store, its key, its log.
 *
 * `credentials.json.enc` = nonce ‖ AES-256-GCM(text) ‖ tag, the text as in cred/record.h; a value is sealed
 * once more in the same form. A write happens under `.lock`: temporary file, fsync, rename, fsync of the
 * folder, read back, then the last good copy (`credentials.json.enc.good`), then its audit line with the
 * store's generation and SHA-256. A reader holds the lock shared while it reads. What cannot be read is never
 * overwritten: each failure below with ERR_DAMAGED changed nothing.
 *
 * The vault owns what it hands out; spans are good until vault_free. Values go into memory of base/safe.
 */
#ifndef CRED_VAULT_H
#define CRED_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cred/audit.h"
#include "cred/masterkey.h"
#include "cred/record.h"

struct safe;

#define VAULT_STORE "credentials.json.enc"
#define VAULT_GOOD "credentials.json.enc.good"
#define VAULT_SEAL_EXTRA 28			/* nonce and tag */
#define VAULT_FILE_MAX (RECORD_STORE_MAX + VAULT_SEAL_EXTRA)
#define VAULT_VALUE_MAX ((size_t)64 << 10)	/* GitHub's own secrets end at 48 KiB */

struct vault_params {
	const char *dir;
	struct safe *safe;
	struct masterkey_place place;	/* env, cache_s, ask; the rest is filled in */
	bool write;			/* make what is not there, and hold the lock until vault_free */
	bool existing;			/* with write: ERR_NOTFOUND where there is no key yet */
	bool accept_rollback;
	/* Go on where store or log is damaged (doctor); without `write` nothing is noted. */
	bool repair;
	void (*note)(void *arg, const char *sentence);	/* warnings; NULL: none */
	void *note_arg;
};

struct vault {
	struct vault_params p;
	int dirfd, lockfd;
	uint8_t *master, *mac;		/* 32 bytes each, in p.safe */
	enum masterkey_source source;
	bool exists;			/* there is a store */
	/* With p.repair, what would have been a failure: the store could not be read (`set` is empty), is
	 * older than the log's last write, the log cannot be gone on with. */
	bool damaged, rolled_back, log_broken;
	struct err log_why;		/* of log_broken */
	uint8_t *scratch;		/* in p.safe: a value that is being sealed */
	struct recordset set;
	char sha[65];			/* of the file */
	uint64_t high;			/* the highest generation there ever was */
	struct audit audit;
};

/* 0, ERR_NOTFOUND (nothing there and not to write), ERR_DAMAGED, ERR_DENIED (the folder is another's),
 * ERR_IO. */
int vault_open(const struct vault_params *, struct vault **, struct err *);
/* Drop the lock, wipe the keys. NULL is fine. */
void vault_free(struct vault *);

/* Unseal a value (a record's, or its prev's) behind what is in `out`; ERR_DAMAGED. */
int vault_value(const struct vault *, struct span sealed, struct buf *out, struct err *);

/* ---- with write ---- */

/* Seal; p == NULL: no memory or no random bytes. */
struct span vault_seal(struct vault *, struct span value, struct err *);

/* What `set` is given; spans borrowed. */
struct vault_entry {
	struct span name, filter;	/* filter p == NULL for global */
	enum scope scope;
	struct span value;
	int64_t expires;		/* µs or RECORD_NEVER */
	struct span metadata;		/* raw members, without braces */
};

/* Add or replace (then its previous version and counts go). Not yet written. */
int vault_put(struct vault *, const struct vault_entry *, struct err *);
/* A new value; the old one stays as `prev` until then (µs; 0: not at all). */
int vault_rotate(struct vault *, struct record *, struct span value, int64_t grace_until, struct err *);
/* Take it away; what stays gets the generation. Moves the list. */
void vault_remove(struct vault *, struct record *);
/* Drop what is expired and previous versions past their grace; each goes to `gone` (NULL: to nobody) first.
 * How many of each. */
void vault_cleanup(struct vault *, int64_t now,
    void (*gone)(void *arg, const struct record *, bool previous), void *arg, size_t *expired,
    size_t *previous);

/* Bind what is new, fold in the accesses of the log, write, read back, renew the good copy, note. The event's
 * details get generation and hash. ERR_DAMAGED: a bad record is in the way, and nothing was written. */
int vault_commit(struct vault *, const struct audit_event *, struct err *);
/* The same with a line for each of several, of which the last has generation and hash. n > 0. */
int vault_commit_all(struct vault *, const struct audit_event *, size_t n, struct err *);

/* ---- for doctor, rekey, and among vault.c and vault_open.c ---- */

/* Open nonce, text and tag in place; ERR_DAMAGED. And the hash of such a file into v->sha. */
int vault_unseal(const uint8_t *key, uint8_t *, size_t n);
void vault_sha(struct vault *, struct span image);

/* The key opens this file of the folder? With `out`, its text. 0, ERR_NOTFOUND, ERR_DAMAGED, ERR_IO. */
int vault_open_file(const struct vault *, const char *name, const uint8_t *key, struct buf *out,
    struct err *);
/* Write the set as it stands, under another key (NULL: the vault's), and the good copy. */
int vault_write(struct vault *, const uint8_t *key, struct err *);
/* Make the good copy the store's again, where a write was cut off between the two. */
int vault_renew_good(const struct vault *, struct err *);
/* Note an event with the store's generation and hash: after vault_write. */
int vault_note(struct vault *, const struct audit_event *, struct err *);
/* Both 32 bytes. */
void vault_mac_key(const uint8_t *master, uint8_t *mac);

#endif
