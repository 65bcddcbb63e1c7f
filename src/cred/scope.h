/*
 * For whom a credential is: its scope, and whether a caller is in it.
 *
 * Global is for everybody; the others only for a caller that names the very repository, workflow or runner
 * (compared by bytes, as the reference does), and never for one that names none. The numbers grow with how
 * much a scope narrows: of several that match the greatest wins.
 */
#ifndef CRED_SCOPE_H
#define CRED_SCOPE_H

#include <stdbool.h>

#include "base/str.h"

enum scope { SCOPE_GLOBAL, SCOPE_REPO, SCOPE_WORKFLOW, SCOPE_RUNNER };

#define SCOPE_NAME_MAX 128
#define SCOPE_FILTER_MAX 512

/* What the caller says it is; empty: it does not say. */
struct scope_caller {
	struct span repo, workflow, runner;
};

const char *scope_name(enum scope);
bool scope_parse(struct span, enum scope *);
bool scope_match(enum scope, struct span filter, const struct scope_caller *);
/* What the caller says for that scope: the default of --filter. Empty for global. */
struct span scope_own(enum scope, const struct scope_caller *);
/* [A-Za-z_][A-Za-z0-9_]{0,127}: what `set` and `inject` take. */
bool scope_name_ok(struct span);

#endif
