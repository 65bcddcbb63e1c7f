#include <assert.h>

#include "crypto/cpu.h"
#include "crypto/shani.h"

bool shani_there(void)
{
	return cpu_has_sha();
}

#ifdef __x86_64__

#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1,ssse3")))

WITH_SHA static __m128i load_be(const uint8_t *p, __m128i order)
{
	return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), order);
}

/* Words 4g to 4g+3 of the schedule: FIPS 180-4 §6.1.2 step 1, four at a time, in a ring of sixteen. */
#define SHA1_NEXT(w, g) \
	_mm_sha1msg2_epu32( \
	    _mm_xor_si128(_mm_sha1msg1_epu32(w[(g) & 3], w[((g) + 1) & 3]), w[((g) + 2) & 3]), \
	    w[((g) + 3) & 3])

/* Four rounds; `e` goes in as the word that is rotated into e, and comes out for the next four. */
#define SHA1_ROUNDS(g) \
	do { \
		if ((g) > 3) \
			w[(g) & 3] = SHA1_NEXT(w, g); \
		__m128i now = (g) ? _mm_sha1nexte_epu32(e, w[(g) & 3]) : _mm_add_epi32(e, w[0]); \
		e = abcd; \
		abcd = _mm_sha1rnds4_epu32(abcd, now, (g) / 5); \
	} while (0)

#define SHA1_TWENTY(g) \
	do { \
		SHA1_ROUNDS(g); \
		SHA1_ROUNDS((g) + 1); \
		SHA1_ROUNDS((g) + 2); \
		SHA1_ROUNDS((g) + 3); \
		SHA1_ROUNDS((g) + 4); \
	} while (0)

WITH_SHA void shani_sha1(uint32_t state[static 5], const uint8_t *p, size_t n)
{
	const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
	__m128i *low = (__m128i *)(void *)state;
	__m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128(low), 0x1b);
	__m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);

	for (; n > 0; n--, p += 64) {
		__m128i w[4], abcd0 = abcd, e0 = e;

		for (int i = 0; i < 4; i++)
			w[i] = load_be(p + 16 * i, order);
		SHA1_TWENTY(0);
		SHA1_TWENTY(5);
		SHA1_TWENTY(10);
		SHA1_TWENTY(15);
		e = _mm_sha1nexte_epu32(e, e0);
		abcd = _mm_add_epi32(abcd, abcd0);
	}
	_mm_storeu_si128(low, _mm_shuffle_epi32(abcd, 0x1b));
	state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

/* FIPS 180-4 §4.2.2 */
static const uint32_t k256[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
	0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb,
	0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
	0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb,
	0xbef9a3f7, 0xc67178f2 };

/* §6.2.2 step 1. */
WITH_SHA static __m128i next_words(const __m128i w[static 4], int g)
{
	__m128i last = w[(g + 3) & 3];
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[g & 3], w[(g + 1) & 3]),
	    _mm_alignr_epi8(last, w[(g + 2) & 3], 4));

	return _mm_sha256msg2_epu32(sum, last);
}

WITH_SHA void shani_sha256(uint32_t state[static 8], const uint8_t *p, size_t n)
{
	const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i *low = (__m128i *)(void *)state, *high = low + 1;
	/* The instructions want the eight as ABEF and CDGH. */
	__m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(low), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(high), 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

	for (; n > 0; n--, p += 64) {
		__m128i w[4], abef0 = abef, cdgh0 = cdgh;

		for (int g = 0; g < 16; g++) {
			w[g & 3] = g < 4 ? load_be(p + 16 * g, order) : next_words(w, g);
			__m128i wk = _mm_add_epi32(w[g & 3],
			    _mm_loadu_si128((const __m128i *)(const void *)(k256 + 4 * g)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef0);
		cdgh = _mm_add_epi32(cdgh, cdgh0);
	}
	__m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128(low, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128(high, _mm_alignr_epi8(dchg, feba, 8));
}

#else

void shani_sha1(uint32_t state[static 5], const uint8_t *p, size_t n)
{
	(void)state, (void)p, (void)n;
	assert(false);
}

void shani_sha256(uint32_t state[static 8], const uint8_t *p, size_t n)
{
	(void)state, (void)p, (void)n;
	assert(false);
}

#endif
