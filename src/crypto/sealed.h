/*
 * A sealed archive: a stream of any length under a secret and bound to a name, so that who can read and even
 * replace it where it lies can neither read nor change it.
 *
 *   archive = "GHSEAL" 00 01 ‖ id (16 random bytes) ‖ record…
 *   record  = nonce (12, random) ‖ AES-256-GCM of up to 64 KiB ‖ tag (16)
 *   key     = HKDF-SHA256(secret, info "ghoard persist 1")
 *   AAD     = id ‖ counter (u64, big-endian, from 0) ‖ last (00 or 01) ‖ name
 *
 * All records but the last are full; the last has 0 to 64 KiB and is there in every archive, so an archive
 * that was cut does not open. Id and counter hold the records of one archive together, in their order; the
 * name (the cache's key) is not in the file. What was opened before a failure is right as far as it goes, but
 * only sealed_open_end says that it is all.
 *
 * An engine: at most one record is held. Wiped by sealed_wipe.
 */
#ifndef CRYPTO_SEALED_H
#define CRYPTO_SEALED_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "crypto/aead.h"

struct err;

#define SEALED_RECORD 65536
#define SEALED_HEAD 24
#define SEALED_NAME_MAX 512
#define SEALED_SECRET_MIN 32		/* characters: guesses can be tested against any archive */

struct sealed {
	struct aead aead;
	uint8_t aad[16 + 8 + 1 + SEALED_NAME_MAX];
	size_t naad;
	uint64_t count;
	struct buf held;		/* of a record that is not whole, or may be the last */
	int failed;			/* sticky, ERR_* */
};

/* ERR_USAGE: the name is empty or too long, the secret too short. */
int sealed_init(struct sealed *, struct span secret, struct span name, struct err *);
void sealed_wipe(struct sealed *);

/* Sealing: appends to `out`. ERR_IO: no entropy. */
int sealed_begin(struct sealed *, struct buf *out, struct err *);
int sealed_add(struct sealed *, const void *, size_t n, struct buf *out, struct err *);
int sealed_end(struct sealed *, struct buf *out, struct err *);

/* Opening, from the first byte on, in pieces of any size: appends what is open. ERR_DAMAGED: not such an
 * archive, another secret's, another name's, changed. */
int sealed_open(struct sealed *, const void *, size_t n, struct buf *out, struct err *);
int sealed_open_end(struct sealed *, struct buf *out, struct err *);

#endif
