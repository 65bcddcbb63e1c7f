/*
 * A ready connection to an origin: dialled, through the proxy's CONNECT where there is one, and secured where
 * the URL says https.
 *
 * `struct http_env` is what all connections of a process share: the loop, the deadlines, the proxy, the trust
 * anchors (loaded in slices, at the first handshake that needs them, while the dialling goes on) and the TLS
 * session cache.
 */
#ifndef HTTP_ORIGIN_H
#define HTTP_ORIGIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct anchors;
struct conn;
struct err;
struct origin;
struct loop;
struct tls_cache;
struct url;

struct http_env {
	struct loop *loop;
	const char *ca_file, *ca_dir;		/* SSL_CERT_FILE, SSL_CERT_DIR; NULL: the system's */
	const char *proxy, *no_proxy;		/* HTTPS_PROXY, NO_PROXY; NULL: none. For https only. */
	int64_t connect_ms, tls_ms;		/* deadlines; TLS includes the proxy's CONNECT */
	const char *const *resolve; /* "HOST:PORT:ADDR" rows: dial ADDR in place of HOST (tests) */
	size_t nresolve;
	const char *unix_path;			/* dial this socket instead of any host; plain only */
	struct anchors *anchors;		/* the env's: NULL until needed */
	struct tls_cache *sessions;		/* the env's */
};

/* The caller fills in the settings after http_env_init. Wipe after every connection is gone: they use it. */
void http_env_init(struct http_env *, struct loop *);
void http_env_wipe(struct http_env *);

/* conn: ready for a request, the callee's, its events go nowhere until conn_retarget. NULL: failed. Called
 * once, never before origin_open has returned, never after a cancel. */
typedef void origin_done(void *arg, struct conn *, const struct err *);

/* The URL's spans are copied. */
int origin_open(struct http_env *, const struct url *, origin_done *, void *arg, struct origin **,
    struct err *);
void origin_cancel(struct origin *);

#endif
