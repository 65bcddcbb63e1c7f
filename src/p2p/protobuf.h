/*
 * The part of Protocol Buffers that libp2p's messages use: fields that are varints or bytes (encoding.md,
 * "Message Structure").
 *
 * Reading walks a message in place and allocates nothing. Fixed-width fields are skipped over; groups and
 * field number 0 are errors. A varint has at most 10 bytes and need not be the shortest form; our own writing
 * is the shortest. Nested messages are bytes: walk them in turn.
 */
#ifndef P2P_PROTOBUF_H
#define P2P_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;

struct protobuf_field {
	uint32_t number;
	enum { PROTOBUF_VARINT, PROTOBUF_BYTES, PROTOBUF_OTHER } kind;
	uint64_t value;			/* of a varint */
	struct span bytes;		/* of bytes: into the message */
};

/* Take the next field off the front: 1 with *f, 0 at the end, -1 not a message (`rest` is then undefined). */
int protobuf_next(struct span *rest, struct protobuf_field *f);

void protobuf_put_varint(struct buf *, uint32_t number, uint64_t value);
void protobuf_put_bytes(struct buf *, uint32_t number, struct span);

#endif
