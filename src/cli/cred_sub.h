/*
 * The subcommands of `ghoard cred`, in files by what they work on: one credential (cred_one), lists and state
 * (cred_list, cred_state), handing out (cred_get, cred_inject, cred_exec), keys (cred_rekey), the log
 * (cred_log). And what they share: the folder open, whose settings count, secrets from outside, who may have
 * what.
 *
 * The folder comes from the ordinary settings. Policy, upstream, proxy and CA come from /etc/ghoard or a flag
 * of this command alone: never from the checkout or the environment, which are a job's. Each subcommand
 * returns an exit code; a failure that is not yet told on stderr is left in err.
 */
#ifndef CLI_CRED_SUB_H
#define CLI_CRED_SUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/safe.h"
#include "base/str.h"
#include "cli/opt.h"
#include "cred/access.h"
#include "cred/scope.h"

struct globals;
struct masterkey_place;
struct metrics;
struct record;
struct settings;
struct vault;
struct vault_entry;
struct vault_params;

#define CRED_NAMES_MAX 256		/* of one call */
#define CRED_VALUES_MAX ((size_t)1 << 20)	/* all values of one call */

struct cred_opts {
	const char *scope, *filter, *from_env, *from_file, *repo, *workflow, *runner, *names, *from_json,
	    *from_json_env;
	const char *to, *anchor, *verify, *adopt, *access, *upstream, *ca_file, *proxy, *action, *credential;
	int64_t ttl, grace, since;
	struct opt_list metadata, allow;
	bool pristine, redact, previous, all, accept_rollback, repair, restart_audit;
};

struct cred {
	const struct globals *g;
	const struct cred_opts *o;
	const char *const *arg;		/* operands behind the subcommand */
	size_t nargs;
	struct settings *settings;	/* the folder's */
	struct settings *owner;		/* /etc/ghoard and flags */
	const char *dir;
	struct safe safe;
	struct buf words[2];		/* the passphrase, and a fresh one */
	uint8_t has_words[2], wants;	/* wants: 1 the former, 2 the latter */
	struct vault *vault;
	struct metrics *metrics;	/* of the folder */
	struct scope_caller caller;
	struct span token;		/* the caller's; n == 0: none */
	enum cred_hold { CRED_ANY, CRED_NO_NUL, CRED_TEXT } hold;	/* what the values' place can hold */
	bool asked;			/* GitHub was, in this call: for `answer` */
	enum access_result answer;
	struct err why;
};

/* Settings, memory for secrets, the caller. */
int cred_begin(struct cred *, struct err *);
void cred_end(struct cred *);
/* Open the vault; with `write` under its lock. `params` may change what vault_open is told; NULL: nothing. */
int cred_open(struct cred *, bool write, void (*params)(const struct cred *, struct vault_params *),
    struct err *);
/* Such `params`: to change what there is, and begin nothing (ERR_NOTFOUND). */
void cred_existing(const struct cred *, struct vault_params *);
/* Open it to look at, also where it is damaged; nothing is noted. */
int cred_open_log(struct cred *, struct err *);
/* An exit code for a failure of the vault: a folder, disk or keyring that refuses is 6, not 3 or 4. */
int cred_exit_code(const struct err *);

/* A value from --from-env, --from-file, a terminal or standard input (one newline at its end dropped), in
 * memory of c->safe. ERR_USAGE: NUL… is fine; too long is not. */
int cred_read_value(struct cred *, const char *prompt, struct buf *out, struct err *);
/* Ask at the terminal, without echo (cred_prompt.c); with `twice`, once more, and both must be the same.
 * ERR_UNAVAIL: there is none. A signal gives the echo back before it ends the process. */
int cred_prompt(struct cred *, const char *prompt, bool twice, struct buf *out, struct err *);
/* All of a file, "-" is standard input, without stdio's copies. ERR_USAGE: longer than the buffer. */
int cred_read_path(const char *path, struct buf *, struct err *);
/* A variable ("K=V") that leads to our own keys: no command that we run gets it. */
bool cred_leads_to_key(const char *pair);
/* After a failure for want of a passphrase, with the vault closed: is it there now? Then open it again. */
bool cred_asked(struct cred *, struct err *);
/* --scope and --filter, or the caller's own; ERR_USAGE. filter p == NULL for global. */
int cred_scope(const struct cred *, enum scope *, struct span *filter, struct err *);
/* The one record of that name, which --scope and --filter tell from its namesakes; NULL with err set. */
struct record *cred_one(const struct cred *, const char *name, struct err *);
/* "2026-11-22T10:00:00Z" or "never". */
const char *cred_time(int64_t us, char room[static 32]);
/* Add to a counter of the folder ("cred.accessed"); and set cred.active to what there is now. */
void cred_count(struct cred *, const char *name, uint64_t n);
void cred_count_active(struct cred *);
/* The log's head for an anchor, as a line of Markdown into the step's summary, where there is one and the log
 * was written to. Every command does so at its end. */
void cred_anchor(const struct cred *);

/* GitHub at the owner's upstream (cred_probe.c). */
int cred_probe_ask(void *cred, const char *path, struct span token, int64_t until, struct access_reply *,
    struct err *);

/* ---- the subcommands ---- */

int cred_one_set(struct cred *, struct err *);
/* The details of a `store` line. `ttl` in seconds, or OPT_UNSET. */
void cred_one_details(const struct vault_entry *, int64_t ttl, struct buf *);
int cred_one_rm(struct cred *, struct err *);
int cred_one_rotate(struct cred *, struct err *);
int cred_list_ls(struct cred *, struct err *);
int cred_list_cleanup(struct cred *, struct err *);
int cred_get_run(struct cred *, struct err *);
int cred_inject_run(struct cred *, struct err *);
int cred_exec_run(struct cred *, struct err *);
int cred_rekey_run(struct cred *, struct err *);
int cred_log_run(struct cred *, struct err *);
int cred_state_status(struct cred *, struct err *);
int cred_state_doctor(struct cred *, struct err *);

#endif
