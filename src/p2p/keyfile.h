/*
 * The file of this node's libp2p identity (.peer_key, or what P2P_PEER_KEY_FILE names): two lines, 0600.
 *
 *   base64 of the libp2p PrivateKey message of an Ed25519 key (08 01 12 40, seed, public key)
 *   32 hex of SHA-256(field(machine id) ‖ field(device) ‖ field(inode of the folder)); "-" is: not bound
 *
 * A bound file that was copied with its folder, or to another machine, does not fit: it is replaced, so that
 * no two nodes have one identity. field(x) = uvarint(length) ‖ x, of numbers in decimal; the machine id is
 * /etc/machine-id, else the boot id.
 */
#ifndef P2P_KEYFILE_H
#define P2P_KEYFILE_H

#include <stdbool.h>

#include "crypto/ed25519.h"

struct err;

#define KEYFILE_NAME ".peer_key"

/* Read it, or make a key and write it where there is none or a bound one does not fit. ERR_DAMAGED: not such
 * a file (it stays); ERR_DENIED: others may read it; ERR_IO: not writable, *key is then a fresh one all the
 * same. */
int keyfile_load(const char *path, bool bound, struct ed25519_key *key, struct err *);
/* For the life of a daemon: false: another one has it. *fd, to close, is -1 where it cannot be told. */
bool keyfile_hold(const char *path, int *fd);
/* A key in memory alone. */
int keyfile_fresh(struct ed25519_key *key, struct err *);

#endif
