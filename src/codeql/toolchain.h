/*
 * Which compilers and build tools a scan with a build would find, without running one.
 *
 * A program is known by the path behind its links, its size and the first MiB of its bytes, where compilers
 * have their build id; a JDK by its `release` file too. A newer toolchain differs in at least one of them.
 * What only stands for another program (codeql/shims) is followed, or said not to be known.
 */
#ifndef CODEQL_TOOLCHAIN_H
#define CODEQL_TOOLCHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* `name` is "tool.gcc", `value` "/usr/bin/x86_64-linux-gnu-gcc-12 1033512 <16 hex>". */
typedef void toolchain_fn(void *arg, const char *name, struct span value, bool known);

struct shims_place;

/* Look in the folders of PATH, and of JAVA_HOME. `known` false: the value names what cannot be followed. */
void toolchain_walk(const struct shims_place *, toolchain_fn *fn, void *arg);
/* Such a value, of an executable file; false: it is none. */
bool toolchain_describe(const char *path, char *out, size_t size);

#endif
