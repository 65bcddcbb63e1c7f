/*
 * libp2p's Noise channel (specs/noise/README.md): Noise_XX_25519_ChaChaPoly_SHA256 with an empty prologue, as
 * an engine under a conn. Handshake and transport are frames of a 2-byte length and up to 65,535 bytes.
 *
 * Each side proves its identity key by a signature over its static key. Only Ed25519 is believed; another
 * type ends the handshake with its own sentence. The dialer checks the id it dialled before its last message.
 * The muxer is agreed inside the handshake when both sides name one (inlined-muxer-negotiation.md); a list
 * without ours is an error, no list means that multistream-select follows inside the channel.
 *
 * The engine's memory: at most two frames, allocated as they come. app_in and net_out exclude each other.
 * There is no goodbye in Noise: `ended` only says that no frame is cut.
 */
#ifndef P2P_NOISE_H
#define P2P_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "crypto/ed25519.h"
#include "crypto/x25519.h"
#include "p2p/peerid.h"

struct engine;
struct err;

#define NOISE_PROTOCOL "/noise"
#define NOISE_MUXER "/yamux/1.0.0"
#define NOISE_FRAME_MAX 65535		/* "Wire Format": behind the length */
#define NOISE_TAG_LEN 16
#define NOISE_HANDSHAKE_MAX 8192	/* ours: before anybody is known */
#define NOISE_SEND_MAX 32768		/* ours: bytes of one frame behind the length */
#define NOISE_MUXERS_MAX 100		/* as go: a longer list is an error */
#define NOISE_PAYLOAD_MAX 160		/* ours: key, signature, one muxer */

/* Who we are, made once a process: the static key lives as long and is on no disk. Readers share it. */
struct noise_identity {
	struct peerid id;
	uint8_t static_key[X25519_LEN], static_pub[X25519_LEN];
	uint8_t payload[NOISE_PAYLOAD_MAX];
	size_t npayload, nplain;		/* all of it; without the muxer at its end */
};

/* One signature. With `static_key` NULL a random one; ERR_IO: no entropy. */
int noise_identity_init(struct noise_identity *, const struct ed25519_key *, const uint8_t *static_key,
    struct err *);
void noise_identity_wipe(struct noise_identity *);

struct noise_params {
	const struct noise_identity *self;	/* outlives the engine */
	bool dialer;
	const struct peerid *expect;		/* dialer: whom it must be; NULL: anybody */
	const uint8_t *ephemeral;		/* X25519_LEN bytes for a test; NULL: random */
	bool plain;				/* offer no muxer: for a test of the other path */
};

/* ERR_INTERNAL: no memory; ERR_IO: no entropy. The engine's ENGINE_APP_IN says that the handshake is over. */
int noise_new(const struct noise_params *, struct engine **, struct err *);

/* After the handshake: who it is, and whether both named NOISE_MUXER. The id lives as long as the engine. */
const struct peerid *noise_peer(const struct engine *);
bool noise_has_muxer(const struct engine *);
/* The handshake hash (Noise §11.2), the same on both sides: for tests. */
const uint8_t *noise_hash(const struct engine *);

#endif
