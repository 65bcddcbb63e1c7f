/*
 * codeql/gitpack: the first byte chooses the format and where the input is cut into an index, or a base, and
 * a pack, or a delta. What is found lies in the input. max_len: 4096
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "codeql/gitpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gitpack_entry e;
	struct buf out;
	uint8_t id[OBJID_MAX] = { 0 };
	uint64_t at = 12;

	if (size == 0)
		return 0;
	enum objid_format f = data[0] & 1 ? OBJID_SHA256 : OBJID_SHA1;
	size_t cut = 1 + (size - 1) * (data[0] >> 1) / 127;
	struct span first = span_make(data + 1, cut - 1), second = span_make(data + cut, size - cut);

	if (first.n > 1032 + OBJID_MAX)
		memcpy(id, first.p + 1032, OBJID_MAX);
	gitpack_find(first, f, id, &at);
	if (gitpack_entry(second, f, at, &e)) {
		assert(e.data.p >= second.p && e.data.p + e.data.n <= second.p + second.n);
		assert(e.type != GITPACK_NEAR || e.base_at < at);
	}
	buf_init(&out, 65536);
	if (gitpack_delta(first, second, &out))
		assert(buf_len(&out) <= 65536);
	buf_free(&out);
	return 0;
}
