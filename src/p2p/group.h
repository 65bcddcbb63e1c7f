/*
 * The group: which secret makes it, and the key that comes of it (FORMATS §3).
 *
 * key = PBKDF2-HMAC-SHA256(secret, "github-cache-p2p", 100,000, 32 bytes), the reference's. It takes 65 ms,
 * so in the daemon a forked helper derives it. The key shows membership, not truth.
 */
#ifndef P2P_GROUP_H
#define P2P_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "p2p/wire.h"

struct err;
struct group_job;
struct loop;

#define GROUP_SALT "github-cache-p2p"
#define GROUP_ROUNDS 100000
#define GROUP_SECRET_MIN 32		/* characters of a secret that is no GitHub token */

enum group_choice {
	GROUP_SECRET,	 /* there is one */
	GROUP_NONE,	 /* none is set: nothing to say */
	GROUP_JOB_TOKEN, /* only a ghs_ token, which lives for one job: joins nobody; warn */
	GROUP_WEAK	 /* too short a secret: refused; the sentence has the line that makes a good one */
};

/* Empty spans are unset. `token_based` false: only the shared secret counts. *secret borrows from the spans;
 * *why is a sentence for the last two. */
enum group_choice group_choose(struct span shared, struct span gh_token, struct span github_token,
    bool token_based, struct span *secret, const char **why);

/* At once, for commands. */
void group_derive(uint8_t key[static WIRE_GROUP_KEY_LEN], struct span secret);
/* Beside the loop; `done` once, not before the return, not after a cancel. key NULL: err says why. */
int group_derive_start(struct loop *, struct span secret,
    void (*done)(void *arg, const uint8_t *key, const struct err *), void *arg, struct group_job **,
    struct err *);
void group_derive_cancel(struct group_job *);

#endif
