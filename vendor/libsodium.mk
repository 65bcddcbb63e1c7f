# Of the library only the arithmetic of Curve25519 in Edwards form; signing and
# verifying with it, on BearSSL's SHA-512, is src/crypto/ed25519.c, which sets
# the same macros.  HAVE_TI_MODE: the compiler has 128-bit integers.
libsodium_SRC   := src/libsodium/crypto_core/ed25519/ref10/ed25519_ref10.c \
	src/libsodium/crypto_verify/sodium/verify.c
libsodium_FLAGS := -Isrc/libsodium/include -Isrc/libsodium/include/sodium \
	-DCONFIGURED=1 -DHAVE_TI_MODE=1 -DNATIVE_LITTLE_ENDIAN=1
