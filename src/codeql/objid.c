#include <string.h>

#include "codeql/objid.h"

size_t objid_len(enum objid_format f)
{
	return f == OBJID_SHA1 ? SHA1_LEN : SHA256_LEN;
}

const char *objid_name(enum objid_format f)
{
	return f == OBJID_SHA1 ? "sha1" : "sha256";
}

void objid_start(struct objid_hash *h, enum objid_format f)
{
	h->format = f;
	if (f == OBJID_SHA1)
		hash_sha1_init(&h->u.sha1);
	else
		hash_sha256_init(&h->u.sha256);
}

void objid_add(struct objid_hash *h, const void *p, size_t n)
{
	if (h->format == OBJID_SHA1)
		hash_sha1_add(&h->u.sha1, p, n);
	else
		hash_sha256_add(&h->u.sha256, p, n);
}

void objid_blob_start(struct objid_hash *h, enum objid_format f, uint64_t size)
{
	char head[32] = "blob ";
	char digits[24];
	size_t n = 5, d = 0;

	/* 92,000 times: snprintf would be a tenth of a small file's cost */
	do
		digits[d++] = (char)('0' + size % 10);
	while ((size /= 10) > 0);
	while (d > 0)
		head[n++] = digits[--d];
	objid_start(h, f);
	objid_add(h, head, n + 1);
}

void objid_out(const struct objid_hash *h, uint8_t out[static OBJID_MAX])
{
	if (h->format == OBJID_SHA256) {
		hash_sha256_out(&h->u.sha256, out);
		return;
	}
	hash_sha1_out(&h->u.sha1, out);
	memset(out + SHA1_LEN, 0, OBJID_MAX - SHA1_LEN);
}

void objid_blob(uint8_t out[static OBJID_MAX], enum objid_format f, const void *p, size_t n)
{
	struct objid_hash h;

	objid_blob_start(&h, f, n);
	objid_add(&h, p, n);
	objid_out(&h, out);
}

bool objid_is_zero(const uint8_t *id, enum objid_format f)
{
	static const uint8_t zero[OBJID_MAX];

	return memcmp(id, zero, objid_len(f)) == 0;
}
