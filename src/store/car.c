#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/varint.h"
#include "crypto/hash.h"
#include "store/car.h"

/* CIDv1, raw, sha2-256 with 32 bytes; the digest follows. */
static const uint8_t cid_front[] = { 0x01, 0x55, 0x12, 0x20 };
#define CID_LEN (sizeof cid_front + CAR_DIGEST_LEN)

/*
 * The one header there is: {"roots": [42(h'00' ‖ CID)], "version": 1} in deterministic CBOR, up to the CID
 * and after it. a2 map of 2, 65 text of 5, 81 array of 1, d8 2a tag 42, 58 25 bytes of 37, 00 the multibase
 * prefix of a binary CID, 67 text of 7.
 */
static const uint8_t head_front[] = { 0xa2, 0x65, 'r', 'o', 'o', 't', 's', 0x81, 0xd8, 0x2a, 0x58,
	CID_LEN + 1, 0x00 };
static const uint8_t head_back[] = { 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x01 };
#define HEAD_LEN (sizeof head_front + CID_LEN + sizeof head_back)

static void put_varint(struct buf *out, uint64_t v)
{
	uint8_t bytes[VARINT_MAX_LEN];

	buf_add(out, bytes, varint_put(bytes, v));
}

static void put_cid(struct buf *out, const uint8_t digest[static CAR_DIGEST_LEN])
{
	buf_add(out, cid_front, sizeof cid_front);
	buf_add(out, digest, CAR_DIGEST_LEN);
}

void car_put_header(struct buf *out, const uint8_t root[static CAR_DIGEST_LEN])
{
	put_varint(out, HEAD_LEN);
	buf_add(out, head_front, sizeof head_front);
	put_cid(out, root);
	buf_add(out, head_back, sizeof head_back);
}

void car_put_block(struct buf *out, const uint8_t digest[static CAR_DIGEST_LEN], const void *p, size_t n)
{
	put_varint(out, CID_LEN + n);
	put_cid(out, digest);
	buf_add(out, p, n);
}

static ssize_t bad(struct err *e, const char *what)
{
	err_set(e, ERR_DAMAGED, "the archive %s", what);
	return -1;
}

/* The section at the front: its length's bytes, and *len; -1 and -2 as in car.h. */
static ssize_t section(const uint8_t *p, size_t n, uint64_t *len, struct err *e)
{
	int used = varint_get(p, n, len);

	if (used == -2)
		return -2;
	return used < 0 ? bad(e, "has a length that is no varint") : used;
}

ssize_t car_get_header(const void *p, size_t n, uint8_t root[static CAR_DIGEST_LEN], struct err *e)
{
	const uint8_t *at = p;
	uint64_t len;
	ssize_t used = section(at, n, &len, e);

	if (used < 0)
		return used;
	if (len != HEAD_LEN)
		return bad(e, "is no CARv1 file with one root");
	at += used;
	size_t have = n - (size_t)used, front = sizeof head_front;
	if (memcmp(at, head_front, have < front ? have : front) != 0)
		return bad(e, "is no CARv1 file with one root");
	if (have < HEAD_LEN)
		return -2;
	if (memcmp(at + front, cid_front, sizeof cid_front) != 0)
		return bad(e, "has a root that is no CIDv1 of raw bytes by SHA-256");
	if (memcmp(at + front + CID_LEN, head_back, sizeof head_back) != 0)
		return bad(e, "has another version than 1");
	memcpy(root, at + front + sizeof cid_front, CAR_DIGEST_LEN);
	return used + (ssize_t)HEAD_LEN;
}

ssize_t car_get_block(const void *p, size_t n, uint8_t digest[static CAR_DIGEST_LEN], struct span *block,
    struct err *e)
{
	const uint8_t *at = p;
	uint8_t sum[CAR_DIGEST_LEN];
	uint64_t len;
	ssize_t used = section(at, n, &len, e);

	if (used < 0)
		return used;
	if (len > CID_LEN + CAR_BLOCK_MAX)
		return bad(e, "has a block above 72 MiB");
	if (len < CID_LEN)
		return bad(e, "has a block without a CID");
	at += used;
	size_t have = n - (size_t)used, front = sizeof cid_front;
	if (memcmp(at, cid_front, have < front ? have : front) != 0)
		return bad(e, "has a block whose CID is not CIDv1 of raw bytes by SHA-256");
	if (have < len)
		return -2;
	*block = span_make(at + CID_LEN, (size_t)len - CID_LEN);
	hash_sha256(sum, block->p, block->n);
	if (memcmp(sum, at + front, CAR_DIGEST_LEN) != 0)
		return bad(e, "has a block that is not what its CID names");
	memcpy(digest, sum, CAR_DIGEST_LEN);
	return used + (ssize_t)len;
}
