#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "cred/audit_key.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"

#define SEALED_LEN (AEAD_NONCE_LEN + AUDIT_KEY_LEN + AEAD_TAG_LEN)

static void sealing_key(struct aead *a, const uint8_t *master)
{
	uint8_t key[AEAD_KEY_LEN];

	kdf_hkdf(key, sizeof(key), span_make(master, 32), span_make("", 0), "ghoard audit key 1");
	aead_init(a, key);
	wipe(key, sizeof(key));
}

int audit_key_write(int dirfd, const char *name, const uint8_t master[static 32],
    const uint8_t key[static AUDIT_KEY_LEN], struct err *err)
{
	uint8_t sealed[SEALED_LEN];
	struct aead aead;
	int rc = rand_bytes(sealed, AEAD_NONCE_LEN, err);

	if (rc != 0)
		return rc;
	memcpy(sealed + AEAD_NONCE_LEN, key, AUDIT_KEY_LEN);
	sealing_key(&aead, master);
	aead_seal(&aead, sealed, span_make("", 0), sealed + AEAD_NONCE_LEN, AUDIT_KEY_LEN,
	    sealed + AEAD_NONCE_LEN + AUDIT_KEY_LEN);
	aead_wipe(&aead);
	return file_write(dirfd, name, 0600, true, sealed, sizeof(sealed), err);
}

int audit_key_read(int dirfd, const char *name, const uint8_t master[static 32],
    uint8_t key[static AUDIT_KEY_LEN])
{
	struct aead aead;
	struct stat st;
	struct buf b;
	int rc;

	buf_init(&b, SEALED_LEN);
	rc = file_read_at(dirfd, name, SEALED_LEN, &b, &st, NULL);
	if (rc == 0) {
		rc = ERR_DAMAGED;
		sealing_key(&aead, master);
		if (buf_len(&b) == SEALED_LEN)
			rc = aead_open(&aead, buf_data(&b), span_make("", 0), buf_data(&b) + AEAD_NONCE_LEN,
			    AUDIT_KEY_LEN, buf_data(&b) + SEALED_LEN - AEAD_TAG_LEN);
		aead_wipe(&aead);
	}
	if (rc == 0)
		memcpy(key, buf_data(&b) + AEAD_NONCE_LEN, AUDIT_KEY_LEN);
	buf_wipe(&b);
	return rc == ERR_LIMIT ? ERR_DAMAGED : rc;
}
