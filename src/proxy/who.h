/*
 * Identities in use: deriving one costs a dozen hashes, and a client sends the same Authorization with every
 * request.
 */
#ifndef PROXY_WHO_H
#define PROXY_WHO_H

#include "base/str.h"

struct identity;
struct who;
struct who_ref;

#define WHO_MAX 64		/* kept while nobody uses them */

struct who *who_new(void);
/* Wipes all; no reference may be out. */
void who_free(struct who *);
/* The identity of an Authorization value (p == NULL: none); NULL: too long, or no memory. */
struct who_ref *who_get(struct who *, struct span authorization);
const struct identity *who_identity(const struct who_ref *);
void who_release(struct who_ref *);	/* NULL is fine */

#endif
