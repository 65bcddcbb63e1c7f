/*
 * A streaming reader of SARIF 2.1.0: bytes in, events out, for the parts of the format that decide something.
 *
 * What is known (the table in sarifscan.c) is checked for its type and for being written once; what is not
 * known is only checked to be JSON. null means absent, and so does an automationDetails.id that is empty. A
 * byte order mark in front is a cut. Constant memory, whatever the size; nesting as base/jscan has it. It
 * keeps no results and judges nothing: sarif.h and sarifcount.h do.
 *
 * Noise, the members that differ from run to run without meaning (when, where and by which process it ran),
 * is reported as cuts: byte ranges whose removal, with the comma beside them, leaves JSON that lacks just
 * these members.
 */
#ifndef CODEQL_SARIFSCAN_H
#define CODEQL_SARIFSCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "codeql/tokens.h"

enum sarif_what {
	SARIF_SKIP,			/* not known: no events */
	SARIF_LOG, SARIF_VERSION, SARIF_RUNS, SARIF_RUN,
	SARIF_TOOL, SARIF_DRIVER, SARIF_EXTENSIONS, SARIF_EXTENSION,
	SARIF_TOOL_NAME, SARIF_TOOL_VERSION, SARIF_TOOL_SEMVER, SARIF_EXTENSION_NAME,
	SARIF_RULES, SARIF_RULE, SARIF_RULE_ID, SARIF_RULE_CONFIG, SARIF_RULE_LEVEL,
	SARIF_RULE_PROPERTIES, SARIF_RULE_SECURITY,
	SARIF_INVOCATIONS, SARIF_INVOCATION, SARIF_SUCCESSFUL, SARIF_EXIT_CODE, SARIF_EXIT_SIGNAL,

	SARIF_NOTES, SARIF_NOTE, SARIF_NOTE_LEVEL,
	SARIF_OVERRIDES, SARIF_OVERRIDE, SARIF_DESCRIPTOR, SARIF_DESCRIPTOR_ID, SARIF_DESCRIPTOR_INDEX,
	SARIF_DESCRIPTOR_COMPONENT, SARIF_DESCRIPTOR_COMPONENT_INDEX,
	SARIF_OVERRIDE_CONFIG, SARIF_OVERRIDE_LEVEL,
	SARIF_AUTOMATION, SARIF_AUTOMATION_ID,
	SARIF_RUN_PROPERTIES, SARIF_INCREMENTAL, SARIF_EXTERNALS, SARIF_EXTERNAL_RESULTS,
	SARIF_ARTIFACTS, SARIF_ARTIFACT, SARIF_ARTIFACT_LOCATION, SARIF_ARTIFACT_URI,
	SARIF_PROVENANCES, SARIF_VERSION_CONTROL,
	SARIF_RESULTS, SARIF_RESULT,
	SARIF_RESULT_RULE_ID, SARIF_RESULT_RULE_INDEX, SARIF_RESULT_KIND, SARIF_RESULT_LEVEL,
	SARIF_RESULT_RULE, SARIF_RESULT_RULE_REF_ID, SARIF_RESULT_RULE_REF_INDEX,
	SARIF_RESULT_COMPONENT, SARIF_RESULT_COMPONENT_INDEX,
	SARIF_PROVENANCE, SARIF_PROVENANCE_INVOCATION,
	SARIF_LOCATIONS, SARIF_LOCATION, SARIF_PHYSICAL, SARIF_PLACE, SARIF_PLACE_URI, SARIF_PLACE_INDEX,
	SARIF_REGION, SARIF_START_LINE,
	SARIF_FINGERPRINTS, SARIF_LINE_HASH,
	SARIF_SUPPRESSIONS, SARIF_SUPPRESSION,
	SARIF_NOISE,			/* a member to be cut: no events but the cut */
	SARIF_CUT			/* an event alone: at .. end is to go */
};

struct sarif_event {
	enum sarif_what what;
	enum jscan_event ev;		/* JSCAN_OBJECT and _ARRAY open, their _END close; else a scalar */
	struct span raw;		/* of a scalar, with quotes; p == NULL: longer than TOKENS_MAX */
	uint64_t at, end;		/* offsets of the token */
	bool empty; /* of a closing bracket: it holds no member, or none is left after the cuts */
};

/* A negative return ends the scan and is returned. The error is the callee's to set. */
typedef int sarif_fn(void *arg, const struct sarif_event *, struct err *);

struct sarifscan;

/* NULL: no memory. */
struct sarifscan *sarifscan_new(sarif_fn *fn, void *arg);
void sarifscan_free(struct sarifscan *);
/* 0; ERR_DAMAGED: not JSON, or not SARIF, with where in the sentence. */
int sarifscan_feed(struct sarifscan *, const void *, size_t n, struct err *);
int sarifscan_end(struct sarifscan *, struct err *);

/* Every size of input: from `fd` at offset 0 to its end, in pieces. ERR_IO; `seen` may be NULL. */
int sarifscan_fd(int fd, sarif_fn *fn, void *arg, void (*seen)(void *arg, const void *, size_t),
    struct err *);

#endif
