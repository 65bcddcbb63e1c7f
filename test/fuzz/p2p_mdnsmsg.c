/*
 * p2p/mdnsmsg: one datagram. What it names can be dialled and named again.
 *
 * max_len: 9100
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p2p/mdnsmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz012345";
	static struct mdnsmsg m, n;
	struct buf b;

	if (!mdnsmsg_parse(&m, data, size, "_p2p._udp.local")) {
		assert(!m.asks && m.naddrs == 0);
		return 0;
	}
	assert(!(m.asks && m.naddrs > 0));
	for (size_t i = 0; i < m.naddrs; i++)
		assert(m.addrs[i].host != MULTIADDR_NONE && m.addrs[i].peer.n > 0);
	buf_init(&b, 2 * MDNSMSG_MAX);
	mdnsmsg_put_answer(&b, "_p2p._udp.local", name, &(struct peerid){ .n = 0 }, m.addrs, m.naddrs, 120);
	assert(!b.failed && buf_len(&b) <= MDNSMSG_MAX);
	if (!mdnsmsg_parse(&n, buf_data(&b), buf_len(&b), "_p2p._udp.local"))
		abort();
	assert(n.naddrs <= m.naddrs && (m.naddrs == 0 || n.naddrs > 0));
	buf_free(&b);
	return 0;
}
