/*
 * What the environment says about keys, and the desktop's keyring (Secret Service) through secret-tool.
 *
 * The entry is the reference's and Python keyring's: service `ipfs_datasets_py`, username
 * `credential_master_key`, application `Python keyring library`; the value is base64. secret-tool answers
 * "locked" and "not there" alike, so a missing answer never means that there is no key. It gets a small
 * environment of its own and 3 seconds.
 */
#ifndef CRED_KEYRING_H
#define CRED_KEYRING_H

#include <stdbool.h>

#include "base/str.h"

struct buf;
struct err;

#define KEYRING_NAME "credential_master_key"
#define KEYRING_NEXT "credential_master_key.next" /* and ".<id>": a rekey of one store that is under way */

struct keyring_env {
	const char *key_file;		/* GHOARD_MASTER_KEY_FILE; NULL: not set */
	const char *systemd_dir;	/* CREDENTIALS_DIRECTORY */
	const char *passphrase_file;	/* GHOARD_PASSPHRASE_FILE */
};

void keyring_read_env(struct keyring_env *);

/* Is there a session bus and a secret-tool? */
bool keyring_is_here(void);
/* Append the value of an entry; 0, ERR_NOTFOUND (none, or locked), ERR_UNAVAIL, ERR_TIMEOUT. */
int keyring_get(const char *name, struct buf *, struct err *);
/* Store, and read back what was stored. */
int keyring_set(const char *name, struct span value, struct err *);
int keyring_drop(const char *name, struct err *);
/* For tests: another program in place of /usr/bin/secret-tool, by its absolute path. */
void keyring_use_tool(const char *path);

#endif
