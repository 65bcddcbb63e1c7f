#include <string.h>

#include "base/b64.h"
#include "crypto/cid.h"

static const uint8_t prefix[] = { 0x01, 0x55, 0x12, SHA256_LEN };	/* version, raw, sha2-256, length */

void cid_text(char out[static CID_TEXT_LEN + 1], const uint8_t digest[static SHA256_LEN])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t bin[CID_BIN_LEN];
	unsigned acc = 0, bits = 0;
	size_t o = 0;

	memcpy(bin, prefix, sizeof(prefix));
	memcpy(bin + sizeof(prefix), digest, SHA256_LEN);
	out[o++] = 'b';
	/* base32 without a heap buffer: this runs at every hit */
	for (size_t i = 0; i < CID_BIN_LEN; i++) {
		acc = acc << 8 | bin[i];
		for (bits += 8; bits >= 5; bits -= 5)
			out[o++] = alphabet[acc >> (bits - 5) & 31];
	}
	if (bits > 0)
		out[o++] = alphabet[acc << (5 - bits) & 31];
	out[o] = '\0';
}

void cid_of(char out[static CID_TEXT_LEN + 1], const void *p, size_t n)
{
	uint8_t digest[SHA256_LEN];

	hash_sha256(digest, p, n);
	cid_text(out, digest);
}

bool cid_parse(struct span s, uint8_t digest[static SHA256_LEN])
{
	uint8_t bin[CID_BIN_LEN];
	char again[CID_TEXT_LEN + 1];

	if (s.n != CID_TEXT_LEN || s.p[0] != 'b')
		return false;
	if (b32_decode(bin, sizeof(bin), span_sub(s, 1, s.n - 1)) != CID_BIN_LEN)
		return false;
	if (memcmp(bin, prefix, sizeof(prefix)) != 0)
		return false;
	memcpy(digest, bin + sizeof(prefix), SHA256_LEN);
	cid_text(again, digest);	/* refuses upper case */
	return span_eq(s, again);
}
