/*
 * The results of a SARIF file, one after the other, each with its level and security severity; and their
 * counts.
 *
 * The second pass over a file that sarif_read has read. Level, as SARIF 2.1.0 §3.27.10 has it: "none" unless
 * the kind is "fail" (the default); else the result's own; else the invocation's override for its rule; else
 * the rule's default; else "warning". The rule: by index in the named component (the driver where none is
 * named), else by its id, also without the last parts of a hierarchical one. The severity is the rule's.
 * Suppressed results count like the others, as they do for GitHub, and are counted besides.
 */
#ifndef CODEQL_SARIFCOUNT_H
#define CODEQL_SARIFCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "codeql/sarif.h"

struct sarif_counts {
	uint64_t results, suppressed;
	uint64_t level[4];		/* by enum sarif_level */
	uint64_t severity[5];		/* by enum sarif_severity */
	uint64_t most;			/* results of the run that has most */
	uint64_t digest[2];		/* of the set of (rule, place, fingerprint), in whatever order */
};

struct sarif_result {
	uint64_t number;		/* in the file, from 0 */
	size_t run;
	struct span rule;		/* its id as text, or "" */
	enum sarif_level level;
	enum sarif_severity severity;
	struct span uri;		/* of the first location, as written or the artifact's; "" none */
	uint32_t line;			/* 0: none */
	struct span hash;		/* primaryLocationLineHash; p == NULL: none */
	uint64_t at;			/* where a first member may be put in */
	bool has_prints, prints_empty;
	uint64_t prints_at;		/* the same of partialFingerprints */
};

/* A negative return ends the walk and is returned. Spans are good during the call. */
typedef int sarif_result_fn(void *arg, const struct sarif_result *, struct err *);

/* `fn` may be NULL. 0, ERR_DAMAGED, ERR_IO, ERR_INTERNAL, or what `fn` returned. */
int sarifcount_walk(int fd, const struct sarif *, struct sarif_counts *, sarif_result_fn *fn, void *arg,
    struct err *);

/* How many results are at least that: "critical", "high", "medium", "low" of security severity, "error",
 * "warning", "note" of level, "any". -1: no such word. */
int64_t sarifcount_at_least(const struct sarif_counts *, const char *word);

#endif
