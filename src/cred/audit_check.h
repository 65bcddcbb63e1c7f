/*
 * Is the audit log as it was written? All its files, from the oldest to the newest.
 *
 * A line that was edited does not fit its MAC; one that was taken out, put in or moved breaks seq and prev of
 * the next; a cut tail shows only against an anchor, which is the mac of a line that must be there.
 */
#ifndef CRED_AUDIT_CHECK_H
#define CRED_AUDIT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "cred/audit.h"

struct audit_check {
	uint64_t lines, foreign, unreadable;	/* of the chain; the reference's; neither */
	uint64_t first, seq;			/* of the chain seen */
	char head[AUDIT_MAC_HEX + 1];
	bool anchor_found;
};

/* 0; ERR_DAMAGED with a sentence that names file and line; ERR_USAGE: the anchor is none. `anchor` may be
 * NULL. */
int audit_check_all(const struct audit *, const char *anchor, struct audit_check *, struct err *);

#endif
