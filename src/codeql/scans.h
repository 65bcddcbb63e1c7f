/*
 * The folder of scan results: entries (github_cache/), their SARIF by CID (sarif/), and the manifests of
 * their trees (trees/). Which of them is evidence.
 *
 * Evidence is an entry that a trusted key has signed. Only where no key is configured does an unsigned one
 * count, and then only in the very file and folder it was written to: `origin` is a hash of the inodes and
 * times of birth of both, which neither an archive nor a restored cache brings along. What is no evidence is
 * listed, and never answers. A folder that another user owns or can write is not used (store/store.h).
 */
#ifndef CODEQL_SCANS_H
#define CODEQL_SCANS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "codeql/scan.h"

struct err;
struct manifest;
struct scans;

#define SCANS_KEYS_MAX 64
#define SCANS_AHEAD_S 60		/* s: a time further in the future is damage */

/* How peers are asked: handed in by cli, NULL where there are none. Both return 1 (appended to buf), 0,
 * ERR_*. */
struct scan_peers {
	int (*entry)(void *arg, struct span key, struct span tag, struct buf *file);
	int (*sarif)(void *arg, const char *cid, struct buf *);
	void *arg;
};

struct scans_params {
	const char *dir;			/* ~/.cache/codeql */
	const uint8_t (*trusted)[ED25519_PUB_LEN];
	size_t ntrusted;			/* 0: no key is configured */
	const struct ed25519_key *key;		/* to sign with; NULL: none */
	const struct scan_peers *peers;
};

/* The params' arrays are borrowed. As store_open: ERR_DENIED; ERR_IO with *out set where it can still be
 * read. */
int scans_open(const struct scans_params *, struct scans **, struct err *);
void scans_free(struct scans *);
bool scans_is_read_only(const struct scans *);

enum scan_answer {			/* what was found, the most telling last */
	SCANS_NONE, SCANS_PARTIAL, SCANS_EXPIRED, SCANS_UNSIGNED, SCANS_UNTRUSTED, SCANS_DAMAGED, SCANS_FOUND
};

struct scan_ask {
	const struct scan *want; /* repo, fingerprint, config, languages, head_repo, ref; class is
				    that of what this run would store */
	int64_t now;				/* µs */
	int64_t max_age;			/* s */
};

struct scan_found {
	enum scan_answer answer;
	struct entry *entry;			/* ours, where there is one; scan.fields borrows from it */
	struct scan scan;
	bool is_signed;				/* else trusted as this folder's own */
	bool from_peer;
	int64_t age;				/* s */
	char sarif[PATH_MAX];			/* path; whether it is there and whole is not yet known */
};

/* What peers may have under this key: signed by a key that is trusted, and everybody's; a reference. NULL:
 * there is none. scan->fields borrows from it. */
struct entry *scans_shared(struct scans *, struct span key, struct scan *scan);
/* Disk, then peers. Free the result in every case. */
void scans_find(struct scans *, const struct scan_ask *, struct scan_found *);
void scan_found_free(struct scan_found *);
/* It was found and is not what it says: its file goes to corrupt/. */
void scans_set_aside(struct scans *, const struct scan_found *);

/* Write the entry and its label. 0; 1: a signed entry stands there and this one would not be, so it stays;
 * ERR_*. */
int scans_put(struct scans *, const struct scan *, int64_t ttl, struct err *);

/* A descriptor of the folder for SARIF, for codeql/intake. */
int scans_sarif_fd(const struct scans *);
void scans_sarif_path(const struct scans *, const char *cid, char out[static PATH_MAX]);

/* The manifest of a tree by its whole fingerprint; writing again changes nothing. NULL: there is none. */
int scans_put_manifest(struct scans *, const char *whole, const struct manifest *, struct err *);
struct manifest *scans_manifest(struct scans *, const char *whole);

struct scan_row {
	const char *name;			/* of the file */
	const struct entry *entry;		/* NULL: cannot be read */
	const struct scan *scan;		/* NULL: none of ours, such as the reference's */
	bool label;
	enum scan_answer answer;		/* SCANS_FOUND: evidence, to whom it may answer */
	bool is_signed;
};
int scans_each(struct scans *, int64_t now, int64_t max_age, int (*fn)(void *arg, const struct scan_row *),
    void *arg, struct err *);
int scans_remove(struct scans *, const char *name, struct err *);
/* SARIF and manifests that no entry names and entries above `keep_s` of age; the number of entries removed.
 */
int64_t scans_sweep(struct scans *, int64_t now, int64_t keep_s);
/* Everything. */
int64_t scans_clear(struct scans *, struct err *);

/* True the first time it is called with this text, in any process: an empty file in counted/ remembers. */
bool scans_count_once(struct scans *, struct span what);

#endif
