#include <bearssl.h>

#include "base/err.h"
#include "base/str.h"
#include "base/wipe.h"
#include "crypto/chacha8.h"
#include "crypto/chapoly.h"

/* As the library wants a ChaCha20: whole eights of blocks here, the rest with what it has itself. */
static uint32_t chacha(const void *key, const void *nonce, uint32_t counter, void *data, size_t n)
{
	size_t eights = chacha8_there() ? n - n % CHACHA8_BYTES : 0;
	br_chacha20_run rest = br_chacha20_sse2_get();

	if (eights > 0)
		chacha8_run(key, nonce, counter, data, eights);
	return (rest ? rest : br_chacha20_ct_run)(
	    key, nonce, counter + (uint32_t)(eights / 64), (uint8_t *)data + eights, n - eights);
}

/* Encrypted and authenticated piece by piece the two passes would meet in the cache; the library does them
 * one after the other, and what is sealed here is at most 64 KiB, which stays in the second level. */
static void run(const uint8_t *key, const uint8_t *nonce, struct span aad, uint8_t *data, size_t n,
    uint8_t *tag, int encrypt)
{
	br_poly1305_run poly = br_poly1305_ctmulq_get();

	if (poly == NULL)
		poly = br_poly1305_ctmul_run;
	poly(key, nonce, data, n, aad.p, aad.n, tag, chacha, encrypt);
}

void chapoly_seal(const uint8_t key[static CHAPOLY_KEY_LEN], const uint8_t nonce[static CHAPOLY_NONCE_LEN],
    struct span aad, uint8_t *data, size_t n, uint8_t tag[static CHAPOLY_TAG_LEN])
{
	run(key, nonce, aad, data, n, tag, 1);
}

int chapoly_open(const uint8_t key[static CHAPOLY_KEY_LEN], const uint8_t nonce[static CHAPOLY_NONCE_LEN],
    struct span aad, uint8_t *data, size_t n, const uint8_t tag[static CHAPOLY_TAG_LEN])
{
	uint8_t ours[CHAPOLY_TAG_LEN];

	run(key, nonce, aad, data, n, ours, 0);
	if (mem_same_ct(ours, tag, sizeof(ours)))
		return 0;
	wipe(data, n);
	return ERR_DAMAGED;
}
