/*
 * Whether the caller's token has access to the repository: shown by GitHub itself, asked by this process
 * through the probe that cli hands in, at the upstream that the vault's owner configured.
 *
 * A `ghs_` token must list the repository in GET /installation/repositories; any other must show
 * permissions.push, or permissions.pull on a private one, in GET /repos/{o}/{r}. A yes is remembered for 60 s
 * and "no answer" for 10 s, in
 * `.access` in the vault's folder, each row under a MAC of the master key: what a job writes there counts
 * nothing. Under `prefer` no answer within 2 s is allowed and noted; a refusal is a refusal, and so is what a
 * job can bring about itself: a token that HTTP cannot carry, a spent limit, a list that ends in silence.
 */
#ifndef CRED_ACCESS_H
#define CRED_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct err;

#define ACCESS_YES_S 60
#define ACCESS_SILENT_S 10
#define ACCESS_WAIT_MS 2000
#define ACCESS_BODY_MAX ((size_t)4 << 20)
#define ACCESS_PAGES_MAX 50		/* of 100 repositories */

enum access_policy { ACCESS_REQUIRE, ACCESS_PREFER, ACCESS_OFF };

enum access_result {
	ACCESS_SHOWN,		/* GitHub said yes, now */
	ACCESS_REMEMBERED,	/* … or within 60 s */
	ACCESS_SILENT,		/* no answer; allowed, and to be noted (prefer) */
	ACCESS_NOT_ASKED,	/* policy off */
	ACCESS_NOT_NEEDED,	/* a global one, without a token or a repository */
	ACCESS_REFUSED,		/* GitHub said no */
	ACCESS_NO_TOKEN,	/* no token, or no repository to show it for */
	ACCESS_NO_ANSWER	/* require, and GitHub did not say */
};

struct access_reply {
	int status;
	bool spent;		/* a limit of this token: refused, for its bearer could bring it about */
	struct buf body;	/* the callee's to fill, ours to free */
};

struct access_probe {
	/* GET that path with that token at the owner's upstream, without any cache. 0 with a status, or a
	 * failure: ERR_UNAVAIL, ERR_TIMEOUT and ERR_IO are the network's and no answer, any other refuses.
	 * `until` in ms of clock_mono. */
	int (*ask)(void *arg, const char *path, struct span token, int64_t until, struct access_reply *,
	    struct err *);
	void *arg;
};

struct access_question {
	enum access_policy policy;
	bool global;		/* the credential is for everybody */
	struct span repo;	/* "owner/name" of the caller; empty: it names none */
	struct span token;	/* empty: none */
	struct span where;	/* upstream, CA and proxy, as one text: a yes of there counts there alone */
};

bool access_policy_parse(struct span, enum access_policy *);
const char *access_policy_name(enum access_policy);
bool access_allows(enum access_result);
const char *access_word(enum access_result);	/* for the audit line */

/* Decide. `why` gets a sentence where the answer is no or GitHub was silent. */
enum access_result access_ask(const struct access_question *, const struct access_probe *, int dirfd,
    const uint8_t master[static 32], struct err *why);

#endif
