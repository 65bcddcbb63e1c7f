/*
 * From a host name to a connected socket: look-up, then the addresses in turn, each given a head start of 250
 * ms over the next (RFC 8305 §5), the first to connect wins. All under one deadline.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdint.h>

#include "base/str.h"

struct dial;
struct err;
struct loop;

/* fd >= 0: connected, non-blocking, close-on-exec, the callee's. fd == -1: failed, err has the first
 * address's reason and says how many were tried. Called once, never before dial_start has returned, never
 * after a cancel. */
typedef void dial_done(void *arg, int fd, const struct err *err);

int dial_start(struct loop *, struct span host, uint16_t port, int64_t timeout_ms, dial_done *, void *arg,
    struct dial **, struct err *);
/* The same for a unix socket, which connects at once or not at all. Who listens there must be of our own uid
 * or root's: nobody else is to hear what is sent. ERR_UNAVAIL: nobody of these does. */
int dial_unix(struct loop *, const char *path, dial_done *, void *arg, struct dial **, struct err *);
void dial_cancel(struct dial *);

#endif
