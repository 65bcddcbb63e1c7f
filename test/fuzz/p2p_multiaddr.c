/*
 * p2p/multiaddr: as bytes and as text. What is understood has one binary and one text form, which say the
 * same; what is refused to be dialled has a reason.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/addr.h"
#include "p2p/multiaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct multiaddr *m)
{
	char text[MULTIADDR_TEXT_MAX], host[MULTIADDR_NAME_MAX + 1];
	struct multiaddr back;
	struct addr a;
	struct buf b;

	buf_init(&b, MULTIADDR_BIN_MAX);
	multiaddr_encode(m, true, &b);
	assert(!b.failed && multiaddr_decode(&back, buf_span(&b)) == 1);
	assert(multiaddr_same(m, &back) && peerid_same(&m->peer, &back.peer));
	buf_free(&b);
	multiaddr_text(m, text);
	if (multiaddr_parse(&back, span_of(text)) != 1)
		abort();
	assert(multiaddr_same(m, &back) && peerid_same(&m->peer, &back.peer));
	assert(multiaddr_dial_host(m, host) == (m->host != MULTIADDR_NONE));
	if (multiaddr_refusal(m, true) == NULL)
		assert(multiaddr_addr(m, &a) && m->peer.n > 0 && m->port >= MULTIADDR_PORT_MIN);
	else
		assert(multiaddr_refusal(m, false) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct multiaddr m;

	if (multiaddr_decode(&m, span_make(data, size)) == 1)
		check(&m);
	if (multiaddr_parse(&m, span_make(data, size)) == 1)
		check(&m);
	return 0;
}
