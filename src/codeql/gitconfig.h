/*
 * Git's configuration files: an engine. git-config(1), "Syntax". Includes are the reader's business.
 */
#ifndef CODEQL_GITCONFIG_H
#define CODEQL_GITCONFIG_H

#include <stdbool.h>

#include "base/str.h"

#define GITCONFIG_FILE_MAX ((size_t)1 << 20)
#define GITCONFIG_VALUE_MAX 4096

struct gitconfig_var {
	struct span section, sub,
	    key; /* section and key in any case; sub as written, quotes and escapes resolved */
	struct span value;		/* p == NULL: "key" alone, which means true */
};

/* Called for each variable in order; the spans are good during the call. */
typedef void gitconfig_visit(void *ctx, const struct gitconfig_var *);

/* False: not well-formed; what stands before that has been visited. */
bool gitconfig_each(struct span text, gitconfig_visit *, void *ctx);

/* Git's truth: no value, true, yes, on, a number but 0. `otherwise` for what is none of its words. */
bool gitconfig_bool(struct span value, bool otherwise);

#endif
