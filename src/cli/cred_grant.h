/*
 * Who may have which credential: scope, then expiry, then token; then the value; then a line each in the log.
 */
#ifndef CLI_CRED_GRANT_H
#define CLI_CRED_GRANT_H

#include "cli/cred_sub.h"

enum grant_answer { GRANT_YES, GRANT_UNKNOWN, GRANT_SCOPE, GRANT_EXPIRED, GRANT_TOKEN, GRANT_BROKEN };

struct grant {
	struct span name;
	/* The caller brought the value itself, in this call: no token is asked for. It is the record of that
	 * scope and filter, and no namesake. */
	bool own;
	enum scope scope;
	struct span filter;
	enum grant_answer answer;
	struct record *record;
	struct buf value;		/* in c->safe */
	enum access_result access;
	struct err why;			/* a sentence where it is not GRANT_YES */
};

/* Scope, expiry, token, value; then one audit line each, on the disk before this returns 0. After a failure
 * no value is left. `how` names the command in the log. */
int grant_all(struct cred *, struct grant *, size_t n, const char *how, struct err *);
void grant_wipe(struct grant *, size_t n);
/* "A,B" into grants; the number, or ERR_USAGE (a bad or denied name, unless `any`). */
int grant_names(const struct cred *, const char *names, bool any, struct grant *, size_t room, struct err *);

#endif
