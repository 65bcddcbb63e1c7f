/*
 * Name look-up beside the loop: getaddrinfo() blocks (5 s on a dead name server), so it runs in a forked
 * child that writes the addresses into a socketpair and exits.
 *
 * Literals and "localhost" (RFC 6761 §6.3: 127.0.0.1 and ::1) are answered without a child, but still through
 * the loop. At most RESOLVE_MAX addresses, families interleaved in the order the system prefers (RFC 8305
 * §4).
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/addr.h"

struct err;
struct loop;
struct resolve;

#define RESOLVE_MAX 16

/* n == 0: failed, err says why. Called once, never before resolve_start has returned, never after a cancel.
 */
typedef void resolve_done(void *arg, const struct addr *addrs, size_t n, const struct err *err);

int resolve_start(struct loop *, struct span host, uint16_t port, resolve_done *, void *arg,
    struct resolve **, struct err *);
/* The child is told to end (its socket closes) and is reaped. */
void resolve_cancel(struct resolve *);

#endif
