/*
 * p2p/legacy: first as a stranger's token, which must not open; then as what a holder of the group key seals:
 * it opens as key and entry, or is refused, and what opens is sealed again to the same.
 */
/* max_len: 65536 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "crypto/fernet.h"
#include "p2p/legacy.h"

#define NOW 1795353600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t group[WIRE_GROUP_KEY_LEN] = { 7 };

static void seal_again(const struct legacy_message *m)
{
	struct legacy_message back;
	struct err err;
	struct buf b;

	err_init(&err);
	buf_init(&b, LEGACY_MAX);
	if (legacy_seal(group, m->key, m->entry, NOW, &b, &err) != 0)
		abort();
	if (legacy_open(&back, group, buf_span(&b), NOW, &err) != 0)
		abort();
	assert(span_same(back.key, m->key) && span_same(back.entry, m->entry));
	legacy_free(&back);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t iv[FERNET_IV_LEN];
	struct legacy_message m;
	struct fernet f;
	struct err err;
	struct buf b;

	err_init(&err);
	assert(legacy_is_token(data, size) != 1 || legacy_is_plain(data, size) == 0);
	assert(legacy_open(&m, group, span_make(data, size), NOW, &err) == ERR_DENIED);
	legacy_free(&m);
	fernet_init(&f, group);
	buf_init(&b, LEGACY_MAX);
	assert(fernet_seal(&f, iv, NOW, span_make(data, size), &b) == 0);
	if (legacy_open(&m, group, buf_span(&b), NOW, &err) == 0)
		seal_again(&m);
	legacy_free(&m);
	buf_free(&b);
	return 0;
}
