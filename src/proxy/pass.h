/*
 * A request to another host, passed through: streamed both ways, over TLS, nothing kept, nothing rewritten.
 */
#ifndef PROXY_PASS_H
#define PROXY_PASS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct exchange;
struct http_client;
struct pass;

/* Ask https://<the exchange's Host><its target>, or at `origin` if that is not NULL. Without `auth`,
 * Authorization and Cookie stay here. The exchange is answered in any case after this returned 0; `on_over`
 * tells when the pass is gone. */
int pass_start(struct http_client *, struct exchange *, const char *origin, bool auth,
    void (*on_over)(void *arg), void *arg,
    struct pass **, struct err *);
void pass_body(struct pass *, const void *, size_t);
void pass_body_end(struct pass *);
void pass_drained(struct pass *);
void pass_cancel(struct pass *);	/* the client left; NULL is fine */

#endif
