/*
 * The audit log of a credential folder: `audit.log`, JSON lines with the reference's four keys (timestamp,
 * action, credential, details), and seq, prev, mac.
 *
 * mac = HMAC(audit key, prev ‖ the line up to its mac), prev = the mac of the line before: an edit, a removal
 * and another order show; a cut tail shows against an anchor (a mac kept elsewhere), and against the store
 * where two writes went with it. The key is in cred/audit_key.h; a key without a line, or the other way
 * round, is damage. Lines without seq are the reference's: counted, no proof of anything. A file above 1 MiB
 * becomes audit.log.N, the greatest N the newest, and the chain goes on; cut off there, it goes on from that
 * file's last line.
 *
 * A write's line has the store's generation in its details, any other carries the last one's on ("store"), so
 * that the newest line says it all.
 *
 * Control characters, what is not ASCII, `::` and `##[` stand escaped in a line. Lines are at most 4 KiB and
 * are written under `.audit_lock`, those of a call in one write(2), then one fdatasync: who appends before it
 * lets a secret go knows that it is noted.
 */
#ifndef CRED_AUDIT_H
#define CRED_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "cred/audit_key.h"

struct buf;
struct err;

#define AUDIT_MAC_HEX 64
#define AUDIT_LINE_MAX 4096
#define AUDIT_FILE_MAX ((size_t)1 << 20)
#define AUDIT_FILES_MAX 1000000
#define AUDIT_NAME_LEN 32			/* "audit.log.1000000" */

struct audit {
	int dirfd;				/* borrowed */
	const uint8_t *master;			/* borrowed, 32 bytes */
	uint8_t key[AUDIT_KEY_LEN];
	bool has_key;
	bool fresh;				/* there is no log yet: the first append begins it */
	bool said;				/* something was appended */
	/* The newest lines, as of audit_tail or the last append. */
	uint64_t seq;				/* 0: no line of ours */
	char head[AUDIT_MAC_HEX + 1];		/* its mac: the anchor */
	bool has_gen;				/* a line tells of a write */
	uint64_t gen, high;			/* the store's then, and the highest ever */
	char sha[65];
};

struct audit_event {
	const char *action;			/* "access_granted" */
	struct span credential;			/* the name */
	struct span details;			/* members of the JSON object, without braces */
	bool tells_store;			/* they have its generation */
};

/* Put `"name": "text"` (cut to 256 bytes; null if p == NULL), with ", " before it where something is there.
 */
void audit_detail(struct buf *, const char *name, struct span text);

/* Read the sealed key; with `make`, be ready to begin a log where there are neither key nor lines. 0,
 * ERR_DAMAGED (it does not open, or is gone though lines are there), ERR_IO. */
int audit_open(struct audit *, int dirfd, const uint8_t master[static 32], bool make, struct err *);
void audit_wipe(struct audit *);
/* Begin it now, with a line that says so, unless there is one: before the first write of a store. */
int audit_begin(struct audit *, struct err *);
/* Seal the key under another master key, as `.audit_key.next`, and put that in place. */
int audit_reseal(const struct audit *, const uint8_t master[static 32], struct err *);
int audit_settle(int dirfd, const uint8_t master[static 32], struct err *);

/* Read the newest lines. ERR_DAMAGED: the last of ours does not fit its mac, or there is none. */
int audit_tail(struct audit *, struct err *);
/* Append, to the disk. Nothing of it counts unless 0. */
int audit_append(struct audit *, const struct audit_event *, size_t n, struct err *);
/* Put the files aside (audit.log.broken-<time>) and begin a new chain with a line that says so. */
int audit_restart(struct audit *, struct err *);

/* ---- reading ---- */

struct audit_line {
	struct span text;			/* without its newline */
	struct span timestamp, action, credential, details;	/* raw JSON; details an object */
	bool chained;
	uint64_t seq;
	struct span prev, mac;			/* hex */
	struct span store;			/* raw; p == NULL: it has none */
};

/* Take one line apart; false: it is no line of an audit log. */
bool audit_parse(struct span text, struct audit_line *);
bool audit_mac_ok(const struct audit *, const struct audit_line *);
/* Its details' "gen" and the others, of a write's line; false: it is none. */
bool audit_line_gen(const struct audit_line *, uint64_t *gen, uint64_t *high, char sha[static 65]);
/* Append the i-th file (0 is the oldest) to `out`; its name in `name`. ERR_NOTFOUND: past the newest. */
int audit_read_file(int dirfd, size_t i, char name[static AUDIT_NAME_LEN], struct buf *out, struct err *);

#endif
