/*
 * cmocka with what it wants included before it, and what the tables of cases are written with.
 */
#ifndef UNIT_HTTP_CASES_H
#define UNIT_HTTP_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../guard.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
/* Bytes and how many: they may hold a NUL. */
#define B(s) s, sizeof(s) - 1

#endif
