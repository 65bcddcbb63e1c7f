/*
 * What words of a CodeQL configuration are pinned, and what a configuration file names.
 *
 * The file is YAML; it is read line by line and not understood beyond what is needed: its top-level blocks by
 * name (for `explain`), what `uses:` names, and what stands below `packs:`. What is not understood there
 * counts as not pinned. The file as a whole is hashed elsewhere, so nothing escapes the key.
 */
#ifndef CODEQL_QLCONFIG_H
#define CODEQL_QLCONFIG_H

#include <stdbool.h>

#include "base/str.h"

enum qlconfig_pin {
	QL_PINNED, /* the same words mean the same queries: a suite of the release, a commit, a version */
	QL_LOCAL,  /* a path of this tree */
	QL_UNPINNED
};

/* One item of --queries or `uses:`: security-extended, ./dir/x.ql, owner/repo/path@<40 hex>; a leading + is
 * dropped. */
enum qlconfig_pin qlconfig_query(struct span item);
/* One item of --packs: scope/name@1.2.3, perhaps with :path; ranges and no version are not pinned. */
enum qlconfig_pin qlconfig_pack(struct span item);
/* --config-file: a path, or owner/repo/path@ref. */
enum qlconfig_pin qlconfig_file(struct span word);

enum qlconfig_what { QL_BLOCK, QL_USES, QL_PACK };
/* QL_BLOCK: name and text of a top-level block; QL_USES and QL_PACK: an item in `text`. */
typedef void qlconfig_fn(void *arg, enum qlconfig_what, struct span name, struct span text);
void qlconfig_walk(struct span file, qlconfig_fn *fn, void *arg);

#endif
