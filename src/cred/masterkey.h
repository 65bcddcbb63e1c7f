/*
 * Where the master key of a credential folder comes from.
 *
 * 32 bytes, asked for in this order: the file that GHOARD_MASTER_KEY_FILE names, systemd's
 * $CREDENTIALS_DIRECTORY/cred-master-key, the kernel's keyring (a cache of the next two), the Secret Service,
 * `.master_key` in the folder, a passphrase (PBKDF2-HMAC-SHA256; count, salt and a check value in
 * `.passphrase`). Beside the last three stands the key of a rekey that was interrupted (`….next`). The first
 * that opens the store is taken. A source that is there and cannot be read ends the search: nothing is
 * generated beside it. A key file must be ours or root's, with one name, and readable by no one else (root's
 * by a group: so systemd hands credentials out).
 *
 * Keys are written into memory that the caller gives (base/safe).
 */
#ifndef CRED_MASTERKEY_H
#define CRED_MASTERKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "cred/keyring.h"

struct buf;
struct err;
struct safe;
struct stat;

#define MASTERKEY_LEN 32
#define MASTERKEY_ROUNDS 600000		/* OWASP's for PBKDF2-HMAC-SHA256 */
#define MASTERKEY_ROUNDS_MIN 100000	/* fewer are refused: somebody wants it cheap */
#define MASTERKEY_ROUNDS_MAX 10000000	/* more are refused: 7 s */
#define MASTERKEY_PASS_MAX 1024

enum masterkey_source {
	MASTERKEY_NONE,
	MASTERKEY_NAMED,
	MASTERKEY_SYSTEMD,
	MASTERKEY_CACHE,
	MASTERKEY_RING,
	MASTERKEY_RING_NEXT,
	MASTERKEY_FILE,
	MASTERKEY_FILE_NEXT,
	MASTERKEY_PASS,
	MASTERKEY_PASS_NEXT,
	MASTERKEY_MADE
};

struct masterkey_place {
	int dirfd;			/* the folder */
	const char *dir;		/* its name, for sentences and the cache's */
	struct keyring_env env;
	unsigned cache_s;		/* of the kernel's keyring; 0: no cache */
	uint32_t rounds;		/* of a new passphrase; 0: MASTERKEY_ROUNDS */
	struct safe *safe;
	/* Ask for the passphrase (twice if `fresh`); NULL: nobody is there. 0, ERR_USAGE… */
	int (*ask)(void *arg, bool fresh, struct buf *, struct err *);
	void *arg;
};

const char *masterkey_name(enum masterkey_source);	/* ".master_key", "keyring" */

/* May a file hold a secret? ERR_DAMAGED: others can read it, or it is not ours alone. `own`: it is in the
 * folder, so systemd's rules do not apply. */
int masterkey_check_file(const struct stat *, const char *path, bool own, struct err *);

/* The key of one source: 0, ERR_NOTFOUND (the source is not there), ERR_DAMAGED (there and not readable as a
 * key). */
int masterkey_read(const struct masterkey_place *, enum masterkey_source, uint8_t key[static MASTERKEY_LEN],
    struct err *);
/* The first that `opens` (NULL: any that a new store may begin under, which is not the keyring's).
 * ERR_NOTFOUND: no source has a key; ERR_DAMAGED: one is unreadable, or none of those that are there opens
 * the store. */
int masterkey_find(const struct masterkey_place *, bool (*opens)(void *arg, const uint8_t *key), void *arg,
    uint8_t key[static MASTERKEY_LEN], enum masterkey_source *, struct err *);

/* Write a key as a source (MASTERKEY_RING, _RING_NEXT, _FILE, _FILE_NEXT), durably. */
int masterkey_write(const struct masterkey_place *, enum masterkey_source,
    const uint8_t key[static MASTERKEY_LEN], struct err *);
/* Ask for a new passphrase, write salt and check under the source (_PASS, _PASS_NEXT), give its key. */
int masterkey_make_pass(const struct masterkey_place *, enum masterkey_source,
    uint8_t key[static MASTERKEY_LEN], struct err *);
/* Remove a source; one that is not there is fine. `settle` of a rekey: a _NEXT becomes the one before it. */
int masterkey_drop(const struct masterkey_place *, enum masterkey_source, struct err *);
int masterkey_settle(const struct masterkey_place *, enum masterkey_source next, const uint8_t *key,
    struct err *);
/* There is one entry of the keyring a user, as Python's keyring has it, and other stores may be under its
 * key: does it hold what this folder has put there, as `key` (may be NULL) or the one that was marked?
 * _OTHER: or something that is no key. Only _OURS may be replaced or dropped. */
enum masterkey_ring { MASTERKEY_RING_NONE, MASTERKEY_RING_OURS, MASTERKEY_RING_OTHER };
enum masterkey_ring masterkey_ring_whose(const struct masterkey_place *, const uint8_t *key);
/* Before a key is written as MASTERKEY_RING_NEXT, and before one leaves MASTERKEY_RING: names the former's
 * entry, and tells whoever finishes the move that the latter, `old`, may go. _RING_NEXT's drop takes it away.
 */
int masterkey_mark_ring(const struct masterkey_place *, const uint8_t *old, struct err *);
void masterkey_uncache(const struct masterkey_place *);

#endif
