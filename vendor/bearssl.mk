# Every file is compiled; the linker takes the few that are used.
# BR_RDRAND=0: entropy comes from the kernel, not from one CPU instruction.
bearssl_SRC   := src/*.c src/*/*.c
# It reads words at any address, which x86 does at full speed.
bearssl_FLAGS := -Iinc -Isrc -DBR_RDRAND=0 \
	$(if $(findstring -fsanitize,$(CFLAGS)),-fno-sanitize=alignment)
# Where the time goes: -O2 there, for size elsewhere.
bearssl_FAST  := src/hash/sha2% src/hash/ghash_pclmul.c src/symcipher/aes_x86ni% \
	src/symcipher/chacha20% src/symcipher/poly1305% src/int/i31% src/ec/ec_c25519% src/ec/ec_p256%
