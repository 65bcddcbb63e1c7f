/*
 * Whose request it is: what ghoard knows of an Authorization value, without keeping it in any file.
 *
 * The token inside "token X", "Bearer X" or the password of "Basic …" is run through HKDF: one output is the
 * tag by which entries are filed, another the key of their proofs. A request without Authorization is public:
 * no key, no proof.
 */
#ifndef GITHUB_IDENTITY_H
#define GITHUB_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/wipe.h"

#define IDENTITY_TAG_LEN 32
#define IDENTITY_KEY_LEN 32

struct identity {
	bool is_public;
	char tag[IDENTITY_TAG_LEN + 1];		/* or "public" */
	uint8_t proof_key[IDENTITY_KEY_LEN];
	struct secret authorization;		/* the exact value sent; empty when public */
};

/* `authorization` is the header's value, p == NULL: none. false: longer than SECRET_MAX. */
bool identity_init(struct identity *, struct span authorization);
void identity_wipe(struct identity *);
/* The proof key, NULL when public. */
const uint8_t *identity_key(const struct identity *);

#endif
