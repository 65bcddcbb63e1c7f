/*
 * This node among its peers, as the daemon and `ghoard peers` compose it from the settings: the secret's
 * choice, the identity file, the group key beside the loop, then the swarm.
 */
#ifndef CLI_PEERING_H
#define CLI_PEERING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "cli/doors.h"
#include "cli/lan.h"
#include "crypto/ed25519.h"
#include "p2p/wire.h"

struct app;
struct buf;
struct err;
struct group_job;
struct json;
struct loop;
struct share;
struct swarm;
struct swarm_params;

enum peering_state { PEERING_OFF, PEERING_STARTING, PEERING_ON };

struct peering {
	struct app *app;
	struct loop *loop;
	enum peering_state state;
	const char *why;		/* OFF: a sentence, or "" */
	int64_t port;			/* --p2p-port; negative: the settings' */
	struct ed25519_key key;
	int held;			/* the identity file, held against other daemons; 0, -1: not */
	uint8_t group_key[WIRE_GROUP_KEY_LEN];
	struct group_job *job;
	struct share *share;
	struct swarm *swarm;		/* the share's; NULL until the group key is there */
	struct doors doors;
	struct lan lan;
	char sentence[512];
};

/* What stands in the way, if anything: "" and PEERING_ON where peers would be had. */
enum peering_state peering_judge(const struct app *, const char **why);
/* The group's secret, where that says ON; borrowed from the environment. */
void peering_secret(const struct app *, struct span *secret);
/* The identity of the file, or one of this process alone. ERR_CONFIG, ERR_DENIED, ERR_DAMAGED. */
int peering_identity(const struct app *, struct ed25519_key *, struct err *);
/* Is it one of this process alone, kept nowhere? */
bool peering_is_fleeting(const struct app *);
/* id, cid and addrs of a node with that key; `listen`: the addresses where it can listen now, bound and let
 * go; else none. */
int peering_describe(struct app *, const struct ed25519_key *, bool listen, struct json *, struct err *);

/* Begin; what goes wrong is one warning and PEERING_OFF, never an end of the daemon. */
void peering_start(struct peering *, struct app *, struct loop *, int64_t port);
void peering_stop(struct peering *, int64_t ms);	/* say goodbye; peering_free a while later */
bool peering_is_over(const struct peering *);
void peering_free(struct peering *);

/* Connected ones; -1: peers are not to be had. */
int64_t peering_count(const struct peering *);
/* JSON for /_ghoard/peers. */
void peering_report(struct peering *, struct buf *);

#endif
