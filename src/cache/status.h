/*
 * What became of a request, and how the Cache-Status field says it (RFC 9211).
 */
#ifndef CACHE_STATUS_H
#define CACHE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cache_fwd {
	FWD_NONE,		/* a hit: nothing was sent */
	FWD_URI_MISS, FWD_VARY_MISS, FWD_STALE, FWD_REQUEST, FWD_BYPASS, FWD_METHOD
};

struct cache_outcome {
	enum cache_fwd fwd;
	int fwd_status;		/* GitHub's answer; 0: there was none */
	bool stored;
	bool collapsed;		/* another request's answer */
	bool served_entry;	/* the body comes from an entry: Age and X-From-Cache belong to it */
	const char *detail;	/* "memory", "disk", "revalidated", …; NULL: none */
	int64_t ttl;		/* s left, of a hit; negative: stale */
	int64_t length;		/* of the body that follows; -1: not known */
	int64_t age;		/* s since GitHub's last 200 or 304, of a served entry */
};

#define CACHE_STATUS_MAX 128

/* "ghoard; hit; ttl=287; detail=disk" */
void status_text(const struct cache_outcome *, char out[static CACHE_STATUS_MAX]);

#endif
