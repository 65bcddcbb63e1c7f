/*
 * Counters that add up across processes: a small mapped file of named 64-bit numbers, added to atomically.
 *
 * `.stats` in the cache folder: a 16-byte magic with a version, then METRICS_MAX slots of 64 bytes: name (48
 * bytes, NUL padded), the number (8, host order), 8 of zero. A slot is claimed under flock(2), a number is
 * added to without. A file that is absent is made, a damaged one replaced (its numbers are lost); where it is
 * of another version or cannot be written, the counters of this process work on in memory. Names are fixed by
 * the table in metrics.c plus dynamic ones (route and layer counters) that share a prefix. A dynamic name is
 * `prefix.rest` of a-z 0-9 _ and dots.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metrics;

#define METRICS_MAX 256
#define METRICS_NAME_MAX 47

/* What is counted by fixed name. Each is a counter that only grows, in the unit its name says. */
enum metric {
	M_REQUESTS,		/* total_requests: look-ups by api and daemon */
	M_HIT_MEM, M_HIT_P2P, M_HIT_DISK,	/* answered without asking GitHub, by layer */
	M_HIT_STALE,		/* answered with a stale entry (error, limit, offline) */
	M_REVALIDATED,		/* 304 on an own entry */
	M_PEERS_LATE,		/* look-ups that went on as peers had not answered within the budget */
	M_CANDIDATE,		/* 304 on a candidate of another token */
	M_MISS,			/* asked and got a new body */
	M_BYPASS,		/* passed through uncached */
	M_STORED, M_STORE_FAILED,
	M_UPSTREAM,		/* requests that reached GitHub */
	M_UPSTREAM_BILLABLE,	/* of these, all but authorized 304s */
	M_CALLS_SAVED,		/* billable requests that were not made */
	M_BYTES_SAVED,		/* body bytes not fetched */
	M_CORRUPT,		/* entries moved to corrupt/ */
	M_ETAG_AGREE, M_ETAG_DIFFER,	/* the derivation's self-check */
	M_LINK_DROPPED,		/* Link or Location that left the upstream */
	M_RATE_WAITS,
	M_GC_RUNS, M_GC_REMOVED,
	M_CODEQL_CHECKS,		/* counted in the folder of scans, as all of these */
	M_CODEQL_HITS,			/* checks that exit 0: a scan that was not needed */
	M_CODEQL_STORED, M_CODEQL_UPLOADED,
	M_CODEQL_SECONDS_SAVED,		/* measured durations less our own, once a job */
	M_CODEQL_SAMPLED,		/* hits that were scanned all the same and compared */
	M_CODEQL_FALSE_SKIPS,		/* of these, such as found other results */
	M_COUNT
};

/* Never fails for a caller: with dir == NULL, or where the file cannot be used, it counts in memory only.
 * NULL: no memory. */
struct metrics *metrics_open(const char *dir);
void metrics_free(struct metrics *);
/* Add all of `from`, fixed and dynamic, to `into`: for a report over several folders. */
void metrics_merge(struct metrics *into, const struct metrics *from);
bool metrics_is_shared(const struct metrics *);

void metrics_add(struct metrics *, enum metric, uint64_t);	/* NULL metrics: nothing happens */
uint64_t metrics_get(const struct metrics *, enum metric);
const char *metrics_name(enum metric);		/* "total_requests" */
const char *metrics_help(enum metric);		/* one sentence */

/* A dynamic one: "route.get_repo_info"; silently dropped when all slots are taken or the name is none. */
void metrics_add_named(struct metrics *, const char *name, uint64_t);
/* Where a dynamic one is counted, as long as `m` lives, for who adds to it often; NULL: nowhere. */
uint64_t *metrics_counter(struct metrics *, const char *name);
void metrics_count(uint64_t *counter, uint64_t);	/* NULL: nothing happens */
/* Walk the dynamic ones (*at starts at 0): false at the end. */
bool metrics_next(const struct metrics *, size_t *at, char name[static METRICS_NAME_MAX + 1], uint64_t *);

#endif
