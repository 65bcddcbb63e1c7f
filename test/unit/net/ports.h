/*
 * Ports of this machine that listen, refuse, or say nothing.
 */
#ifndef UNIT_NET_PORTS_H
#define UNIT_NET_PORTS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cm.h"

/* A socket bound to a loopback address; port 0 takes a free one. -1: this machine has no such address, or the
 * port is taken. */
static inline int port_bind(int family, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int one = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const void *a = family == AF_INET ? (const void *)&v4 : (const void *)&v6;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, a, family == AF_INET ? sizeof(v4) : sizeof(v6)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline uint16_t port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&a, &n), 0);
	return ntohs(a.sin6_port);	/* where a sockaddr_in has it too */
}

/* Listening; the port in *port. */
static inline int port_listen(int family, uint16_t *port)
{
	int fd = port_bind(family, *port);

	if (fd < 0)
		return -1;
	assert_int_equal(listen(fd, 16), 0);
	*port = port_of(fd);
	return fd;
}

#endif
