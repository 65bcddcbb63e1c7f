/*
 * The words of the Actions cache service, version 2: the bodies of its three calls (twirp: JSON over POST),
 * what its answers say, and what a job's token and its runner allow. Pure.
 *
 * Requests carry snake_case names and an int64 as text; answers are read in snake_case and lowerCamelCase.
 * The token is a JWT whose claim `ac` is a text that holds JSON,
 * [{"Scope":"refs/heads/main","Permission":3}]: 1 reads, 2 writes. It is looked at, not verified: the service
 * does that.
 */
#ifndef GITHUB_CACHEWIRE_H
#define GITHUB_CACHEWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct err;

#define CACHEWIRE_KEY_MAX 512
#define CACHEWIRE_KEYS_MAX 10			/* of one look-up, the key itself among them */
#define CACHEWIRE_ANSWER_MAX ((size_t)65536)
#define CACHEWIRE_PUT_MAX ((uint64_t)128 << 20)	/* one PUT; above it blocks would be needed */

enum cachewire_call { CACHEWIRE_CREATE, CACHEWIRE_FINALIZE, CACHEWIRE_LOOKUP };
/* Below the results URL, without a slash in front. */
const char *cachewire_path(enum cachewire_call);

struct cachewire_ask {
	struct span key, version;
	const struct span *restore;		/* look-up: further prefixes, in the order they are tried */
	size_t nrestore;
	uint64_t size;				/* finalize */
};
/* Append the body. ERR_USAGE: a key that is empty, too long or holds a comma, too many keys. */
int cachewire_body(enum cachewire_call, const struct cachewire_ask *, struct buf *, struct err *);

struct cachewire_answer {
	bool ok;	/* false: it is taken (create), there is none (look-up), it was refused (finalize) */
	struct buf url;				/* signed: to upload to, to download from */
	char matched[CACHEWIRE_KEY_MAX + 1];	/* look-up: the key that was found */
	char message[200];			/* where the service gave one */
};
/* Read the body of a 200. ERR_PROTO. To be freed in every case. */
int cachewire_read(enum cachewire_call, struct span json, struct cachewire_answer *, struct err *);
void cachewire_answer_free(struct cachewire_answer *);
/* Another status: ERR_DENIED (401, 403), ERR_SPENT (429, `retry_s` as the answer says), ERR_NOTFOUND (404),
 * ERR_UNAVAIL (5xx), else ERR_PROTO; with what the service says. Returns the class. */
int cachewire_refusal(const char *what, int status, struct span body, int retry_s, struct err *);

struct cachewire_rights {
	bool read, write;
	const char *why;			/* a sentence about what is not allowed; NULL: all is */
};
/* `mode`: ACTIONS_CACHE_MODE, `server`: GITHUB_SERVER_URL; either may be NULL. What is not understood
 * forbids nothing. */
void cachewire_judge(struct span token, const char *mode, const char *server, struct cachewire_rights *);

#endif
