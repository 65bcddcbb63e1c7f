/*
 * p2p/message: a header's JSON. What was understood lies in the message, and said again is understood alike.
 *
 * max_len: 20000
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/jscan.h"
#include "p2p/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_entry(const struct message_entry *a, const struct message_entry *b)
{
	return span_same(a->key, b->key) && span_same(a->url, b->url) && span_same(a->cid, b->cid) &&
	    span_same(a->auth, b->auth) && span_same(a->proof, b->proof) && a->timestamp == b->timestamp &&
	    a->ttl == b->ttl && a->size == b->size && a->hops == b->hops;
}

static void say_again(const struct message *m, struct buf *b)
{
	switch (m->type) {
	case MESSAGE_PEER_INFO:
		message_put_peer_info(b, m);
		break;
	case MESSAGE_CACHE_ENTRY:
		assert(message_put_entries(b, m->entries, m->nentries, 1 << 20) == m->nentries);
		break;
	case MESSAGE_INVALIDATE:
		message_put_invalidate(b, m->prefixes, m->nprefixes, m->time);
		break;
	case MESSAGE_CACHE_REQUEST:
		message_put_request(b, m->key, m->cid, m->hops);
		break;
	case MESSAGE_UNKNOWN:
	case MESSAGE_CACHE_RESPONSE:
	case MESSAGE_ERROR:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct message m, n;
	struct err err;
	struct buf b;

	err_init(&err);
	if (m.room.max == 0) {
		message_init(&m);
		message_init(&n);
	}
	if (message_parse(&m, span_make(data, size), &err) != 0) {
		assert(err.cls == ERR_PROTO);
		return 0;
	}
	assert(jscan_valid(span_make(data, size)));
	buf_init(&b, 4 << 20);
	say_again(&m, &b);
	if (buf_len(&b) > 0) {
		if (message_parse(&n, buf_span(&b), NULL) != 0)
			abort();
		assert(n.type == m.type && n.nentries == m.nentries && n.npeers == m.npeers &&
		    n.naddrs == m.naddrs && n.nprefixes == m.nprefixes && n.time == m.time &&
		    n.hops == m.hops);
		for (size_t i = 0; i < m.nentries; i++)
			assert(same_entry(&m.entries[i], &n.entries[i]));
	}
	if (m.type == MESSAGE_CACHE_RESPONSE && m.result == MESSAGE_HIT) {
		buf_clear(&b);
		message_entry_image(&b, m.file, span_of("{\"a\":1}"), span_of("{}"));
		assert(jscan_valid(buf_span(&b)));
	}
	buf_free(&b);
	return 0;
}
