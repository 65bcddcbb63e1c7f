/*
 * The counters for people and machines: text, JSON, Prometheus (text format 0.0.4), Markdown. Pure writers.
 *
 * Derived numbers stand under the reference's names: total_requests, total_hits, hit_rate, api_calls_saved,
 * local_hits, peer_hits, cache_size, connected_peers, p2p_enabled.
 */
#ifndef METRICS_REPORT_H
#define METRICS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct metrics;

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_PROMETHEUS, REPORT_MARKDOWN };

struct report_gauges {		/* what is not a counter, taken by the caller; -1: not known */
	int64_t entries, bytes;
	int64_t connected_peers;	/* -1: peers are not to be had; prints 0, and p2p_enabled is false */
	const char *cache_dir;
	const char *version;
	const struct metrics *cred;	/* of the credential folder ("cred.*"); NULL: there is none */
};

bool report_format_parse(const char *, enum report_format *);
void report_write(const struct metrics *, const struct report_gauges *, enum report_format, struct buf *);

#endif
