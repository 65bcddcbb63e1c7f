/*
 * How a line of the audit log is made: its members, what neutralises them, its mac. For cred/audit alone;
 * what reads lines is in its header.
 */
#ifndef CRED_AUDIT_LINE_H
#define CRED_AUDIT_LINE_H

#include <stddef.h>

#include "base/buf.h"
#include "crypto/hmac.h"

struct audit;
struct audit_event;

#define AUDIT_TIME_LEN 32

/* What one call appends: its lines have the same time. */
struct audit_lines {
	struct buf out;			/* .failed: one is too long, or there was no memory */
	struct buf plain;		/* the line at hand, before it is neutralised */
	struct hmac keyed;
	char now[AUDIT_TIME_LEN];
};

/* For about `n` lines under the log's key. */
void audit_lines_init(struct audit_lines *, const struct audit *, size_t n);
void audit_lines_free(struct audit_lines *);
/* Append a line; the log's head and seq go on with it. */
void audit_put_line(struct audit *, const struct audit_event *, struct audit_lines *);

#endif
