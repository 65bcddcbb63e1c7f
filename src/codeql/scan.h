/*
 * What is kept of one scan beside its SARIF: its key, how and when it ran, what it found. The form in which
 * it stands in an entry (FORMATS.md §6), its signature, and the keys.
 *
 * An entry's `data` are the reference's eight fields, which it can read; `ghoard.scan` is ours and decides.
 * The signature (Ed25519) covers the entry's key, time, lifetime, the CID of `data` and the bytes of `scan`,
 * each with its length. Strings are cut to their room when read, and what is cut has no right signature or no
 * equal key.
 */
#ifndef CODEQL_SCAN_H
#define CODEQL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "codeql/sarifcount.h"
#include "crypto/cid.h"
#include "crypto/ed25519.h"

struct buf;
struct entry;
struct err;

#define SCAN_OP "codeql_tree"			/* in front of the key that decides */
#define SCAN_LABEL_OP "codeql:codeql_scan"	/* and of the reference's, an index and a label */
#define SCAN_KEY_MAX 700
#define SCAN_TTL_MAX_S 604800			/* 7 days, GitHub's own weekly scan, unless said otherwise */
#define SCAN_TTL_UNPINNED_S 86400

/* Whose checks it may answer. */
enum scan_class {
	SCAN_FULL,		/* everybody's */
	SCAN_PULL,		/* stored for a pull request of this repository: pull requests' of its base */
	SCAN_FORK,		/* stored for a fork's: those of the same head repository, ref and base */
	SCAN_PARTIAL		/* incremental or diff-informed: nobody's */
};
const char *scan_class_name(enum scan_class);

struct scan {
	char repo[160];
	char fingerprint[65], config[65], languages[512];
	char tool[128], version[64];
	char category[512];			/* automationDetails.id of its first run */
	char event[64], ref[256], commit[65], head_repo[160];
	char base[65]; /* of a pull request: the commit it is compared with; "" not known */
	char incremental[64];
	char cid[CID_TEXT_LEN + 1];		/* of the SARIF */
	char manifest[65];			/* the whole-tree fingerprint, the manifest's name; "" none */
	char origin[33];			/* of the file it stands in, see scans.h */
	enum scan_class class;
	bool pinned;
	int64_t started, finished;		/* µs */
	int64_t size;				/* of the SARIF */
	struct sarif_counts counts;
	struct span fields;			/* the configuration's, raw JSON; borrowed */
};

/* "codeql_tree:<repo>:<fingerprint>:<config>[:<languages>]"; `label`: the reference's, by commit. */
void scan_key(const struct scan *, bool label, char out[static SCAN_KEY_MAX]);
/* The text by which entries of one key stand apart in the store: "full", "partial", "p" or "f" and 14 hex.
 */
void scan_tag(const struct scan *, char out[static 32]);

/* The entry of a scan, signed if `key` is not NULL; under the label's key it carries the same but decides
 * nothing. `sarif_path` is what the reference calls sarif_location. */
int scan_entry(const struct scan *, bool label, int64_t ttl, const char *sarif_path,
    const struct ed25519_key *key, struct entry **, struct err *);
/* Read it. false: not one of ours (the reference's, another version's, damaged), so never evidence. `fields`
 * borrows from the entry. */
bool scan_parse(const struct entry *, struct scan *);
/* The object alone, for the state file of a job; and back, without asking whether it is a whole scan. */
void scan_json(const struct scan *, struct buf *);
bool scan_read(struct span json, struct scan *);
/* Was it signed with one of these? */
bool scan_signed_by(const struct entry *, const uint8_t (*keys)[ED25519_PUB_LEN], size_t n);

/* Keys as people have them: 64 hex, base64 of 32 bytes, or what openssl writes (PEM or base64 of PKCS#8, of
 * SubjectPublicKeyInfo). false: no such key. */
bool scan_public_key(struct span text, uint8_t out[static ED25519_PUB_LEN]);
bool scan_private_key(struct span text, struct ed25519_key *);

#endif
