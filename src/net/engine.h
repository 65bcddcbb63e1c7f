/*
 * The shape TLS and Noise share: four ports of bytes, a state, a sticky error. No fd, no clock, no log.
 *
 *      socket → net_in → [engine] → app_out → session
 *      socket ← net_out ← [engine] ← app_in ← session
 *
 * Each port is a buffer to read from or write into, and an ack that says how many bytes were taken or put.
 * `state` tells which ports are usable now; app_in and net_out may exclude each other. net/conn pumps until
 * no port makes progress.
 */
#ifndef NET_ENGINE_H
#define NET_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define ENGINE_NET_IN 1u	/* takes bytes from the network */
#define ENGINE_NET_OUT 2u	/* has bytes for the network */
#define ENGINE_APP_IN 4u	/* takes plaintext (the handshake is over) */
#define ENGINE_APP_OUT 8u	/* has plaintext */
#define ENGINE_CLOSED 16u	/* over: by the peer's close, or by an error */

struct engine;

struct engine_ops {
	unsigned (*state)(struct engine *);
	uint8_t *(*net_in)(struct engine *, size_t *room);
	void (*net_in_ack)(struct engine *, size_t);
	const uint8_t *(*net_out)(struct engine *, size_t *n);
	void (*net_out_ack)(struct engine *, size_t);
	uint8_t *(*app_in)(struct engine *, size_t *room);
	void (*app_in_ack)(struct engine *, size_t);
	const uint8_t *(*app_out)(struct engine *, size_t *n);
	void (*app_out_ack)(struct engine *, size_t);
	void (*flush)(struct engine *);			/* no more app_in for now: make a record */
	void (*close)(struct engine *);			/* say goodbye: net_out follows */
	/* 0, or a negative class with the sentence. Sticky. */
	int (*error)(struct engine *, struct err *);
	/* The peer said goodbye in the protocol's own way: an end of stream that came without is a
	 * truncation. */
	bool (*ended)(struct engine *);
	void (*free)(struct engine *);
};

struct engine {
	const struct engine_ops *ops;
};

#endif
