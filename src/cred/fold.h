/*
 * Reading never rewrites the store: what was handed out since the last write stands in the audit log, and
 * comes into last_accessed and access_count with the next write.
 */
#ifndef CRED_FOLD_H
#define CRED_FOLD_H

struct vault;

/* Add the accesses of the log's lines since the newest that tells of a write. Lines that are not ours, or
 * whose MAC does not fit, count nothing. */
void fold_accesses(struct vault *);

#endif
