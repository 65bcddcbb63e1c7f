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
