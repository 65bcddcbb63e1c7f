/*
 * Object ids as git makes them: the hash of "<type> <size>" NUL and the bytes (gitformat-pack, "object id").
 * SHA-1 repositories have ids of 20 bytes, SHA-256 repositories of 32 (extensions.objectFormat).
 *
 * Git's own SHA-1 also detects collision attacks; this one does not: whoever can make two files of one id can
 * make git's own index take them for one.
 */
#ifndef CODEQL_OBJID_H
#define CODEQL_OBJID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/hash.h"

#define OBJID_MAX 32
#define OBJID_HEX_MAX (2 * OBJID_MAX + 1)

enum objid_format { OBJID_SHA1, OBJID_SHA256 };

struct objid_hash {
	enum objid_format format;
	union {
		struct hash_sha1 sha1;
		struct hash_sha256 sha256;
	} u;
};

size_t objid_len(enum objid_format);			/* 20 or 32 */
const char *objid_name(enum objid_format);		/* "sha1", "sha256" */

/* The bare hash, as it ends an index; objid_blob_start has the header of a blob of `size` bytes added. */
void objid_start(struct objid_hash *, enum objid_format);
void objid_blob_start(struct objid_hash *, enum objid_format, uint64_t size);
void objid_add(struct objid_hash *, const void *, size_t n);
/* Writes objid_len bytes; the rest of `out` is zero. */
void objid_out(const struct objid_hash *, uint8_t out[static OBJID_MAX]);

void objid_blob(uint8_t out[static OBJID_MAX], enum objid_format, const void *, size_t n);
bool objid_is_zero(const uint8_t *, enum objid_format);

#endif
