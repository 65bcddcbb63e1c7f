/*
 * What the parts of `ghoard codeql` share: the words on the command line and of the environment, brought
 * together once into the scan that this run would be (`want`), and the folder of scans.
 */
#ifndef CLI_CODEQL_H
#define CLI_CODEQL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/app.h"
#include "cli/opt.h"
#include "codeql/configkey.h"
#include "codeql/fingerprint.h"
#include "codeql/intake.h"
#include "codeql/scancfg.h"
#include "codeql/scans.h"
#include "codeql/state.h"

struct codeql_opts {
	const char *repo, *commit, *ref, *queries, *packs, *config_file, *build_mode, *version, *category,
	    *matrix, *source, *tool, *state, *event, *fail_on, *sample, *sarif, *started, *finished, *out;
	bool allow_unpinned, keep_runtime;
	struct opt_list languages, ignore, extra;
};

enum codeql_event {			/* what a run on this event may do */
	EVENT_LOOKS,			/* push, pull_request, release, …: look for a result */
	EVENT_SCHEDULE, EVENT_DISPATCH,	/* always scan */
	EVENT_MERGE_GROUP,		/* look, never upload, skip all the same */
	EVENT_UNTRUSTED			/* scan, unless commit and ref are given */
};

struct codeql {
	struct app app;
	const struct globals *globals;
	const struct codeql_opts *o;
	const struct opt_args *keys;	/* operands of invalidate and persist */
	int64_t began;			/* ms, monotonic */
	struct metrics *metrics;	/* of the folder of scans */
	struct scan_peers peers;
	struct scans *scans;		/* NULL: no folder; only of check */
	uint8_t trusted[SCANS_KEYS_MAX][ED25519_PUB_LEN];
	size_t ntrusted;
	struct ed25519_key key;
	bool has_key;
	int64_t max_age;		/* s */
	struct buf payload;		/* of the event; empty: none */
	enum codeql_event event;
	char run[256];			/* "<run id>/<attempt>/<job>", "" outside Actions */
	char workflow[512];		/* path of the workflow file */
	char source_root[PATH_MAX];
	char workspace[PATH_MAX];	/* "": the source is the whole tree, or has .git above it */
	struct scancfg cfg;
	struct scancfg_pair *env;
	char *env_text;
	bool git_steered; /* the environment names other settings of git, or another repository */
	const char *ignore[OPT_LIST_MAX], *extra[OPT_LIST_MAX];
	struct buf category;		/* that a run without one gets */
	struct buf fields;		/* the configuration's, JSON: want.fields */
	/* after codeql_look */
	struct configkey config;
	struct fingerprint fp;
	bool has_config;		/* else `why` says why there is none */
	struct scan want;
	struct err why;
	struct err no_folder;		/* why there is no folder, or why it cannot be written */
};

enum codeql_need {			/* what a command wants of the folder of scans */
	FOLDER_IF_ANY,			/* `scans` may be NULL, and `no_folder` says why */
	FOLDER_TO_READ, FOLDER_TO_WRITE
};
/* Settings, keys, folder. ERR_*; codeql_close in every case. */
int codeql_open(struct codeql *, const struct globals *, const struct codeql_opts *, enum codeql_need,
    struct err *);
/* Fingerprint and configuration of the tree: fills fp, config, want. Not usable is no error. */
int codeql_look(struct codeql *, struct err *);
void codeql_close(struct codeql *);

/* The parts of codeql_look that read words: the event and whose results these are; the scan's own. */
int codeql_take_event(struct codeql *, struct err *);
int codeql_take_words(struct codeql *, struct err *);
/* After the fingerprint: the workflow file and what it calls, into `config`. */
void codeql_take_workflow(struct codeql *);
/* And for builds, and tools that may read anything, what GITHUB_WORKSPACE has beside the checkout. */
void codeql_take_beside(struct codeql *);
/* 1: the tree's files are those of that commit; 0: they are not; -1: its objects cannot be read, so nobody
 * knows.
 */
int codeql_is_commit(const struct codeql *, const char *commit);
/* A text of the event's payload; "" where there is none. */
void codeql_payload(const struct codeql *, const char *path, char *out, size_t size);
bool codeql_in_actions(void);
/* The variable; NULL where it is not set or empty. */
const char *codeql_env(const char *name);
/* Is there a usable key: 0, or 1 with the reason's code and a sentence. */
int codeql_no_key(const struct codeql *, const char **reason, char *detail, size_t size);
/* Look for the result of `want` and prove it. NULL: it is there (`found` and `in` are set); else the reason's
 * code, with a sentence. The caller frees both in either case. */
const char *codeql_find(struct codeql *, struct scan_found *, struct intake *, char *detail, size_t size);
/* The reason's code for what was found, but for SCANS_FOUND and SCANS_NONE. */
const char *codeql_answer_name(enum scan_answer);

/* Copy the stored file `from` to `out`, "-" is standard output. */
int codeql_write_result(const char *from, const char *out, struct err *);

/* The path of the job's state file; false: there is no place for one. */
/* Does the command line give this field of a configuration? The others may change in a job. */
bool codeql_is_given(const struct codeql *, const char *field);
bool codeql_state_path(const struct codeql *, char out[static PATH_MAX]);

/* Print a text that may hold what a checkout or a SARIF file says: bytes that end a line, steer a terminal or
 * begin a workflow command are written as \xNN. */
void codeql_print(struct span);

/* NAME<<delimiter … into $GITHUB_OUTPUT, where there is one. */
void codeql_output(const char *name, const char *value);

/* The commands: an exit code each. */
int codeql_check(struct codeql *, struct err *);
int codeql_store(struct codeql *, struct err *);
int codeql_fetch(struct codeql *, struct err *);
int codeql_upload(struct codeql *, struct err *);
int codeql_explain(struct codeql *, struct err *);
int codeql_invalidate(struct codeql *, struct err *);
int codeql_ls(struct codeql *, struct err *);
int codeql_clear(struct codeql *, struct err *);
int codeql_persist(struct codeql *, struct err *);

#endif
