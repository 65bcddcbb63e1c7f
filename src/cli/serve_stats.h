/*
 * What the daemon tells of itself beside its counters: what memory and disk hold, and GitHub's limits.
 *
 * Disk is counted in slices, when somebody asks and the last count is old; until a long count is over the one
 * before it is told.
 */
#ifndef CLI_SERVE_STATS_H
#define CLI_SERVE_STATS_H

#include <stdint.h>

#include "loop/loop.h"

struct app;
struct json;
struct usage;

#define SERVE_STATS_NEWEST 20		/* keys told of an operation */
#define SERVE_STATS_AGE_MS 30000	/* a long count is good for so long */

struct serve_stats {
	const struct app *app;
	struct usage *count;		/* NULL: none is under way */
	struct job step;
	int64_t entries, bytes;		/* on disk; -1: not known */
	int64_t at;			/* ms, of the last long count */
};

void serve_stats_init(struct serve_stats *, const struct app *);
void serve_stats_wipe(struct serve_stats *);
/* Look at the disk, if the last look is old. Blocks for a millisecond at most. */
void serve_stats_count(struct serve_stats *);

/* "rate_limits": [{token, resource, remaining, limit, reset}], the token by 8 digits of its tag. */
void serve_stats_limits(const struct serve_stats *, struct json *);
/* "memory" and "disk" with entries and bytes, "newest": by operation, the keys last used in memory. */
void serve_stats_cache(struct serve_stats *, struct json *);

#endif
