/*
 * The test protocol /ghoard-test/echo/1.0.0 (README.md) in the binary: only in a build with -DGHOARD_ECHO.
 */
#ifndef INTEROP_ECHO_H
#define INTEROP_ECHO_H

#include <stdint.h>

struct err;
struct multiaddr;
struct swarm_params;

/* Serve it: fills serves and on_stream. */
void echo_serve(struct swarm_params *);

struct echo_ask {
	char mode;			/* e d u */
	uint64_t bytes, times, at_once;
};

/* Be the client of the peer at that address, print the JSON line. */
int echo_run(struct swarm_params *, const struct multiaddr *, const struct echo_ask *, struct err *);

#endif
