/*
 * The audit log's key in its folder: 32 random bytes in `.audit_key`, sealed under HKDF(master key, "ghoard
 * audit key 1").
 *
 * `.audit_key.next` is a key on its way: beside `.audit_key` the same one under another master key (a rekey
 * under way), alone the one of a log that is being begun. It counts in the second case once a line is there.
 */
#ifndef CRED_AUDIT_KEY_H
#define CRED_AUDIT_KEY_H

#include <stdint.h>

struct err;

#define AUDIT_KEY_LEN 32
#define AUDIT_KEY_FILE ".audit_key"
#define AUDIT_KEY_NEXT ".audit_key.next"
#define AUDIT_LOCK_FILE ".audit_lock"	/* under which both are written */

/* 0, ERR_NOTFOUND, ERR_DAMAGED (or of another master key), ERR_IO. */
int audit_key_read(int dirfd, const char *name, const uint8_t master[static 32],
    uint8_t key[static AUDIT_KEY_LEN]);
int audit_key_write(int dirfd, const char *name, const uint8_t master[static 32],
    const uint8_t key[static AUDIT_KEY_LEN], struct err *);

#endif
