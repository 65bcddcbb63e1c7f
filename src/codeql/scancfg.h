/*
 * From the words of a scan (flags, environment, files) to its configuration key: which inputs of a scan there
 * are.
 *
 * What tools are alike in is here once; what is CodeQL's own is a row of the table of profiles: its
 * variables, its folder in the tool cache, what of its words is pinned. Any other SARIF tool has the plain
 * profile: its variables begin with its name in capitals, and its version must be given.
 */
#ifndef CODEQL_SCANCFG_H
#define CODEQL_SCANCFG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "codeql/configkey.h"

struct err;

#define SCANCFG_LANGUAGES_MAX 16

struct scancfg_pair {
	const char *name, *value;
};

/* All borrowed; NULL: not given. */
struct scancfg {
	const char *tool;			/* NULL: CodeQL */
	const char *version;
	struct span languages[SCANCFG_LANGUAGES_MAX];	/* as given */
	size_t nlanguages;
	const char *queries, *packs, *config_file, *build_mode;
	const char *base;			/* what named files are below; NULL: source */
	const char *source;			/* the folder; theirs, too, where they are not in `base` */
	const char *source_root;		/* the same as it stands in the repository: "." at the top */
	const char *os, *arch, *workflow, *job, *matrix, *category;
	struct span dispatch;			/* the event's inputs, raw JSON; empty: none */
	const char *const *extra;		/* --extra-key */
	size_t nextra;
	const char *const *ignore;		/* --ignore-untracked */
	size_t nignore;
	const struct scancfg_pair *env;		/* the whole environment */
	size_t nenv;
};

/* Does SARIF of a driver with this name come from this tool? ("CodeQL command-line toolchain" does from
 * CodeQL.) */
bool scancfg_is_tool(const char *tool, const char *driver);
/* The one name of a language ("c++" is cpp, "typescript" javascript). */
struct span scancfg_language(struct span);
/* A build runs, which may read anything: the mode is neither none nor not said for interpreted languages. */
bool scancfg_builds(const struct scancfg *);
/* Does it read other files than CodeQL's extractors do of themselves? Another tool does, and variables
 * (LGTM_INDEX_FILETYPES, CODEQL_EXTRACTOR_…) may say so. */
bool scancfg_reads_more(const struct scancfg *);
/* "go,python": sorted, each once, by their one names; false: too long. */
bool scancfg_languages(const struct scancfg *, char *out, size_t size);
/* The version in force: given, else the one in the tool cache if there is exactly one; "" not known. */
void scancfg_version(const struct scancfg *, char *out, size_t size);

/* Fill a key that was init'd, and finish it. ERR_USAGE (a file that is named cannot be read), ERR_INTERNAL.
 */
int scancfg_key(const struct scancfg *, struct configkey *, struct err *);

#endif
