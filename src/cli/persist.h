/*
 * Sealed archives in the Actions cache, for `ghoard cache persist` and `ghoard codeql persist`: what both
 * have in common. Sealing is crypto/sealed.h under GHOARD_PERSIST_SECRET, the service github/actionscache.h,
 * the job's token cli/runtime.h.
 *
 * Whoever can open a pull request can read these caches, so without the secret nothing is kept or restored.
 * None of this fails a job: what does not work is one line, and exit 1.
 */
#ifndef CLI_PERSIST_H
#define CLI_PERSIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/sealed.h"

struct actionscache;
struct app;
struct err;

#define PERSIST_ARCHIVE_MAX ((uint64_t)127 << 20)	/* before it is sealed: 128 MiB is one upload */

struct persist {
	struct app *app;
	struct span secret;
	struct actionscache *service;
	bool saves, json;
	char key[SEALED_NAME_MAX + 1];	/* what was found, or is kept */
};

/* Is the operand "save" or "restore"? ERR_USAGE. */
int persist_word(const char *word, bool *saves, struct err *);
/* After app_open_cache. `keep_runtime`: the hand-over file stays. ERR_DENIED with the reason: no secret, no
 * token, not allowed to. */
int persist_open(struct persist *, struct app *, bool saves, bool keep_runtime, struct err *);
/* Find `key`, or the newest that begins with `front`; open it into fd. ERR_NOTFOUND: there is none. */
int persist_fetch(struct persist *, const char *key, const char *front, int fd, struct err *);
/* Seal the file and keep it. ERR_NOTFOUND: the key is taken. */
int persist_keep(struct persist *, const char *key, int fd, struct err *);
void persist_close(struct persist *);

/* The one line, or the one JSON object; returns the exit code. err->cls 0: it worked. */
int persist_tell(const struct persist *, size_t entries, struct err *);

#endif
