/*
 * p2p/protobuf and p2p/peerid: a message's fields lie in it one behind the other; a key, an id and an id's
 * text are understood in one way.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "p2p/peerid.h"
#include "p2p/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(const struct peerid *id)
{
	char text[PEERID_TEXT_MAX];
	struct peerid back;

	assert(id->n > 2 && id->n <= PEERID_MAX);
	peerid_text(id, text);
	assert(peerid_parse(&back, span_of(text)) && peerid_same(id, &back));
	peerid_cid(id, text);
	assert(text[0] == 'b' && peerid_parse(&back, span_of(text)) && peerid_same(id, &back));
}

static void check_fields(struct span rest)
{
	const char *end = rest.p + rest.n, *at = rest.p;
	struct protobuf_field f;
	int rc;

	while ((rc = protobuf_next(&rest, &f)) == 1) {
		assert(f.number > 0 && rest.p + rest.n == end && rest.p > at);
		if (f.kind == PROTOBUF_BYTES && f.bytes.n > 0)
			assert(f.bytes.p > at && f.bytes.p + f.bytes.n <= rest.p);
		at = rest.p;
	}
	assert(rc == -1 || at == end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(size ? data : (const uint8_t *)"", size);
	struct peerid_key key;
	struct peerid id;

	check_fields(in);
	if (peerid_key_parse(in, &key)) {
		peerid_of_key(&id, in);
		check_id(&id);
	}
	if (peerid_decode(&id, in))
		check_id(&id);
	if (peerid_parse(&id, in))
		check_id(&id);
	return 0;
}
