#include <string.h>

#include "base/wipe.h"
#include "crypto/curve25519.h"
#include "crypto/x25519.h"

#define A24 121665		/* (486662 - 2) / 4 */

/* RFC 7748 §5: one point of a projective pair, x = X/Z */
struct point {
	fe25519 x, z;
};

/* The loop's body, with the RFC's names: p doubled, q added to it; x1 is their difference. */
static void step(struct point *p, struct point *q, const fe25519 x1)
{
	fe25519 a, aa, b, bb, e, c, d, da, cb, t;

	fe25519_add(a, p->x, p->z);
	fe25519_sq(aa, a);
	fe25519_sub(b, p->x, p->z);
	fe25519_sq(bb, b);
	fe25519_sub(e, aa, bb);
	fe25519_add(c, q->x, q->z);
	fe25519_sub(d, q->x, q->z);
	fe25519_mul(da, d, a);
	fe25519_mul(cb, c, b);
	fe25519_add(t, da, cb);
	fe25519_sq(q->x, t);
	fe25519_sub(t, da, cb);
	fe25519_sq(t, t);
	fe25519_mul(q->z, x1, t);
	fe25519_mul(p->x, aa, bb);
	fe25519_scalar_product(t, e, A24);
	fe25519_add(t, aa, t);
	fe25519_mul(p->z, e, t);
}

static void swap_points(struct point *p, struct point *q, unsigned swap)
{
	fe25519_cswap(p->x, q->x, swap);
	fe25519_cswap(p->z, q->z, swap);
}

/* BearSSL has this too, three times slower (140 us); a handshake needs four, two of them before anybody is
 * known. */
static void multiply(uint8_t out[static X25519_LEN], const uint8_t key[static X25519_LEN],
    const uint8_t u[static X25519_LEN])
{
	struct point p, q;
	uint8_t k[X25519_LEN];
	fe25519 x1;
	unsigned swap = 0;

	memcpy(k, key, sizeof(k));
	curve25519_clamp(k);
	fe25519_frombytes(x1, u);	/* without the highest bit */
	fe25519_1(p.x);
	fe25519_0(p.z);
	fe25519_copy(q.x, x1);
	fe25519_1(q.z);
	for (int t = 254; t >= 0; t--) {
		unsigned bit = k[t / 8] >> t % 8 & 1;

		swap_points(&p, &q, swap ^ bit);
		swap = bit;
		step(&p, &q, x1);
	}
	swap_points(&p, &q, swap);
	fe25519_invert(p.z, p.z);
	fe25519_mul(p.x, p.x, p.z);
	fe25519_tobytes(out, p.x);
	wipe(k, sizeof(k));
	wipe(&p, sizeof(p));
	wipe(&q, sizeof(q));
}

void x25519_public(uint8_t pub[static X25519_LEN], const uint8_t key[static X25519_LEN])
{
	static const uint8_t base[X25519_LEN] = { 9 };

	multiply(pub, key, base);
}

bool x25519(uint8_t secret[static X25519_LEN], const uint8_t key[static X25519_LEN],
    const uint8_t pub[static X25519_LEN])
{
	uint8_t any = 0;

	multiply(secret, key, pub);
	for (unsigned i = 0; i < X25519_LEN; i++)
		any |= secret[i];
	return any != 0;
}
