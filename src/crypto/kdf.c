#include <string.h>

#include <bearssl.h>

#include "base/wipe.h"
#include "crypto/kdf.h"

void kdf_hkdf(uint8_t *out, size_t n, struct span secret, struct span salt, const char *info)
{
	br_hkdf_context c;

	if (salt.n == 0)
		br_hkdf_init(&c, &br_sha256_vtable, BR_HKDF_NO_SALT, 0);
	else
		br_hkdf_init(&c, &br_sha256_vtable, salt.p, salt.n);
	br_hkdf_inject(&c, secret.p, secret.n);
	br_hkdf_flip(&c);
	br_hkdf_produce(&c, info, strlen(info), out, n);
	wipe(&c, sizeof(c));
}
