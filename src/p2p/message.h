/*
 * The JSON headers of /github-cache/1.0.0 (FORMATS §4), out of structs and into them. Pure.
 *
 *   {"type":"peer_info","network_id":S,"agent":S,"addrs":[M…],"peers":[M…],"time":T}
 *   {"type":"cache_entry","entries":[E…]}
 *       E = {"key":S,"url":S,"cid":S,"auth":S,"proof":S,"timestamp":T,"ttl":N,"size":N,"hops":N}
 *   {"type":"invalidate","prefixes":[S…],"time":T}
 *   {"type":"cache_request","key":S}        or  {"type":"cache_request","cid":S}
 *       and "hops":N, how often it may be passed on
 *   {"type":"cache_response","answer":"hit","size":N,"entry":F}
 *       F = the entry's file without its data member; the body follows; and "hops":1 of what was passed on
 *   {"type":"cache_response","answer":"miss"}
 *   {"type":"cache_response","answer":"busy","retry_ms":N}
 *   {"type":"error","code":S,"message":S}
 *
 * T is seconds with a fraction, as in an entry's file; M a multiaddr that ends in /p2p/ID. A peer without a
 * known address stands in `peers` as /p2p/ID. Members unknown to us are passed over, as is an unknown type
 * (MESSAGE_UNKNOWN); a member of a wrong type is an error. The spans of a parsed message live in it.
 */
#ifndef P2P_MESSAGE_H
#define P2P_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "p2p/multiaddr.h"

struct err;

#define MESSAGE_ENTRIES_MAX 64
#define MESSAGE_ADDRS_MAX 8		/* more are passed over */
#define MESSAGE_PEERS_MAX 32		/* more are passed over */
#define MESSAGE_PREFIXES_MAX 16
#define MESSAGE_RETRY_MAX 500		/* ms; a longer one counts as this */
#define MESSAGE_TEXT_MAX 256		/* bytes of network_id, agent, code and message */
#define MESSAGE_HOPS_ANY 256		/* a request that does not say */

enum message_type {
	MESSAGE_UNKNOWN,
	MESSAGE_PEER_INFO,
	MESSAGE_CACHE_ENTRY,
	MESSAGE_INVALIDATE,
	MESSAGE_CACHE_REQUEST,
	MESSAGE_CACHE_RESPONSE,
	MESSAGE_ERROR
};

enum message_result { MESSAGE_HIT, MESSAGE_MISS, MESSAGE_BUSY };

struct message_entry {
	struct span key, url, cid, auth, proof;		/* url, proof: perhaps empty */
	int64_t timestamp;				/* µs, wall clock */
	int64_t ttl;					/* s */
	uint64_t size;					/* of the body */
	unsigned hops;					/* of an announcement */
};

struct message {
	enum message_type type;
	/* peer_info; also `time` of invalidate, µs */
	struct span network_id, agent;
	struct multiaddr addrs[MESSAGE_ADDRS_MAX], peers[MESSAGE_PEERS_MAX];	/* without what is not ours */
	size_t naddrs, npeers;
	int64_t time;
	/* cache_entry: all; cache_response: entries[0], on a hit */
	struct message_entry entries[MESSAGE_ENTRIES_MAX];
	size_t nentries;
	struct span prefixes[MESSAGE_PREFIXES_MAX];
	size_t nprefixes;
	/* cache_request: one of them */
	struct span key, cid;
	unsigned hops;			/* also of cache_response: not 0, passed on */
	/* cache_response */
	enum message_result result;
	bool has_result;
	uint64_t size;			/* of the body; also entries[0].size */
	int64_t retry_ms;
	struct span file;		/* raw JSON object; message_entry_image makes an entry's file of it */
	/* error */
	struct span code, text;
	struct buf room;		/* private: what the spans point into */
};

/* About 20 KiB: keep one and use it again. */
void message_init(struct message *);
void message_free(struct message *);
/* The text is copied. 0, or ERR_PROTO with a sentence. */
int message_parse(struct message *, struct span json, struct err *);

/* ---- writing: each appends a whole header ---- */

/* Of *m: network_id, agent, addrs, peers, time. */
void message_put_peer_info(struct buf *, const struct message *m);
/* As many of the entries as fit into `max` bytes of JSON, at least one unless it alone is too long: how many.
 */
size_t message_put_entries(struct buf *, const struct message_entry *, size_t n, size_t max);
void message_put_invalidate(struct buf *, const struct span *prefixes, size_t n, int64_t time);
/* One of the two is empty. `hops` MESSAGE_HOPS_ANY: nothing is said. */
void message_put_request(struct buf *, struct span key, struct span cid, unsigned hops);
/* `image` is an entry's file up to its data member's value: `…,"data":`; ERR_DAMAGED: it is not. */
int message_put_hit(struct buf *, struct span image, uint64_t size);
/* The same of a hit that came: its `file`. */
void message_put_passed(struct buf *, struct span file, uint64_t size);
void message_put_miss(struct buf *);
void message_put_busy(struct buf *, int64_t retry_ms);
void message_put_error(struct buf *, const char *code, const char *text);

/* The file of an entry again: the members that message_put_hit took from it, in the file's order, whatever
 * the peer's, then the body as its data member (as it is, or in base64 if `encoding` says so). `variant` is
 * the asker's: it stands in the peer's place if it is the same object, which a peer may write in another
 * order. What comes out is not yet checked: entry_parse does that. */
void message_entry_image(struct buf *, struct span file, struct span variant, struct span body);

#endif
