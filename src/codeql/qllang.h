/*
 * Which languages a SARIF file of CodeQL speaks of: by the packs that its rules come from
 * ("codeql/go-queries") and by its category ("/language:go"). A bit a language, the same for all its names;
 * 0: says nothing of one.
 */
#ifndef CODEQL_QLLANG_H
#define CODEQL_QLLANG_H

#include <stdint.h>

#include "base/str.h"

/* Of a name or an alias ("c++", "typescript"). */
uint32_t qllang_bit(struct span name);
uint32_t qllang_of_pack(struct span name);
uint32_t qllang_of_category(struct span id);

#endif
