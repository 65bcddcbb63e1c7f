/*
 * One stored answer: the file format, its proof, its body. Pure: bytes in, an entry out, and back.
 *
 * An entry is one JSON object whose first six names are the reference's; `ghoard` holds what HTTP needs;
 * `data` stands last and is, for a JSON body, the upstream's bytes unchanged. So the file image is the
 * cache's own form of an answer, on disk and in memory, and a body is a slice of it. Entries are counted: who
 * keeps one takes a reference; the spans live as long as the entry.
 *
 * Two kinds are read: ours (`ours`; every field below is set) and the reference's (only key, timestamp, ttl,
 * hash and data).
 */
#ifndef STORE_ENTRY_H
#define STORE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct err;

#define ENTRY_HEADERS_MAX 24
#define ENTRY_HEAD_MAX ((size_t)64 << 10)	/* all but `data` */
#define ENTRY_FILE_MAX ((size_t)96 << 20)	/* base64 of the largest body, and a head */
#define ENTRY_AUTH_LEN 32			/* hex characters of a token's tag */
#define ENTRY_PROOF_KEY_LEN 32
#define ENTRY_PUBLIC "public"			/* auth of a request without a token */

struct entry_header {
	struct span name, value;		/* name in lower case */
};

struct entry {
	unsigned refs;
	struct buf image;			/* the file, byte for byte */
	struct buf text;			/* unescaped strings, a base64 body */
	bool ours;
	bool alien;				/* written by another version: not for us, and not damaged */
	struct span key;			/* cache_key; empty in the reference's older form */
	struct span op;				/* its part before the first ':' */
	int64_t timestamp;			/* µs */
	int64_t ttl;				/* s */
	struct span content_hash;		/* empty: null */
	struct span cid, url, auth, proof;
	struct span variant;			/* raw JSON */
	int status;
	size_t nheaders;
	struct entry_header headers[ENTRY_HEADERS_MAX];
	struct span data;			/* raw JSON value */
	struct span body;			/* what is served */
	int64_t mtime;				/* s, of the file it came from; 0: none */
	bool held;				/* in memory, for all look-ups: cache/mem's to say */
};

/* What an entry is made of. All spans borrowed during the call. */
struct entry_parts {
	struct span key, url, auth;
	struct span variant;			/* JSON object text; empty: by name */
	const uint8_t *proof_key;		/* ENTRY_PROOF_KEY_LEN bytes; NULL: no proof (public) */
	int64_t timestamp, ttl;
	int status;
	const struct entry_header *headers;
	size_t nheaders;
	struct span fields;			/* canonical validation fields; empty: null */
	struct span body;
};

/* Build image and entry. 0, ERR_LIMIT or ERR_INTERNAL. The new entry has one reference. A header whose value
 * is not UTF-8 is left out. */
int entry_build(const struct entry_parts *, struct entry **, struct err *);

/* Take over the image (the buf is emptied, also on failure) and parse it. ERR_DAMAGED: not an entry;
 * ERR_NOTFOUND: one of another version. The CID is not yet checked. */
int entry_parse(struct buf *image, struct entry **, struct err *);

/* The body hashes to `cid`? For the reference's: there is a data member. */
bool entry_cid_ok(const struct entry *);
/* The proof was made with this key (RFC 2104 over key, cid, status, headers, timestamp, ttl; compared in
 * constant time). */
bool entry_proof_ok(const struct entry *, const uint8_t key[static ENTRY_PROOF_KEY_LEN]);

struct entry *entry_ref(struct entry *);
void entry_unref(struct entry *);

/* Value of a stored header, name in lower case; p == NULL if there is none. */
struct span entry_header(const struct entry *, const char *name);
int64_t entry_expires(const struct entry *);	/* µs: timestamp + ttl */
size_t entry_size(const struct entry *);	/* bytes held */

#endif
