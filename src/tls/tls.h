/*
 * A TLS 1.2 client as an engine (RFC 5246, profile of RFC 9325): ECDHE with AES-GCM or ChaCha20-Poly1305,
 * SHA-2 throughout, RSA keys of 2048 bits or more, host name always checked. No verification can be turned
 * off, no older version or suite turned on.
 *
 * The library behind it is BearSSL, which knows no TLS 1.3; whoever replaces it changes this folder and
 * nothing else. Sessions are resumed by session id within one process, through a struct tls_cache that the
 * caller keeps.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct anchors;
struct engine;
struct err;
struct tls_cache;

struct tls_cache *tls_cache_new(void);		/* NULL: no memory; nothing is resumed then */
void tls_cache_free(struct tls_cache *);

/*
 * A client for `host` (a DNS name; an IP address is ERR_DENIED with its own sentence, since no certificate
 * can be checked against it here). The anchors must be fully loaded and, like the cache, outlive the engine.
 * ERR_DENIED also: no entropy.
 *
 * The engine's error sentences tell apart: expired · not yet valid · made for another host · unknown CA · key
 * too weak or signature too old · TLS version not offered · cipher suite not offered · other alerts and
 * protocol faults.
 */
int tls_client_new(const struct anchors *, struct span host, uint16_t port, struct tls_cache *,
    struct engine **, struct err *);

#endif
