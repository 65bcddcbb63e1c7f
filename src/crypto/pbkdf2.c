#include <string.h>

#include "base/wipe.h"
#include "crypto/hmac.h"
#include "crypto/pbkdf2.h"

/* RFC 8018 §5.2: T_i, of `rounds` MACs under the key that `keyed` holds. */
static void block(const struct hmac *keyed, struct span salt, uint32_t rounds, uint32_t index,
    uint8_t t[static HMAC_LEN])
{
	uint8_t count[4] = { (uint8_t)(index >> 24), (uint8_t)(index >> 16), (uint8_t)(index >> 8),
		(uint8_t)index };
	uint8_t u[HMAC_LEN];
	struct hmac h = *keyed;

	hmac_add(&h, salt.p, salt.n);
	hmac_add(&h, count, sizeof(count));
	hmac_out(&h, u);
	memcpy(t, u, sizeof(u));
	for (uint32_t i = 1; i < rounds; i++) {
		h = *keyed;
		hmac_add(&h, u, sizeof(u));
		hmac_out(&h, u);
		for (size_t k = 0; k < sizeof(u); k++)
			t[k] ^= u[k];
	}
	wipe(u, sizeof(u));
}

void pbkdf2_sha256(uint8_t *out, size_t n, struct span secret, struct span salt, uint32_t rounds)
{
	uint8_t t[HMAC_LEN];
	struct hmac keyed;

	hmac_init(&keyed, secret.p, secret.n);
	for (uint32_t i = 1; n > 0; i++) {
		size_t some = n < sizeof(t) ? n : sizeof(t);

		block(&keyed, salt, rounds, i, t);
		memcpy(out, t, some);
		out += some;
		n -= some;
	}
	wipe(&keyed, sizeof(keyed));
	wipe(t, sizeof(t));
}
