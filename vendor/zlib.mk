# Compression alone, for uploads; nothing here unpacks.  DYNAMIC_CRC_TABLE: the
# tables are made at the first use (40 us) and are not 9 KiB of the program.
zlib_SRC   := adler32.c crc32.c deflate.c trees.c zutil.c
zlib_FLAGS := -I. -DHAVE_HIDDEN -DDYNAMIC_CRC_TABLE -DNO_GZIP_FILES
