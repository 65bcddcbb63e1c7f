/*
 * What this processor has, as CPUID says it on x86-64 (Intel's Software Developer's Manual, volume 2);
 * nothing of it elsewhere. Each leaf is asked for once in a process: in a virtual machine a CPUID leaves it,
 * for 10 to 70 us.
 */
#ifndef CRYPTO_CPU_H
#define CRYPTO_CPU_H

#include <stdbool.h>

bool cpu_has_aes(void);		/* AES-NI and PCLMULQDQ */
bool cpu_has_sha(void);		/* the SHA extensions, with the SSSE3 and SSE4.1 that go with them */
bool cpu_has_avx2(void);	/* and the system saves its registers */

#endif
