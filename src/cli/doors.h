/*
 * Peers found through the repository's Actions cache, as the daemon and `ghoard peers register|discover`
 * compose it: p2p/registry over the job's token (cli/runtime.h, to register) and GitHub's REST API with the
 * environment's token (to list, and to take back).
 *
 * Without a runtime token, or with one that may only read, this node looks for others and is found by none;
 * the log, /_ghoard/peers and `doctor` say so. Records are public to whoever can read the repository, but
 * sealed under the group key.
 */
#ifndef CLI_DOORS_H
#define CLI_DOORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/runtime.h"
#include "crypto/ed25519.h"
#include "github/identity.h"
#include "loop/loop.h"
#include "p2p/registry.h"

struct app;
struct cachelist;
struct json;
struct swarm;

struct doors {
	struct app *app;
	struct runtime runtime;
	struct actionscache *service;	/* NULL: nothing is registered */
	struct registry *registry;	/* NULL: none, and `why` says why */
	char repository[160];
	char why[300];			/* what is not done, or "" */
	struct swarm *swarm;		/* the daemon's */
	unsigned min_peers;
	bool near;			/* the service is on this machine: so may be the peers */
	bool over;			/* stopped */
	struct timer look;
	struct multiaddr addrs[REGISTRY_ADDRS_MAX];
	struct ed25519_key key;		/* its public half: the registry signs nothing */
	/* of the call under way */
	struct identity id;
	struct cachelist *list;
	void (*listed)(void *p, const struct span *keys, const uint64_t *ids, size_t n, const struct err *);
	void (*done)(void *p, const struct err *);
	void *p;
};

/* First, whatever comes after: the file that hands the token over must not stay. Zeroes the struct. */
void doors_take(struct doors *, struct app *);

struct doors_params {
	const uint8_t *group_key;
	const uint8_t *pub;			/* whose record it is */
	void (*found)(void *arg, const struct registry_record *);
	size_t (*addrs)(void *arg, const struct multiaddr **);
	void *arg;
};
/* The registry, still silent. ERR_DENIED with a sentence: there is none here. */
int doors_open(struct doors *, struct loop *, const struct doors_params *, struct err *);

/* The daemon's: list, register, beat, list again below min_peers. What fails is logged. */
void doors_start(struct doors *, struct swarm *, const uint8_t *group_key, const uint8_t *pub);
/* Takes the own record back; doors_is_over within two seconds. */
void doors_stop(struct doors *);
bool doors_is_over(const struct doors *);
void doors_free(struct doors *);

/* Under `registry` of a JSON object: state, why, numbers. */
void doors_report(const struct doors *, struct json *);

#endif
