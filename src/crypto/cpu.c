#include "crypto/cpu.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <stdint.h>

#define XCR0_SSE_AVX 6u

/* ECX of leaf 1. */
static unsigned basic(void)
{
	static unsigned ecx;
	static bool asked;
	unsigned a, b, d;

	if (!asked)
		__cpuid(1, a, b, ecx, d);
	asked = true;
	return ecx;
}

/* EBX of leaf 7; a processor that has no such leaf would answer with another's. */
static unsigned extended(void)
{
	static unsigned ebx;
	static bool asked;
	unsigned a, c, d;

	if (!asked && !__get_cpuid_count(7, 0, &a, &ebx, &c, &d))
		ebx = 0;
	asked = true;
	return ebx;
}

static bool system_saves_avx(void)
{
	uint32_t low, high;

	if ((basic() & bit_OSXSAVE) == 0)
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & XCR0_SSE_AVX) == XCR0_SSE_AVX;
}

bool cpu_has_aes(void)
{
	return (basic() & bit_AES) != 0 && (basic() & bit_PCLMUL) != 0;
}

bool cpu_has_sha(void)
{
	return (basic() & bit_SSSE3) != 0 && (basic() & bit_SSE4_1) != 0 && (extended() & bit_SHA) != 0;
}

bool cpu_has_avx2(void)
{
	return (extended() & bit_AVX2) != 0 && system_saves_avx();
}

#else

bool cpu_has_aes(void)
{
	return false;
}

bool cpu_has_sha(void)
{
	return false;
}

bool cpu_has_avx2(void)
{
	return false;
}

#endif
