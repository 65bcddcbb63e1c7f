#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "net/addr.h"

bool addr_parse(struct addr *a, struct span literal, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&a->ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&a->ss;

	memset(a, 0, sizeof(*a));
	if (!span_copy(text, sizeof(text), literal))
		return false;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		a->len = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		a->len = sizeof(*v6);
		return true;
	}
	return false;
}

void addr_text(const struct addr *a, char out[static ADDR_TEXT_LEN])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&a->ss;
	char text[INET6_ADDRSTRLEN] = "?";

	if (addr_is_v6(a)) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		snprintf(out, ADDR_TEXT_LEN, "[%s]:%u", text, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		snprintf(out, ADDR_TEXT_LEN, "%s:%u", text, ntohs(v4->sin_port));
	}
}

uint16_t addr_port(const struct addr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&a->ss;

	return ntohs(addr_is_v6(a) ? v6->sin6_port : v4->sin_port);
}

bool addr_is_v6(const struct addr *a)
{
	return a->ss.ss_family == AF_INET6;
}

bool addr_is_loopback(const struct addr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&a->ss;

	if (addr_is_v6(a))
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	return a->ss.ss_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

const uint8_t *addr_ip(const struct addr *a, size_t *n)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&a->ss;

	*n = addr_is_v6(a) ? 16 : 4;
	return addr_is_v6(a) ? v6->sin6_addr.s6_addr : (const uint8_t *)&v4->sin_addr;
}

bool addr_of_ip(struct addr *a, const uint8_t *ip, size_t n, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&a->ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&a->ss;

	memset(a, 0, sizeof(*a));
	if (n == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, ip, n);
		a->len = sizeof(*v4);
	} else if (n == 16) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, ip, n);
		a->len = sizeof(*v6);
	}
	return a->len > 0;
}

/* A socket that listens on both families names IPv4 peers as IPv6. */
static bool take_name(struct addr *a, int rc)
{
	struct sockaddr_in6 v6;

	memcpy(&v6, &a->ss, sizeof(v6));
	if (rc != 0 || (a->ss.ss_family != AF_INET && a->ss.ss_family != AF_INET6))
		return false;
	if (a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return addr_of_ip(a, v6.sin6_addr.s6_addr + 12, 4, ntohs(v6.sin6_port));
	return true;
}

bool addr_of_peer(struct addr *a, int fd)
{
	memset(a, 0, sizeof(*a));
	a->len = sizeof(a->ss);
	return take_name(a, getpeername(fd, (struct sockaddr *)&a->ss, &a->len));
}

bool addr_of_self(struct addr *a, int fd)
{
	memset(a, 0, sizeof(*a));
	a->len = sizeof(a->ss);
	return take_name(a, getsockname(fd, (struct sockaddr *)&a->ss, &a->len));
}
