/*
 * Requests under way: N identical look-ups of one token make one upstream request.
 *
 * A look-up that is about to ask GitHub either leads a flight or waits on one with its request key. A waiter
 * of the leader's token gets the leader's answer, whatever it is; where there was none (a network failure),
 * the first waiter takes over, once: what fails twice has failed for all of them. A waiter of another token
 * gets the body as a candidate and asks for itself: no answer, and no error, crosses tokens. A leader whose
 * client leaves hands its conversation to a waiter. no-cache, no-store, a client's own validator where
 * nothing is held, HEAD and what is not kept neither lead nor wait; nor does a flight that left before a
 * write to its path take passengers.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <stdbool.h>

struct lookup;

/* About to ask: true, it waits and is called again by lookup_fly or delivered; false, it leads (or flies
 * alone). */
bool flight_join(struct lookup *);
/* Its answer or failure is there: serve or wake the waiters. Before the leader itself is delivered. */
void flight_land(struct lookup *);
/* It must wait before it asks: who waits under another token does so for itself. */
void flight_part(struct lookup *);
/* Its answer is too large to share: every waiter asks for itself, and alone. */
void flight_dissolve(struct lookup *);
/* It is being cancelled: leave the flight it waits on, hand on the one it leads. */
void flight_leave(struct lookup *);

#endif
