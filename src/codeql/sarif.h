/*
 * What a SARIF 2.1.0 file says of its runs: tools, rules, invocations, category; everything but its results.
 *
 * The first of two passes: rules may stand behind the results that name them. Whether the file is evidence of
 * a finished scan is sarif_evidence's answer; the levels of single results are sarifcount.h's. Texts above
 * their room are cut, and what is cut is no evidence. All memory is the struct's: 48 bytes a rule, 24 an
 * override, and the addresses of artifacts as they are written.
 */
#ifndef CODEQL_SARIF_H
#define CODEQL_SARIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "crypto/hash.h"

struct err;

#define SARIF_RUNS_MAX 64		/* GitHub takes 20 */
#define SARIF_RULES_MAX 200000		/* of a file; GitHub takes 25,000 of a run */
#define SARIF_ARTIFACTS_MAX ((size_t)8 << 20)	/* bytes of their addresses */
#define SARIF_FILE_MAX ((uint64_t)2 << 30)

enum sarif_level { LEVEL_NONE, LEVEL_NOTE, LEVEL_WARNING, LEVEL_ERROR, LEVEL_UNSET };
/* false: not one of the four words */
bool sarif_level_parse(struct span raw, enum sarif_level *);

enum sarif_severity { SEVERITY_NONE, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };
/* "security-severity", a number as text: above 0 low, from 4 medium, 7 high, 9 to 10 critical; SEVERITY_NONE
 * for all else, with *odd set where it is no number (GitHub refuses such a file). */
enum sarif_severity sarif_severity_of(struct span text, bool *odd);

struct sarif_rule {
	uint64_t id;			/* sarif_id of its id */
	uint32_t component;		/* of its run; 0 is the driver */
	uint32_t index;			/* within the component */
	uint8_t level;			/* enum sarif_level */
	uint8_t severity;		/* enum sarif_severity */
};

struct sarif_override {			/* invocations[].ruleConfigurationOverrides[] with a level */
	uint32_t invocation;
	int64_t component, index;	/* -1: not said */
	uint64_t id;			/* 0: not said */
	uint8_t level;
};

struct sarif_run {
	char tool[128], version[64];	/* driver's name; semanticVersion, else version */
	bool has_tool;			/* the one thing a run must have */
	bool has_results;		/* an array, perhaps an empty one */
	bool failed; /* an invocation does not say executionSuccessful, or how it ended is no
			success */
	bool external;			/* results stand in other files */
	bool cut;			/* a text above did not fit */
	unsigned errors;		/* notifications of level error */
	char incremental[64];		/* properties.incrementalMode; "" none */
	char category[512];		/* automationDetails.id */
	bool has_category;
	uint64_t at, end; /* behind its "{", where a member may be put in first; behind its "}" */
	bool has_automation, automation_empty;
	uint64_t automation_at;		/* the same of automationDetails */
	size_t rules, nrules;		/* in sarif.rules, by component and index; in sarif.ids by id */
	size_t overrides, noverrides;
	size_t artifacts, nartifacts;	/* in sarif.artifacts */
	uint32_t ncomponents;
	uint32_t languages;		/* qllang_of_pack of its extensions */
};

struct sarif {
	bool has_version;		/* 2.1.0, that is: another one is an error */
	bool has_runs;
	size_t nruns;
	struct sarif_run *runs;
	struct sarif_rule *rules, *ids;
	size_t nrules, rules_room;
	struct sarif_override *overrides;
	size_t noverrides, overrides_room;
	uint32_t *artifacts;		/* offsets into uris; a NUL ends each */
	size_t nartifacts, artifacts_room;
	struct buf uris;
	unsigned odd_severities;
	uint64_t size;			/* bytes of the file */
	uint8_t digest[SHA256_LEN];	/* of its bytes */
};

/* Called for each range that is noise (sarifscan.h); may be NULL. */
typedef int sarif_cut_fn(void *arg, uint64_t from, uint64_t to);

/* Read all of `fd`. 0, ERR_DAMAGED (not SARIF 2.1.0), ERR_LIMIT, ERR_IO, ERR_INTERNAL. sarif_free in every
 * case. */
int sarif_read(int fd, struct sarif *, sarif_cut_fn *cut, void *arg, struct err *);
void sarif_free(struct sarif *);

/* Is it the result of a finished, whole scan? 0, or ERR_PROTO with why not: no runs, no tool, results null,
 * not there or in other files, an invocation that failed or does not say that it did not, an error that the
 * tool notes, two runs of one tool and category. Incremental runs pass: sarif_incremental tells. */
int sarif_evidence(const struct sarif *, struct err *);
/* NULL, or the incrementalMode of a run. */
const char *sarif_incremental(const struct sarif *);

/* The 64 bits by which rules are compared; never 0. */
uint64_t sarif_id(struct span id);
/* NULL: there is none. */
const struct sarif_rule *sarif_rule_at(const struct sarif *, const struct sarif_run *, uint32_t component,
    uint32_t index);
/* By id, of a component or (-1) of the driver, else of any extension. */
const struct sarif_rule *sarif_rule_by_id(const struct sarif *, const struct sarif_run *, uint64_t id,
    int64_t component);
/* The artifact's address as it is written; NULL: none. */
const char *sarif_artifact(const struct sarif *, const struct sarif_run *, int64_t index);

#endif
