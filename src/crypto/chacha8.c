#include <assert.h>
#include <string.h>

#include "crypto/chacha8.h"
#include "crypto/cpu.h"

bool chacha8_there(void)
{
	return cpu_has_avx2();
}

#ifdef __x86_64__

#include <immintrin.h>

#define WITH_AVX2 __attribute__((target("avx2")))

/* Rotation by a whole number of bytes is a shuffle. */
#define TURN(x, by) _mm256_shuffle_epi8(x, by)
#define SHIFT(x, n) _mm256_or_si256(_mm256_slli_epi32(x, n), _mm256_srli_epi32(x, 32 - (n)))

/* RFC 8439 §2.1, on one word of each of eight blocks. */
#define QUARTER(a, b, c, d) \
	do { \
		a = _mm256_add_epi32(a, b); \
		d = TURN(_mm256_xor_si256(d, a), by16); \
		c = _mm256_add_epi32(c, d); \
		b = _mm256_xor_si256(b, c); \
		b = SHIFT(b, 12); \
		a = _mm256_add_epi32(a, b); \
		d = TURN(_mm256_xor_si256(d, a), by8); \
		c = _mm256_add_epi32(c, d); \
		b = _mm256_xor_si256(b, c); \
		b = SHIFT(b, 7); \
	} while (0)

/* Eight rows of eight words, turned: row i becomes word i of each block; then into the data. */
WITH_AVX2 static void mix(const __m256i v[static 8], uint8_t *data)
{
	__m256i t[8], u[8];

	for (int i = 0; i < 4; i++) {
		t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
		t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
	}
	for (int i = 0; i < 2; i++) {
		u[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
		u[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
		u[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
		u[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
	}
	for (int i = 0; i < 8; i++) {
		__m256i *at = (__m256i *)(void *)(data + 64 * i);
		__m256i stream = i < 4 ? _mm256_permute2x128_si256(u[i], u[i + 4], 0x20)
				       : _mm256_permute2x128_si256(u[i - 4], u[i], 0x31);

		_mm256_storeu_si256(at, _mm256_xor_si256(_mm256_loadu_si256(at), stream));
	}
}

WITH_AVX2 static void eight(const __m256i start[static 16], uint8_t *data)
{
	const __m256i by16 = _mm256_broadcastsi128_si256(
	    _mm_set_epi64x(0x0d0c0f0e09080b0a, 0x0504070601000302));
	const __m256i by8 = _mm256_broadcastsi128_si256(
	    _mm_set_epi64x(0x0e0d0c0f0a09080b, 0x0605040702010003));
	__m256i v[16];

	memcpy(v, start, sizeof(v));
	for (int i = 0; i < 10; i++) {
		QUARTER(v[0], v[4], v[8], v[12]);
		QUARTER(v[1], v[5], v[9], v[13]);
		QUARTER(v[2], v[6], v[10], v[14]);
		QUARTER(v[3], v[7], v[11], v[15]);
		QUARTER(v[0], v[5], v[10], v[15]);
		QUARTER(v[1], v[6], v[11], v[12]);
		QUARTER(v[2], v[7], v[8], v[13]);
		QUARTER(v[3], v[4], v[9], v[14]);
	}
	for (int i = 0; i < 16; i++)
		v[i] = _mm256_add_epi32(v[i], start[i]);
	mix(v, data);
	mix(v + 8, data + 32);
}

WITH_AVX2 void chacha8_run(const uint8_t key[static 32], const uint8_t nonce[static 12], uint32_t counter,
    uint8_t *data, size_t n)
{
	static const char constants[16] = "expand 32-byte k";
	uint32_t words[16];
	__m256i start[16];

	assert(n % CHACHA8_BYTES == 0);
	memcpy(words, constants, 16);
	memcpy(words + 4, key, 32);
	words[12] = counter;
	memcpy(words + 13, nonce, 12);
	for (int i = 0; i < 16; i++)
		start[i] = _mm256_set1_epi32((int)words[i]);
	start[12] = _mm256_add_epi32(start[12], _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
	for (; n > 0; data += CHACHA8_BYTES, n -= CHACHA8_BYTES) {
		eight(start, data);
		start[12] = _mm256_add_epi32(start[12], _mm256_set1_epi32(8));
	}
}

#else

void chacha8_run(const uint8_t key[static 32], const uint8_t nonce[static 12], uint32_t counter,
    uint8_t *data, size_t n)
{
	(void)key, (void)nonce, (void)counter, (void)data, (void)n;
	assert(0);
}

#endif
