/*
 * Socket addresses as values: made from literals, printed, compared.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

struct addr {
	socklen_t len;
	struct sockaddr_storage ss;
};

#define ADDR_TEXT_LEN 64

/* An IPv4 or IPv6 literal (no brackets, no zone) with a port; false: not one. */
bool addr_parse(struct addr *, struct span literal, uint16_t port);
/* "127.0.0.1:80", "[::1]:443" */
void addr_text(const struct addr *, char out[static ADDR_TEXT_LEN]);
uint16_t addr_port(const struct addr *);
bool addr_is_v6(const struct addr *);
bool addr_is_loopback(const struct addr *);

/* The bytes of the IP address, 4 or 16, in network order; and the way back (false: neither length). */
const uint8_t *addr_ip(const struct addr *, size_t *n);
bool addr_of_ip(struct addr *, const uint8_t *ip, size_t n, uint16_t port);
/* Who is at the other end of a connected socket, and what a socket is bound to; false: no IP socket. An IPv4
 * address that came as ::ffff:a.b.c.d is given as IPv4. */
bool addr_of_peer(struct addr *, int fd);
bool addr_of_self(struct addr *, int fd);

#endif
