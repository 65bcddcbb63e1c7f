/*
 * Another master key, at another place, without a moment in which nothing opens the store.
 *
 * The new key is made durable under its `….next` name, then the audit key is sealed under it, then the store
 * is written under it in one rename: that is the moment. What follows (the names without `.next`, the old
 * key's end) can be cut anywhere and is finished by the next writer: rekey_settle.
 */
#ifndef CRED_REKEY_H
#define CRED_REKEY_H

#include "cred/masterkey.h"

struct err;
struct vault;

/* To MASTERKEY_RING, _FILE or _PASS. The vault was opened to write; it is under the new key afterwards.
 * ERR_USAGE: the keyring's entry is another store's. */
int rekey_to(struct vault *, enum masterkey_source, struct err *);
/* Finish or drop an interrupted one. */
int rekey_settle(struct vault *, struct err *);

#endif
