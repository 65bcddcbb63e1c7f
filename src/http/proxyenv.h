/*
 * Which proxy a request goes through: HTTPS_PROXY and NO_PROXY as curl and Go read them.
 *
 * NO_PROXY is a comma-separated list: `*`, a host ("github.com" matches it and its subdomains, with or
 * without a leading dot; "*.github.com" its subdomains), "host:port", an address, a CIDR block
 * ("10.0.0.0/8", "fd00::/8"). Loopback hosts are never sent to a proxy. Pure: the caller hands in the
 * values.
 */
#ifndef HTTP_PROXYENV_H
#define HTTP_PROXYENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

bool proxyenv_bypass(struct span no_proxy, struct span host, uint16_t port);

struct proxyenv {
	struct span host;
	uint16_t port;		/* 80 by default */
	struct span userinfo;	/* as written, %-encoded; empty: none */
};

/* "http://user:pw@host:3128", "host:3128". https:// and socks proxies are refused: -1 with *why. */
int proxyenv_parse(struct span, struct proxyenv *, const char **why);

#endif
