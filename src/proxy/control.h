/*
 * The daemon's own paths below /_ghoard/: the page, health, stats, metrics, status, peers, cache, stop,
 * cache/forget, cache/put, scan.
 *
 * On the unix socket, whose mode keeps other users out, all of them. On TCP, health and metrics are for
 * anybody (no path and no token stands in them), the page and stats for who has the key as `?key=`, nothing
 * else for anybody. What changes something takes a POST.
 */
#ifndef PROXY_CONTROL_H
#define PROXY_CONTROL_H

#include "base/str.h"

struct buf;
struct err;
struct exchange;

#define CONTROL_KEY_LEN 32		/* hex digits */

struct control {
	void (*stats)(void *arg, struct buf *);		/* JSON */
	void (*metrics)(void *arg, struct buf *);	/* Prometheus text */
	void (*status)(void *arg, struct buf *);	/* JSON, with the key: never on TCP */
	void (*peers)(void *arg, struct buf *);		/* JSON */
	void (*cache)(void *arg, struct buf *);		/* JSON: what is held */
	void (*forget)(void *arg);	/* what memory holds: the store was changed beside it */
	void (*put)(void *arg, struct span key); /* an entry by name was put beside it */
	void (*scan)(void *arg, struct exchange *, struct span query);	/* asks peers: control_send follows */
	void (*stop)(void *arg);
	void *arg;
	char key[CONTROL_KEY_LEN + 1];	/* not to be logged */
};

/* A new random key. ERR_*: the kernel gives none. */
int control_make_key(struct control *, struct err *);

/* An answer that comes later, while the exchange is there. */
void control_send(struct exchange *, int status, struct span body);

/* Answer a target that begins with /_ghoard. */
void control_answer(const struct control *, struct exchange *, struct span target);

#endif
