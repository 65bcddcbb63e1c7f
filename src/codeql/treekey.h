/*
 * A list of files as one hash. SHA-256 over fields (crypto/hash) and records:
 *
 *	"ghoard tree 1" (narrow: "ghoard tree 1 narrow"), "sha1" or "sha256", the number of globs and each,
 *sorted narrow: DENY_VERSION, "1" if a build runs else "0", the languages the number of files beside the
 *tree, of each its label and its id in 32 bytes of each file that counts: mode and length of the path in two
 *bytes each, id, path
 */
#ifndef CODEQL_TREEKEY_H
#define CODEQL_TREEKEY_H

#include "codeql/fingerprint.h"

/* The key of fp->manifest. 0, or -1: no memory. A file beside the tree that cannot be read sets fp->reason.
 */
int treekey_make(struct fingerprint *fp, const struct fingerprint_options *, bool narrow,
    char out[static FINGERPRINT_LEN + 1]);

#endif
