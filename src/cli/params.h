/*
 * The parameters of `api`: -f key=value (a string) and -F key=value (true, false, null, numbers, @file),
 * nested with key[sub] and key[]: as gh has them. They become a JSON body, or a query for GET.
 */
#ifndef CLI_PARAMS_H
#define CLI_PARAMS_H

#include <stdbool.h>

#include "base/str.h"
#include "cli/opt.h"

struct buf;
struct err;

#define PARAMS_MAX ((size_t)16 << 20)

/* Replace {owner}, {repo} and {branch} by those of GH_REPO or GITHUB_REPOSITORY and GITHUB_REF_NAME.
 * ERR_USAGE: one is needed and not known. */
int params_expand(struct span text, struct buf *out, struct err *);
/* Append "?k=v&…" (or "&…" where a query is there). */
int params_query(const struct opt_list *, struct buf *target, struct err *);
/* Append a JSON object; with `graphql`, all but query and operationName go below "variables". `cursor` (p ==
 * NULL: none) is variable endCursor. */
int params_body(const struct opt_list *, bool graphql, struct span cursor, struct buf *body, struct err *);
/* Whole of a file, "-" is standard input. */
int params_read_file(const char *path, struct buf *, struct err *);

#endif
