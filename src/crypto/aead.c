#include <assert.h>
#include <string.h>

#include <bearssl.h>

#include "base/err.h"
#include "base/wipe.h"
#include "crypto/aead.h"
#include "crypto/cpu.h"

/* Both passes over a piece that stays in the first-level cache. */
#define STEP ((size_t)4096)

static_assert(sizeof(br_aes_gen_ctr_keys) <= sizeof(((struct aead *)0)->opaque), "struct aead is too small");

/* NULL: the processor, or the library, has no such instructions. The library would ask the processor anew for
 * each key. */
static br_ghash fast_ghash(void)
{
#ifdef __x86_64__
	if (cpu_has_aes())
		return br_ghash_pclmul;
#endif
	return NULL;
}

static br_aes_gen_ctr_keys *keys(const struct aead *a)
{
	return (br_aes_gen_ctr_keys *)(uintptr_t)a->opaque;
}

void aead_init_portable(struct aead *a, const uint8_t key[static AEAD_KEY_LEN])
{
	memset(a, 0, sizeof(*a));
	br_aes_ct64_ctr_init(&keys(a)->c_ct64, key, AEAD_KEY_LEN);
}

void aead_init(struct aead *a, const uint8_t key[static AEAD_KEY_LEN])
{
	if (fast_ghash() == 0) {
		aead_init_portable(a, key);
		return;
	}
	memset(a, 0, sizeof(*a));
	a->fast = true;
	br_aes_x86ni_ctr_init(&keys(a)->c_x86ni, key, AEAD_KEY_LEN);
}

void aead_wipe(struct aead *a)
{
	wipe(a, sizeof(*a));
}

static void run(const struct aead *a, br_gcm_context *g, const uint8_t *nonce, struct span aad, uint8_t *data,
    size_t n, int encrypt)
{
	br_gcm_init(g, &keys(a)->vtable, a->fast ? fast_ghash() : br_ghash_ctmul64);
	br_gcm_reset(g, nonce, AEAD_NONCE_LEN);
	br_gcm_aad_inject(g, aad.p, aad.n);
	br_gcm_flip(g);
	for (size_t at = 0; at < n; at += STEP)
		br_gcm_run(g, encrypt, data + at, n - at < STEP ? n - at : STEP);
}

void aead_seal(const struct aead *a, const uint8_t nonce[static AEAD_NONCE_LEN], struct span aad,
    uint8_t *data, size_t n, uint8_t tag[static AEAD_TAG_LEN])
{
	br_gcm_context g;

	run(a, &g, nonce, aad, data, n, 1);
	br_gcm_get_tag(&g, tag);
	wipe(&g, sizeof(g));
}

int aead_open(const struct aead *a, const uint8_t nonce[static AEAD_NONCE_LEN], struct span aad,
    uint8_t *data, size_t n, const uint8_t tag[static AEAD_TAG_LEN])
{
	br_gcm_context g;
	uint32_t same;

	run(a, &g, nonce, aad, data, n, 0);
	same = br_gcm_check_tag(&g, tag);
	wipe(&g, sizeof(g));
	if (same)
		return 0;
	/* It was decrypted before the tag was known. */
	wipe(data, n);
	return ERR_DAMAGED;
}
