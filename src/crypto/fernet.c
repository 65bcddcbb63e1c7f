#include <string.h>

#include <bearssl.h>

#include "base/b64.h"
#include "base/err.h"
#include "base/wipe.h"
#include "crypto/fernet.h"
#include "crypto/hmac.h"

#define VERSION 0x80
#define HALF 16			/* of the key */
#define BLOCK 16
#define FRONT (1 + 8 + FERNET_IV_LEN)

void fernet_init_portable(struct fernet *f, const uint8_t key[static FERNET_KEY_LEN])
{
	f->fast = false;
	memcpy(f->key, key, FERNET_KEY_LEN);
}

void fernet_init(struct fernet *f, const uint8_t key[static FERNET_KEY_LEN])
{
	fernet_init_portable(f, key);
	f->fast = br_aes_x86ni_cbcdec_get_vtable() != NULL;
}

void fernet_wipe(struct fernet *f)
{
	wipe(f, sizeof(*f));
}

static void decrypt(const struct fernet *f, const uint8_t *iv, uint8_t *data, size_t n)
{
	const br_block_cbcdec_class *v =
	    f->fast ? br_aes_x86ni_cbcdec_get_vtable() : &br_aes_ct64_cbcdec_vtable;
	br_aes_gen_cbcdec_keys keys;
	uint8_t chain[BLOCK];

	memcpy(chain, iv, sizeof(chain));
	v->init(&keys.vtable, f->key + HALF, HALF);
	v->run(&keys.vtable, chain, data, n);
	wipe(&keys, sizeof(keys));
}

static void encrypt(const struct fernet *f, const uint8_t *iv, uint8_t *data, size_t n)
{
	const br_block_cbcenc_class *v =
	    f->fast ? br_aes_x86ni_cbcenc_get_vtable() : &br_aes_ct64_cbcenc_vtable;
	br_aes_gen_cbcenc_keys keys;
	uint8_t chain[BLOCK];

	memcpy(chain, iv, sizeof(chain));
	v->init(&keys.vtable, f->key + HALF, HALF);
	v->run(&keys.vtable, chain, data, n);
	wipe(&keys, sizeof(keys));
}

static void mac(const struct fernet *f, const uint8_t *p, size_t n, uint8_t out[static HMAC_LEN])
{
	struct hmac h;

	hmac_init(&h, f->key, HALF);
	hmac_add(&h, p, n);
	hmac_out(&h, out);
}

/* How many bytes of padding; 0: it is none. Only who has the key gets here. */
static size_t padding(const uint8_t *data, size_t n)
{
	size_t pad = data[n - 1];

	if (pad == 0 || pad > BLOCK)
		return 0;
	for (size_t i = 1; i <= pad; i++)
		if (data[n - i] != pad)
			return 0;
	return pad;
}

/* `raw` is decrypted in place. The plaintext, or n == 0 and p == NULL. */
static struct span open_raw(const struct fernet *f, uint8_t *raw, size_t n)
{
	uint8_t want[HMAC_LEN], *data = raw + FRONT;
	size_t body, pad;

	if (n < FRONT + BLOCK + FERNET_MAC_LEN || raw[0] != VERSION)
		return span_make(NULL, 0);
	body = n - FRONT - FERNET_MAC_LEN;
	mac(f, raw, n - FERNET_MAC_LEN, want);
	if (body % BLOCK != 0 || !mem_same_ct(want, raw + n - FERNET_MAC_LEN, FERNET_MAC_LEN))
		return span_make(NULL, 0);
	decrypt(f, raw + 9, data, body);
	pad = padding(data, body);
	return pad == 0 ? span_make(NULL, 0) : span_make(data, body - pad);
}

int fernet_open(const struct fernet *f, struct span token, struct buf *out, uint64_t *time_s)
{
	struct span plain;
	struct buf raw;
	ssize_t n = -1;
	uint8_t *p;
	int rc = ERR_DAMAGED;

	buf_init(&raw, token.n);
	p = buf_reserve(&raw, token.n / 4 * 3);
	/* What is not padded is no token: its length would be a second writing. */
	if (p != NULL && token.n % 4 == 0)
		n = b64url_decode(p, token.n / 4 * 3, token);
	plain = n > 0 ? open_raw(f, p, (size_t)n) : span_make(NULL, 0);
	if (plain.p != NULL) {
		*time_s = 0;
		for (size_t i = 1; i < 9; i++)
			*time_s = *time_s << 8 | p[i];
		buf_addspan(out, plain);
		rc = out->failed ? ERR_LIMIT : 0;
		buf_commit(&raw, (size_t)n);
	}
	buf_wipe(&raw);
	return rc;
}

int fernet_seal(const struct fernet *f, const uint8_t iv[static FERNET_IV_LEN], uint64_t time_s,
    struct span plain, struct buf *out)
{
	size_t pad = BLOCK - plain.n % BLOCK, body = plain.n + pad;
	struct buf raw;
	uint8_t *p;

	buf_init(&raw, FRONT + body + FERNET_MAC_LEN);
	p = buf_reserve(&raw, FRONT + body + FERNET_MAC_LEN);
	if (p == NULL)
		return ERR_LIMIT;
	p[0] = VERSION;
	for (size_t i = 0; i < 8; i++)
		p[1 + i] = (uint8_t)(time_s >> (56 - 8 * i));
	memcpy(p + 9, iv, FERNET_IV_LEN);
	if (plain.n > 0)
		memcpy(p + FRONT, plain.p, plain.n);
	memset(p + FRONT + plain.n, (int)pad, pad);
	encrypt(f, iv, p + FRONT, body);
	mac(f, p, FRONT + body, p + FRONT + body);
	b64url_encode(out, p, FRONT + body + FERNET_MAC_LEN);
	for (size_t i = FRONT + body + FERNET_MAC_LEN; i % 3 != 0; i++)
		buf_addc(out, '=');
	buf_free(&raw);
	return out->failed ? ERR_LIMIT : 0;
}
