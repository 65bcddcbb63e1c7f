#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codeql/sarifscan.h"

#define PIECE ((size_t)64 << 10)

/* What a value may be. */
enum { IS_OBJECT = 1, IS_ARRAY = 2, IS_STRING = 4, IS_NUMBER = 8, IS_BOOL = 16, IS_ANY = 31 };

/* Below an object the members by name; below an array, key NULL, its items. */
static const struct row {
	uint8_t parent, child;
	uint8_t kinds;
	const char *key;
} rows[] = {
	{ SARIF_LOG, SARIF_VERSION, IS_STRING, "version" }, { SARIF_LOG, SARIF_RUNS, IS_ARRAY, "runs" },
	{ SARIF_RUNS, SARIF_RUN, IS_OBJECT, NULL },

	{ SARIF_RUN, SARIF_TOOL, IS_OBJECT, "tool" }, { SARIF_RUN, SARIF_RESULTS, IS_ARRAY, "results" },
	{ SARIF_RUN, SARIF_INVOCATIONS, IS_ARRAY, "invocations" },
	{ SARIF_RUN, SARIF_AUTOMATION, IS_OBJECT, "automationDetails" },
	{ SARIF_RUN, SARIF_RUN_PROPERTIES, IS_OBJECT, "properties" },
	{ SARIF_RUN, SARIF_ARTIFACTS, IS_ARRAY, "artifacts" },
	{ SARIF_RUN, SARIF_PROVENANCES, IS_ARRAY, "versionControlProvenance" },
	{ SARIF_RUN, SARIF_EXTERNALS, IS_OBJECT, "externalPropertyFileReferences" },
	{ SARIF_RUN, SARIF_NOISE, IS_ANY, "baselineGuid" },

	{ SARIF_TOOL, SARIF_DRIVER, IS_OBJECT, "driver" },
	{ SARIF_TOOL, SARIF_EXTENSIONS, IS_ARRAY, "extensions" },
	{ SARIF_EXTENSIONS, SARIF_EXTENSION, IS_OBJECT, NULL },
	{ SARIF_DRIVER, SARIF_TOOL_NAME, IS_STRING, "name" },
	{ SARIF_DRIVER, SARIF_TOOL_VERSION, IS_STRING, "version" },
	{ SARIF_DRIVER, SARIF_TOOL_SEMVER, IS_STRING, "semanticVersion" },
	{ SARIF_DRIVER, SARIF_RULES, IS_ARRAY, "rules" },
	{ SARIF_EXTENSION, SARIF_RULES, IS_ARRAY, "rules" },
	{ SARIF_EXTENSION, SARIF_EXTENSION_NAME, IS_STRING, "name" },
	{ SARIF_RULES, SARIF_RULE, IS_OBJECT, NULL }, { SARIF_RULE, SARIF_RULE_ID, IS_STRING, "id" },
	{ SARIF_RULE, SARIF_RULE_CONFIG, IS_OBJECT, "defaultConfiguration" },
	{ SARIF_RULE, SARIF_RULE_PROPERTIES, IS_OBJECT, "properties" },
	{ SARIF_RULE_CONFIG, SARIF_RULE_LEVEL, IS_STRING, "level" },
	{ SARIF_RULE_PROPERTIES, SARIF_RULE_SECURITY, IS_ANY, "security-severity" },

	{ SARIF_INVOCATIONS, SARIF_INVOCATION, IS_OBJECT, NULL },
	{ SARIF_INVOCATION, SARIF_SUCCESSFUL, IS_BOOL, "executionSuccessful" },
	{ SARIF_INVOCATION, SARIF_EXIT_CODE, IS_NUMBER, "exitCode" },
	{ SARIF_INVOCATION, SARIF_EXIT_SIGNAL, IS_ANY, "exitSignalName" },
	{ SARIF_INVOCATION, SARIF_EXIT_SIGNAL, IS_ANY, "exitSignalNumber" },
	{ SARIF_INVOCATION, SARIF_NOTES, IS_ARRAY, "toolExecutionNotifications" },
	{ SARIF_INVOCATION, SARIF_NOTES, IS_ARRAY, "toolConfigurationNotifications" },
	{ SARIF_INVOCATION, SARIF_OVERRIDES, IS_ARRAY, "ruleConfigurationOverrides" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "commandLine" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "arguments" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "responseFiles" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "startTimeUtc" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "endTimeUtc" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "processId" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "machine" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "account" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "executableLocation" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "workingDirectory" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "environmentVariables" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "stdin" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "stdout" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "stderr" },
	{ SARIF_INVOCATION, SARIF_NOISE, IS_ANY, "stdoutStderr" },
	{ SARIF_NOTES, SARIF_NOTE, IS_OBJECT, NULL },
	{ SARIF_NOTE, SARIF_NOTE_LEVEL, IS_STRING, "level" },
	{ SARIF_NOTE, SARIF_NOISE, IS_ANY, "timeUtc" }, { SARIF_NOTE, SARIF_NOISE, IS_ANY, "threadId" },
	{ SARIF_OVERRIDES, SARIF_OVERRIDE, IS_OBJECT, NULL },
	{ SARIF_OVERRIDE, SARIF_DESCRIPTOR, IS_OBJECT, "descriptor" },
	{ SARIF_OVERRIDE, SARIF_OVERRIDE_CONFIG, IS_OBJECT, "configuration" },
	{ SARIF_DESCRIPTOR, SARIF_DESCRIPTOR_ID, IS_STRING, "id" },
	{ SARIF_DESCRIPTOR, SARIF_DESCRIPTOR_INDEX, IS_NUMBER, "index" },
	{ SARIF_DESCRIPTOR, SARIF_DESCRIPTOR_COMPONENT, IS_OBJECT, "toolComponent" },
	{ SARIF_DESCRIPTOR_COMPONENT, SARIF_DESCRIPTOR_COMPONENT_INDEX, IS_NUMBER, "index" },
	{ SARIF_OVERRIDE_CONFIG, SARIF_OVERRIDE_LEVEL, IS_STRING, "level" },

	{ SARIF_AUTOMATION, SARIF_AUTOMATION_ID, IS_STRING, "id" },
	{ SARIF_AUTOMATION, SARIF_NOISE, IS_ANY, "guid" },
	{ SARIF_RUN_PROPERTIES, SARIF_INCREMENTAL, IS_ANY, "incrementalMode" },
	{ SARIF_RUN_PROPERTIES, SARIF_NOISE, IS_ANY, "jobRunUuid" },
	{ SARIF_EXTERNALS, SARIF_EXTERNAL_RESULTS, IS_ANY, "results" },
	{ SARIF_ARTIFACTS, SARIF_ARTIFACT, IS_OBJECT, NULL },
	{ SARIF_ARTIFACT, SARIF_ARTIFACT_LOCATION, IS_OBJECT, "location" },
	{ SARIF_ARTIFACT_LOCATION, SARIF_ARTIFACT_URI, IS_STRING, "uri" },
	{ SARIF_PROVENANCES, SARIF_VERSION_CONTROL, IS_OBJECT, NULL },
	{ SARIF_VERSION_CONTROL, SARIF_NOISE, IS_ANY, "revisionId" },
	{ SARIF_VERSION_CONTROL, SARIF_NOISE, IS_ANY, "asOfTimeUtc" },

	{ SARIF_RESULTS, SARIF_RESULT, IS_OBJECT, NULL },
	{ SARIF_RESULT, SARIF_RESULT_RULE_ID, IS_STRING, "ruleId" },
	{ SARIF_RESULT, SARIF_RESULT_RULE_INDEX, IS_NUMBER, "ruleIndex" },
	{ SARIF_RESULT, SARIF_RESULT_RULE, IS_OBJECT, "rule" },
	{ SARIF_RESULT, SARIF_RESULT_KIND, IS_STRING, "kind" },
	{ SARIF_RESULT, SARIF_RESULT_LEVEL, IS_STRING, "level" },
	{ SARIF_RESULT, SARIF_PROVENANCE, IS_OBJECT, "provenance" },
	{ SARIF_RESULT, SARIF_LOCATIONS, IS_ARRAY, "locations" },
	{ SARIF_RESULT, SARIF_FINGERPRINTS, IS_OBJECT, "partialFingerprints" },
	{ SARIF_RESULT, SARIF_SUPPRESSIONS, IS_ARRAY, "suppressions" },
	{ SARIF_SUPPRESSIONS, SARIF_SUPPRESSION, IS_OBJECT, NULL },
	{ SARIF_RESULT_RULE, SARIF_RESULT_RULE_REF_ID, IS_STRING, "id" },
	{ SARIF_RESULT_RULE, SARIF_RESULT_RULE_REF_INDEX, IS_NUMBER, "index" },
	{ SARIF_RESULT_RULE, SARIF_RESULT_COMPONENT, IS_OBJECT, "toolComponent" },
	{ SARIF_RESULT_COMPONENT, SARIF_RESULT_COMPONENT_INDEX, IS_NUMBER, "index" },
	{ SARIF_PROVENANCE, SARIF_PROVENANCE_INVOCATION, IS_NUMBER, "invocationIndex" },
	{ SARIF_LOCATIONS, SARIF_LOCATION, IS_OBJECT, NULL },
	{ SARIF_LOCATION, SARIF_PHYSICAL, IS_OBJECT, "physicalLocation" },
	{ SARIF_PHYSICAL, SARIF_PLACE, IS_OBJECT, "artifactLocation" },
	{ SARIF_PHYSICAL, SARIF_REGION, IS_OBJECT, "region" },
	{ SARIF_PLACE, SARIF_PLACE_URI, IS_STRING, "uri" },
	{ SARIF_PLACE, SARIF_PLACE_INDEX, IS_NUMBER, "index" },
	{ SARIF_REGION, SARIF_START_LINE, IS_NUMBER, "startLine" },
	{ SARIF_FINGERPRINTS, SARIF_LINE_HASH, IS_STRING, "primaryLocationLineHash" },
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

/* One open container. */
struct level {
	uint8_t what;
	bool kept;			/* a member stands before this one that stays */
	uint32_t seen;			/* rows of this container, by their place among its rows: each once */
	uint64_t key_at;		/* of the key it stands under */
	uint64_t last_end;		/* where the member before ended */
	uint64_t pending;		/* a cut that waits for the next member; NOTHING: none */
};

#define NOTHING UINT64_MAX

struct sarifscan {
	struct tokens tokens;
	sarif_fn *fn;
	void *arg;
	struct err *err;		/* of the call that runs */
	struct level levels[JSCAN_DEPTH + 1];
	unsigned depth;
	const struct row *row;		/* of the member whose key has come; NULL: not known */
	uint64_t key_at;
	uint8_t first_row[SARIF_CUT + 1];
};

_Static_assert(NROWS < UINT8_MAX, "a row has a number of one byte");

struct sarifscan *sarifscan_new(sarif_fn *fn, void *arg)
{
	struct sarifscan *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	tokens_init(&s->tokens);
	s->fn = fn;
	s->arg = arg;
	memset(s->first_row, NROWS, sizeof(s->first_row));
	for (size_t i = NROWS; i-- > 0;)
		s->first_row[rows[i].parent] = (uint8_t)i;
	return s;
}

void sarifscan_free(struct sarifscan *s)
{
	if (s == NULL)
		return;
	tokens_free(&s->tokens);
	free(s);
}

static int bad(struct sarifscan *s, const char *key, const char *what)
{
	return err_set(s->err, ERR_DAMAGED, "not SARIF 2.1.0: %s %s at byte %" PRIu64, key, what,
	    s->tokens.scan.start);
}

static int tell(struct sarifscan *s, uint8_t what, enum jscan_event ev, struct span raw, bool empty)
{
	struct sarif_event e = { .what = (enum sarif_what)what, .ev = ev, .raw = raw,
		.at = s->tokens.scan.start, .end = s->tokens.scan.end, .empty = empty };

	return what == SARIF_SKIP || what == SARIF_NOISE ? 0 : s->fn(s->arg, &e, s->err);
}

static int tell_cut(struct sarifscan *s, uint64_t from, uint64_t to)
{
	struct sarif_event e = { .what = SARIF_CUT, .at = from, .end = to };

	return s->fn(s->arg, &e, s->err);
}

/* ---- members ---- */

/* A key may be written with escapes; nearly none is. */
static bool key_is(struct span raw, const char *key)
{
	size_t n = strlen(key);

	if (raw.n == n + 2 && memcmp(raw.p + 1, key, n) == 0)
		return true;
	return raw.n > n + 2 && memchr(raw.p, '\\', raw.n) != NULL && jscan_str_eq(raw, key);
}

/* The rows of one parent stand together. */
static const struct row *find_row(const struct sarifscan *s, uint8_t parent, struct span key)
{
	for (size_t i = s->first_row[parent]; i < NROWS && rows[i].parent == parent; i++)
		if (rows[i].key != NULL && key_is(key, rows[i].key))
			return &rows[i];
	return NULL;
}

static int on_key(struct sarifscan *s, struct span key)
{
	struct level *l = &s->levels[s->depth];
	int rc = 0;

	s->key_at = s->tokens.scan.start;
	s->row = l->what == SARIF_SKIP || key.p == NULL ? NULL : find_row(s, l->what, key);
	if (s->row != NULL) {
		uint32_t bit = (uint32_t)1 << ((size_t)(s->row - rows) - s->first_row[l->what]);
		if (l->seen & bit)
			return bad(s, s->row->key, "is written twice");
		l->seen |= bit;
	}
	return rc;
}

/*
 * A member of `l` has ended. One that goes takes the comma before it along; the first takes the one behind
 * it, so it waits for the next member that stays.
 */
static int value_over(struct sarifscan *s, struct level *l, uint64_t key_at, bool cut)
{
	uint64_t end = s->tokens.scan.end, from = l->last_end;
	int rc = 0;

	l->last_end = end;
	if (cut && l->kept)
		return tell_cut(s, from, end);
	if (cut) {
		if (l->pending == NOTHING)
			l->pending = key_at;
		return 0;
	}
	if (l->pending != NOTHING)
		rc = tell_cut(s, l->pending, key_at);
	l->pending = NOTHING;
	l->kept = true;
	return rc;
}

/* ---- values ---- */

static uint8_t kind_of(enum jscan_event ev)
{
	switch (ev) {
	case JSCAN_OBJECT:
		return IS_OBJECT;
	case JSCAN_ARRAY:
		return IS_ARRAY;
	case JSCAN_STRING:
		return IS_STRING;
	case JSCAN_NUMBER:
		return IS_NUMBER;
	case JSCAN_TRUE:
	case JSCAN_FALSE:
		return IS_BOOL;
	case JSCAN_NULL:
	case JSCAN_NONE:
	case JSCAN_KEY:
	case JSCAN_OBJECT_END:
	case JSCAN_ARRAY_END:
		break;
	}
	return 0;
}

/* Which part of SARIF begins here, checked for its type. An item of an array has its row from its parent. */
static int place(struct sarifscan *s, enum jscan_event ev, uint8_t *what)
{
	uint8_t parent = s->levels[s->depth].what;
	const struct row *row = s->row;

	*what = SARIF_SKIP;
	if (s->depth == 0) {
		*what = SARIF_LOG;
		return ev == JSCAN_OBJECT ? 0 : bad(s, "the file", "is no object");
	}
	if (row == NULL && s->first_row[parent] < NROWS && rows[s->first_row[parent]].key == NULL)
		row = &rows[s->first_row[parent]];
	if (row == NULL)
		return 0;
	*what = row->child;
	if (ev == JSCAN_NULL ? row->key == NULL : !(kind_of(ev) & row->kinds))
		return bad(s, row->key != NULL ? row->key : "an item", "is of the wrong type");
	return 0;
}

static int on_open(struct sarifscan *s, enum jscan_event ev)
{
	uint8_t what;
	int rc = place(s, ev, &what);

	if (rc == 0)
		rc = tell(s, what, ev, span_of(""), false);
	/* What is below a member that goes is not looked at. */
	s->levels[++s->depth] = (struct level){ .what = what, .key_at = s->key_at,
		.last_end = s->tokens.scan.end, .pending = NOTHING };
	s->row = NULL;
	return rc;
}

static int on_close(struct sarifscan *s, enum jscan_event ev)
{
	struct level *l = &s->levels[s->depth];
	int rc = l->pending != NOTHING ? tell_cut(s, l->pending, l->last_end) : 0;

	if (rc == 0)
		rc = tell(s, l->what, ev, span_of(""), !l->kept);
	s->depth--;
	s->row = NULL;
	if (rc < 0 || s->depth == 0)
		return rc;
	return value_over(s, &s->levels[s->depth], l->key_at, l->what == SARIF_NOISE);
}

static int on_scalar(struct sarifscan *s, enum jscan_event ev, struct span raw)
{
	uint8_t what;
	int rc = place(s, ev, &what);
	bool cut = what == SARIF_NOISE || (ev == JSCAN_NULL && what != SARIF_SKIP) ||
	    (what == SARIF_AUTOMATION_ID && span_eq(raw, "\"\""));

	if (rc == 0 && !cut)
		rc = tell(s, what, ev, raw, false);
	s->row = NULL;
	return rc < 0 ? rc : value_over(s, &s->levels[s->depth], s->key_at, cut);
}

static int on_token(void *arg, enum jscan_event ev, struct span raw)
{
	struct sarifscan *s = arg;

	switch (ev) {
	case JSCAN_KEY:
		return on_key(s, raw);
	case JSCAN_OBJECT:
	case JSCAN_ARRAY:
		return on_open(s, ev);
	case JSCAN_OBJECT_END:
	case JSCAN_ARRAY_END:
		return on_close(s, ev);
	case JSCAN_STRING:
	case JSCAN_NUMBER:
	case JSCAN_TRUE:
	case JSCAN_FALSE:
	case JSCAN_NULL:
		return s->depth == 0 ? bad(s, "the file", "is no object") : on_scalar(s, ev, raw);
	case JSCAN_NONE:
		break;
	}
	return 0;
}

/* ---- input ---- */

static int told(struct sarifscan *s, int rc)
{
	if (rc == ERR_DAMAGED)
		err_set(s->err, rc,
		    "not JSON at byte %" PRIu64 " (nesting above %d, bytes that are not UTF-8 "
		    "and a missing end count too)",
		    s->tokens.scan.pos, JSCAN_DEPTH);
	return rc;
}

int sarifscan_feed(struct sarifscan *s, const void *p, size_t n, struct err *err)
{
	s->err = err;
	return told(s, tokens_feed(&s->tokens, p, n, on_token, s));
}

int sarifscan_end(struct sarifscan *s, struct err *err)
{
	s->err = err;
	return told(s, tokens_end(&s->tokens, on_token, s));
}

/* A byte order mark becomes blanks, so that offsets stay those of the file. */
static int drop_mark(struct sarifscan *s, char *piece, size_t n, struct err *err)
{
	s->err = err;
	if (!span_starts(span_make(piece, n), "\xef\xbb\xbf"))
		return 0;
	memset(piece, ' ', 3);
	return tell_cut(s, 0, 3);
}

static ssize_t read_piece(int fd, void *to, uint64_t at)
{
	ssize_t n;

	do
		n = pread(fd, to, PIECE, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

int sarifscan_fd(int fd, sarif_fn *fn, void *arg, void (*seen)(void *arg, const void *, size_t),
    struct err *err)
{
	struct sarifscan *s = sarifscan_new(fn, arg);
	char *piece = malloc(PIECE);
	uint64_t at = 0;
	ssize_t n = 0;
	int rc = s == NULL || piece == NULL ? err_set(err, ERR_INTERNAL, "no memory to read SARIF") : 0;

	while (rc == 0 && (n = read_piece(fd, piece, at)) > 0) {
		if (seen != NULL)
			seen(arg, piece, (size_t)n);
		if (at == 0)
			rc = drop_mark(s, piece, (size_t)n, err);
		if (rc == 0)
			rc = sarifscan_feed(s, piece, (size_t)n, err);
		at += (uint64_t)n;
	}
	if (rc == 0 && n < 0)
		rc = err_sys(err, ERR_IO, "reading SARIF");
	if (rc == 0)
		rc = sarifscan_end(s, err);
	free(piece);
	sarifscan_free(s);
	return rc;
}
