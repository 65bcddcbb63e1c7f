/*
 * Help from tables: what cmd_help.c prints for people and help_roff.c for the man pages (mdoc, between their
 * BEGIN and END generated marks).
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdbool.h>
#include <stddef.h>

#include "config/table.h"

struct route;

struct help_row {
	const char *name, *text;	/* text: a sentence */
};

/* Exit codes, and the variables that set no setting; they end with name == NULL. */
extern const struct help_row help_exit_codes[], help_variables[];

/* "300 s", "asked again every time", "never stored" */
const char *help_lifetime(const struct route *, char *room, size_t);
/* "integer", "true or false", … */
const char *help_type(enum setting_type);
/* What a checkout may do to it; NULL: anything. */
const char *help_trust(enum setting_trust);

/* Print the part of this name; false: there is none. */
bool help_roff(const char *name);

#endif
