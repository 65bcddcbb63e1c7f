/*
 * p2p/wire: the input is a peer with the group's key: each two bytes are a record's kind and size, or a bit
 * that is changed in what was sealed. What a reader gives is what was sealed, in order, whatever the pieces;
 * a changed byte gives nothing more.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire_keys ours, theirs;

static void begin(void)
{
	static const uint8_t group[WIRE_GROUP_KEY_LEN] = { 9 }, one[32] = { 1 }, two[32] = { 2 };
	static bool done;
	struct peerid a, b;

	if (done)
		return;
	done = true;
	peerid_of_ed25519(&a, one);
	peerid_of_ed25519(&b, two);
	wire_keys_init(&ours, group, &a, &b, true);
	wire_keys_init(&theirs, group, &a, &b, false);
}

/* What they seal, and all of its payloads. */
static bool seal_all(const uint8_t *data, size_t size, struct buf *out, struct buf *plain)
{
	static const char text[WIRE_RECORD_MAX];
	static const uint8_t nonce[AEAD_NONCE_LEN];
	bool changed = false;

	for (size_t i = 0; i + 1 < size && buf_len(out) < 1 << 18; i += 2) {
		enum wire_kind kind = data[i] % 3 + WIRE_HEADER;
		struct span p = span_make(text, (size_t)data[i + 1] * (data[i] / 4));

		if (data[i] % 4 == 3 && buf_len(out) > 0) {
			buf_data(out)[(size_t)data[i + 1] * 7 % buf_len(out)] ^= 1;
			changed = true;
			continue;
		}
		wire_seal_with(&theirs.send, nonce, kind, p, out);
		buf_addspan(plain, p);
	}
	return changed;
}

/* The bytes of payload that came, and whether it went well. */
static uint64_t read_all(struct span in, size_t step, uint64_t body, bool *ok)
{
	struct wire_reader r;
	uint64_t got = 0;

	wire_reader_init(&r, &ours, WIRE_HEADER_MAX);
	while (in.n > 0) {
		enum wire_event ev;
		struct span payload;
		ssize_t used = wire_reader_feed(&r, in.p, in.n < step ? in.n : step, &ev, &payload);

		if (used < 0)
			break;
		assert(ev != WIRE_MORE || payload.n == 0);
		got += payload.n;
		if (ev == WIRE_GOT_HEADER && body > 0)
			wire_reader_expect(&r, body - 1);
		in = span_sub(in, (size_t)used, in.n);
	}
	assert((r.why == NULL) == (in.n == 0));
	*ok = r.why == NULL;
	wire_reader_free(&r);
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out, plain;
	bool changed, one, many;

	if (size < 2)
		return 0;
	begin();
	buf_init(&out, 1 << 21);
	buf_init(&plain, 1 << 21);
	changed = seal_all(data + 2, size - 2, &out, &plain);
	uint64_t a = read_all(buf_span(&out), 1 << 21, data[1], &one);
	uint64_t b = read_all(buf_span(&out), data[0] + 1u, data[1], &many);
	assert(a == b && one == many && a <= buf_len(&plain));
	assert(!one || changed || a == buf_len(&plain));
	buf_free(&out);
	buf_free(&plain);
	return 0;
}
