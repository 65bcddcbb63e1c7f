/*
 * Which compilers and build tools a scan with a build would find, without running one.
 *
 * A program is known by the path behind its links, its size, the first MiB of its bytes, where compilers have
 * their build id, and the names and sizes in the `lib` beside its folder; a JDK by its `release` file too. A
 * newer toolchain differs in at least one of them. Any other program in PATH is known by name and size. The
 * lists of installed packages and the user's settings of build tools are known by their bytes. What only
 * stands for another program (codeql/shims) is followed, or said not to be known.
 */
#ifndef CODEQL_TOOLCHAIN_H
#define CODEQL_TOOLCHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* `name` is "tool.gcc", `value` "/usr/bin/x86_64-linux-gnu-gcc-12 1033512 <16 hex> <16 hex>". */
typedef void toolchain_fn(void *arg, const char *name, struct span value, bool known);

struct shims_place;

/* Look in the folders of PATH, and of JAVA_HOME; then at files ("file:~/.m2/settings.xml"). `known` false:
 * the value names what cannot be followed. */
void toolchain_walk(const struct shims_place *, toolchain_fn *fn, void *arg);
/* Under "tool.$CC" the programs and files that the variable CC names, if it does: each word of it that is in
 * PATH, or the absolute path of a file. */
void toolchain_named(const struct shims_place *, const char *variable, toolchain_fn *fn, void *arg);
/* Such a value, of an executable file; false: it is none. */
bool toolchain_describe(const char *path, char *out, size_t size);

#endif
