/*
 * The text of the credential store: the reference's JSON object of nine-key records, and what binds ours.
 *
 * Pure: bytes in, records out, and back. `metadata.ghoard` = {v, gen, mac, fix[, prev]}. `mac` is an HMAC
 * under HKDF(master key, "ghoard cred mac 1") over name, scope, filter, created_at, expires_at, gen and
 * encrypted_value; `fix` is one without created_at and encrypted_value, which is what the reference changes
 * when it rotates: so its rotation can be told from an edit. `prev` is the version before the last rotation,
 * with a MAC of its own. Times are compared in microseconds, so that the reference may write a number in
 * another form.
 *
 * A set owns all its spans until recordset_free. Values stay sealed here.
 */
#ifndef CRED_RECORD_H
#define CRED_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "cred/scope.h"

struct buf;
struct err;

#define RECORD_KEY_LEN 32
#define RECORD_MAC_HEX 64
#define RECORD_STORE_MAX ((size_t)32 << 20)	/* of the text */
#define RECORD_NEVER INT64_MAX			/* expires: null */

enum record_state {
	RECORD_BOUND,		/* the MAC fits */
	RECORD_UNBOUND,		/* the reference's: no metadata.ghoard; bound at the next write */
	RECORD_ROTATED,		/* the reference gave it another value: `fix` fits, `mac` does not */
	RECORD_BAD		/* changed, or not a record; `why` says what */
};

struct record {
	struct span key;			/* in the object */
	struct span name, filter;		/* filter: p == NULL is null */
	enum scope scope;
	struct span value;			/* encrypted_value, base64 */
	int64_t created, expires;		/* µs; RECORD_NEVER */
	struct span created_text, expires_text;	/* as they were read, and are written again; n == 0: new */
	struct span accessed;			/* last_accessed, raw; "null" */
	uint64_t count;
	struct span metadata;			/* raw object */
	enum record_state state;
	const char *why;			/* of RECORD_BAD */
	struct span raw;			/* the whole object as it was read: what is bad is kept so */
	uint64_t gen;
	struct span mac, fix;			/* hex */
	struct {
		struct span value, mac;		/* value.n == 0: there is none */
		int64_t created, until;		/* µs */
	} prev;
};

struct recordset {
	struct record *list;
	size_t n, room;
	struct record_chunk *chunks;
	bool failed;				/* no memory at some point */
};

void recordset_init(struct recordset *);
void recordset_free(struct recordset *);
/* Read the text and check each record. 0 (also with bad records), or ERR_DAMAGED: no JSON object. */
int recordset_parse(struct recordset *, struct span text, const uint8_t key[static RECORD_KEY_LEN],
    struct err *);
/* The text for the file, as the reference reads it (json.loads); bad records as they came. */
int recordset_print(const struct recordset *, struct buf *, struct err *);

/* A new, empty record at the end; NULL: no memory. Moves the list. */
struct record *recordset_add(struct recordset *);
void recordset_remove(struct recordset *, struct record *);
/* A copy that lives as long as the set; p == NULL only if there was no memory. */
struct span recordset_keep(struct recordset *, struct span);
/* Its name and the options of a command that tell it from its namesakes. */
void record_which(const struct record *, struct buf *);
/* Compute gen, mac, fix (and prev's) of a record whose fields are filled in. */
void record_bind(struct recordset *, struct record *, uint64_t gen, const uint8_t key[static RECORD_KEY_LEN]);

/* Set its state by whether its MACs fit. */
void record_check(struct record *, const uint8_t key[static RECORD_KEY_LEN]);

uint64_t recordset_gen(const struct recordset *);	/* the highest; 0: none */
size_t recordset_bad(const struct recordset *);		/* how many are bad or rotated */
/* By its place in the object; and its fields over another's, kept in that one's set (0, or ERR_INTERNAL). */
struct record *recordset_find_key(const struct recordset *, struct span key);
int recordset_copy(struct recordset *, struct record *to, const struct record *from);
/* The one with this name, scope and filter (p == NULL: null), or NULL. */
struct record *recordset_exact(const struct recordset *, struct span name, enum scope, struct span filter);
/* The most specific one of that name which is for this caller; expired ones and bad ones too. NULL: none;
 * then *others says whether the name is there in another scope. */
struct record *recordset_match(const struct recordset *, struct span name, const struct scope_caller *,
    bool *others);

#endif
