/*
 * codeql/manifest: the input is a list without its checksum, which is added. What is taken is written again
 * byte for byte where it was in its shortest form, and reads as the same list in any case.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "codeql/manifest.h"
#include "crypto/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t digest[SHA256_LEN];
	struct buf in, out;
	struct err e;

	buf_init(&in, BUF_MAX_ANY);
	buf_init(&out, BUF_MAX_ANY);
	err_init(&e);
	hash_sha256(digest, data, size);
	buf_add(&in, data, size);
	buf_add(&in, digest, sizeof(digest));
	struct manifest *m = manifest_read(buf_span(&in), &e);
	assert((m == NULL) == (e.cls != 0));
	if (m) {
		assert(manifest_write(m, &out, NULL) == 0);
		struct manifest *again = manifest_read(buf_span(&out), NULL);
		assert(again && manifest_count(again) == manifest_count(m));
		assert(manifest_diff(m, again, false, NULL, NULL) == 0);
		assert(manifest_since(m, again, NULL, NULL) == 0);
		for (size_t i = 0; i < manifest_count(m); i++) {
			struct manifest_rec a = manifest_at(m, i), b;

			assert(manifest_find(again, a.path, &b) && a.flags == b.flags && a.mode == b.mode);
		}
		manifest_free(again);
	}
	manifest_free(m);
	buf_free(&in);
	buf_free(&out);
	return 0;
}
