#include <stdio.h>
#include <string.h>

#include "base/b64.h"
#include "base/hex.h"
#include "crypto/kdf.h"
#include "github/identity.h"

#define TOKEN_MIN 20	/* GitHub's have 40 and more */

/*
 * The token inside an Authorization value: two spellings of one token are one identity. A Basic value is
 * decoded into `room`. A password too short for a token ("TOKEN:x-oauth-basic") is a word that many say: then
 * the whole value is the identity.
 */
static struct span token_of(struct span value, uint8_t *room, size_t size)
{
	ssize_t n;
	ptrdiff_t colon;

	if (span_istarts(value, "token "))
		return span_trim(span_sub(value, 6, value.n));
	if (span_istarts(value, "bearer "))
		return span_trim(span_sub(value, 7, value.n));
	if (!span_istarts(value, "basic "))
		return value;
	n = b64_decode(room, size, span_trim(span_sub(value, 6, value.n)));
	if (n <= 0)
		return value;
	colon = span_chr(span_make(room, (size_t)n), ':');
	if (colon < 0 || n - colon - 1 < TOKEN_MIN)
		return value;
	return span_make(room + colon + 1, (size_t)(n - colon - 1));
}

bool identity_init(struct identity *id, struct span authorization)
{
	uint8_t room[SECRET_MAX], tag[IDENTITY_TAG_LEN / 2];
	struct span token;

	memset(id, 0, sizeof(*id));
	if (authorization.p == NULL || authorization.n == 0) {
		id->is_public = true;
		strcpy(id->tag, "public");
		return true;
	}
	if (!secret_set(&id->authorization, authorization))
		return false;
	token = token_of(authorization, room, sizeof(room));
	kdf_hkdf(tag, sizeof(tag), token, span_of(""), "ghoard tag 1");
	kdf_hkdf(id->proof_key, sizeof(id->proof_key), token, span_of(""), "ghoard entry 1");
	hex_encode(id->tag, tag, sizeof(tag));
	wipe(room, sizeof(room));
	return true;
}

void identity_wipe(struct identity *id)
{
	wipe(id, sizeof(*id));
}

const uint8_t *identity_key(const struct identity *id)
{
	return id->is_public ? NULL : id->proof_key;
}
