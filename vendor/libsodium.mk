# Of the library only the arithmetic of Curve25519; what is done with it stands
# in src/crypto/ed25519.c and x25519.c, behind the same macros (curve25519.h).
# HAVE_TI_MODE: the compiler has 128-bit integers, as for every 64-bit machine.
libsodium_SRC   := src/libsodium/crypto_core/ed25519/ref10/ed25519_ref10.c \
	src/libsodium/crypto_verify/sodium/verify.c
libsodium_FLAGS := -Isrc/libsodium/include -Isrc/libsodium/include/sodium -DCONFIGURED=1 \
	$(if $(shell $(CC) -dM -E - </dev/null | grep INT128),-DHAVE_TI_MODE=1) -DNATIVE_LITTLE_ENDIAN=1
