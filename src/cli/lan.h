/*
 * mDNS as the settings want it: off in containers, whose networks seldom carry multicast and whose neighbours
 * are nobody we asked for, unless `discovery.methods.mdns` is set; what it finds goes to the swarm.
 */
#ifndef CLI_LAN_H
#define CLI_LAN_H

#include <stdint.h>

#include "loop/loop.h"

struct app;
struct json;
struct mdns;
struct swarm;

struct lan {
	struct mdns *mdns;		/* NULL: off */
	struct swarm *swarm;
	struct loop *loop;
	struct timer check;		/* for new addresses of ours */
	unsigned moves;
	unsigned min_peers;
	const char *why;		/* it is off: a sentence */
	char sentence[512];
};

/* What keeps the program in a container: "a Docker container"; NULL: it is in none that shows. */
const char *lan_container(void);

/* What goes wrong is one warning. The swarm must outlive it. */
void lan_start(struct lan *, const struct app *, struct loop *, struct swarm *, const uint8_t *group_key);
void lan_stop(struct lan *);
/* `mdns` in the report: state, why, and what was sent, heard and found. */
void lan_report(const struct lan *, struct json *);

#endif
