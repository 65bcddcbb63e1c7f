/*
 * What the runner gives to actions alone: where the Actions cache service is, and the job's token for it.
 *
 * `run:` steps do not get these, so an action hands them over in a file that GHOARD_RUNTIME_FILE names: JSON
 *   {"results_url": "https://…", "runtime_token": "…", "cache_mode": "write"}
 * a regular file of our own, mode 0600 or less, at most RUNTIME_FILE_MAX. It is read once and unlinked, also
 * when it is refused. Without the variable ACTIONS_RESULTS_URL, ACTIONS_RUNTIME_TOKEN and ACTIONS_CACHE_MODE
 * are taken, as a JavaScript or a container action has them. GITHUB_SERVER_URL tells GitHub Enterprise
 * Server.
 */
#ifndef CLI_RUNTIME_H
#define CLI_RUNTIME_H

#include <stdbool.h>

#include "base/wipe.h"

struct actionscache;
struct app;
struct err;

#define RUNTIME_FILE_MAX 16384

struct runtime {
	bool is_there;
	char url[1024], mode[32];
	struct secret token;
	char why[300];			/* nothing is there: a sentence */
};

/* `keep`: the file is left for the next command of the same step. */
void runtime_take(struct runtime *, bool keep);
/* Take it now, for every later runtime_take of this process and its children: a daemon that is started anew
 * finds no file any more. */
void runtime_hold(void);
void runtime_wipe(struct runtime *);
/* The client, on the app's loop. ERR_DENIED: `why`; ERR_CONFIG. */
int runtime_open(const struct runtime *, const struct app *, struct actionscache **, struct err *);

#endif
