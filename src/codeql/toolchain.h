/*
 * Which compilers and build tools a scan with a build would find, without running one.
 *
 * A program is known by the path behind its links, its size and the first MiB of its bytes, where compilers
 * have their build id; a JDK by its `release` file too. A newer toolchain differs in at least one of them.
 */
#ifndef CODEQL_TOOLCHAIN_H
#define CODEQL_TOOLCHAIN_H

#include <stddef.h>

#include "base/str.h"

/* `name` is "tool.gcc", `value` "/usr/bin/x86_64-linux-gnu-gcc-12 1033512 <16 hex>". */
typedef void toolchain_fn(void *arg, const char *name, struct span value);

/* Look in the folders of `path` (as in PATH); `java_home` may be NULL. */
void toolchain_walk(const char *path, const char *java_home, toolchain_fn *fn, void *arg);

#endif
