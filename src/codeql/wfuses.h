/*
 * Which other workflows a workflow file calls: "./.github/workflows/x.yml" of the same commit, or
 * "owner/repo/.github/workflows/x.yml@ref". The file is YAML and not understood: every word outside of
 * comments that has that form is told, wherever it stands.
 */
#ifndef CODEQL_WFUSES_H
#define CODEQL_WFUSES_H

#include <stdbool.h>

#include "base/str.h"

/* `word` without quotes, and for one of the same commit without "./". */
typedef void wfuses_fn(void *arg, struct span word, bool local);
void wfuses_walk(struct span file, wfuses_fn *fn, void *arg);
/* Does the word name a commit? */
bool wfuses_pinned(struct span word);

#endif
