/*
 * Inside tls/ only: the anchors as the library takes them.
 */
#ifndef TLS_ANCHORS_BEARSSL_H
#define TLS_ANCHORS_BEARSSL_H

#include <bearssl.h>

struct anchors;

/* Valid until the anchors are stepped or freed. */
const br_x509_trust_anchor *anchors_list(const struct anchors *, size_t *n);

#endif
