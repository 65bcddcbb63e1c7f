/*
 * Workflow commands of GitHub Actions: `::warning::text`. Pure writers into a buf; escaping as the runner
 * reads it: % CR LF in the data, also : and , in properties.
 */
#ifndef ACTIONS_COMMAND_H
#define ACTIONS_COMMAND_H

#include "base/str.h"

struct buf;

/* `::name title=…::data` and a newline; title may be NULL. */
void actions_command(struct buf *, const char *name, const char *title, struct span data);

#endif
