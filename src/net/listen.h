/*
 * Listening sockets: unix and TCP, accepted in the loop. Without a descriptor for one more connection, what
 * waits is looked at again ten times a second.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct addr;
struct err;
struct listener;		/* a list: each call puts one in front */
struct loop;

#define LISTEN_PER_PASS 64	/* connections taken in one pass */

/* A connected, non-blocking, close-on-exec fd, the callee's; `peer` is the uid on a unix socket. */
typedef void listen_fn(void *arg, int fd, bool is_unix, uid_t peer);

/* 0600 under umask 077. A socket file nobody answers on is replaced, under a lock on a file beside it that is
 * gone after; ERR_DENIED: somebody does, the file is no socket or another user's, the folder is another
 * user's or writable by others, or the lock is held for 2 s. The file is removed on close. May block so long.
 */
int listen_unix(struct loop *, const char *path, listen_fn *, void *arg, struct listener **list,
    struct err *);
/* *port gets the port taken (0 in the address takes a free one). */
int listen_tcp(struct loop *, const struct addr *, uint16_t *port, listen_fn *, void *arg,
    struct listener **list, struct err *);
/* Both in two parts, for whoever keeps the sockets over its children's lives: a listening fd or ERR_*, and
 * taking one over. `path`: a unix socket's, whose file is removed on close; "": one whose file stays; NULL:
 * TCP. */
int listen_open_unix(const char *path, struct err *);
int listen_open_tcp(const struct addr *, uint16_t *port, struct err *);
/* The fd again if it is a unix socket that listens at `path`, as a service manager made it: close-on-exec
 * now. ERR_CONFIG: it is none, or lies elsewhere. */
int listen_given(int fd, const char *path, struct err *);
int listen_take(struct loop *, int fd, const char *path, listen_fn *, void *arg, struct listener **list,
    struct err *);
/* Close all and empty the list. */
void listen_close(struct listener **list);

/* Does anybody answer on this unix socket? */
bool listen_alive(const char *path);
/* Write what fits and close: for whom there is no room. */
void listen_say(int fd, struct span);

#endif
