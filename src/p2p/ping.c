#include <string.h>

#include "base/buf.h"
#include "p2p/ping.h"

void ping_echo(struct ping *g, const void *data, size_t n, struct buf *out)
{
	const uint8_t *p = data;

	while (n > 0) {
		size_t take = PING_LEN - g->have < n ? PING_LEN - g->have : n;

		memcpy(g->block + g->have, p, take);
		g->have += take;
		p += take;
		n -= take;
		if (g->have < PING_LEN)
			return;
		buf_add(out, g->block, PING_LEN);
		g->have = 0;
	}
}

void ping_start(struct ping *g, const uint8_t block[static PING_LEN], struct buf *out)
{
	memcpy(g->block, block, PING_LEN);
	g->have = 0;
	buf_add(out, block, PING_LEN);
}

int ping_check(struct ping *g, const void *p, size_t n)
{
	if (n > PING_LEN - g->have || memcmp(g->block + g->have, p, n) != 0)
		return -1;
	g->have += n;
	return g->have == PING_LEN;
}
