#include <string.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/varint.h"
#include "base/wipe.h"
#include "crypto/kdf.h"
#include "p2p/wire.h"

#define AAD_LEN sizeof(WIRE_PROTOCOL)	/* the kind in place of the NUL */

/* ---- sealing ---- */

void wire_keys_init(struct wire_keys *k, const uint8_t group[static WIRE_GROUP_KEY_LEN],
    const struct peerid *dialer, const struct peerid *listener, bool we_dialled)
{
	uint8_t key[AEAD_KEY_LEN], salt[2 * (1 + PEERID_MAX)];
	struct span secret = span_make(group, WIRE_GROUP_KEY_LEN), s;
	size_t n = 0;

	salt[n++] = dialer->n;
	memcpy(salt + n, dialer->bytes, dialer->n);
	n += dialer->n;
	salt[n++] = listener->n;
	memcpy(salt + n, listener->bytes, listener->n);
	n += listener->n;
	s = span_make(salt, n);
	kdf_hkdf(key, sizeof(key), secret, s, we_dialled ? WIRE_PROTOCOL " i" : WIRE_PROTOCOL " r");
	aead_init(&k->send, key);
	kdf_hkdf(key, sizeof(key), secret, s, we_dialled ? WIRE_PROTOCOL " r" : WIRE_PROTOCOL " i");
	aead_init(&k->receive, key);
	wipe(key, sizeof(key));
}

void wire_keys_wipe(struct wire_keys *k)
{
	aead_wipe(&k->send);
	aead_wipe(&k->receive);
}

static struct span aad_of(enum wire_kind kind, uint8_t room[static AAD_LEN])
{
	memcpy(room, WIRE_PROTOCOL, AAD_LEN - 1);
	room[AAD_LEN - 1] = (uint8_t)kind;
	return span_make(room, AAD_LEN);
}

void wire_seal_with(const struct aead *a, const uint8_t nonce[static AEAD_NONCE_LEN], enum wire_kind kind,
    struct span payload, struct buf *out)
{
	uint8_t len[VARINT_MAX_LEN], aad[AAD_LEN];
	uint8_t *p;

	buf_add(out, len, varint_put(len, payload.n + WIRE_OVERHEAD));
	p = buf_reserve(out, payload.n + WIRE_OVERHEAD);
	if (p == NULL)
		return;
	p[0] = WIRE_VERSION;
	memcpy(p + 1, nonce, AEAD_NONCE_LEN);
	p[1 + AEAD_NONCE_LEN] = (uint8_t)kind;
	if (payload.n > 0)
		memcpy(p + 2 + AEAD_NONCE_LEN, payload.p, payload.n);
	aead_seal(a, nonce, aad_of(kind, aad), p + 1 + AEAD_NONCE_LEN, 1 + payload.n,
	    p + 2 + AEAD_NONCE_LEN + payload.n);
	buf_commit(out, payload.n + WIRE_OVERHEAD);
}

int wire_seal(const struct wire_keys *k, enum wire_kind kind, struct span payload, struct buf *out,
    struct err *err)
{
	uint8_t nonce[AEAD_NONCE_LEN];
	size_t most = kind == WIRE_HEADER ? WIRE_HEADER_MAX : WIRE_RECORD_MAX;
	int rc;

	if (payload.n > most)
		return err_set(err, ERR_LIMIT, "a message of %zu bytes is too long for a peer", payload.n);
	rc = rand_bytes(nonce, sizeof(nonce), err);
	if (rc == 0)
		wire_seal_with(&k->send, nonce, kind, payload, out);
	return rc;
}

/* ---- reading ---- */

void wire_reader_init(struct wire_reader *r, const struct wire_keys *k, size_t header_max)
{
	memset(r, 0, sizeof(*r));
	r->keys = k;
	r->max = header_max;
	/* a length, a record, and the copy it is opened in */
	buf_init(&r->in, VARINT_MAX_LEN + 2 * (WIRE_HEADER_MAX + WIRE_OVERHEAD));
}

void wire_reader_free(struct wire_reader *r)
{
	buf_wipe(&r->in);
}

void wire_reader_expect(struct wire_reader *r, uint64_t size)
{
	r->body = true;
	r->left = size;
}

bool wire_reader_idle(const struct wire_reader *r)
{
	return r->why == NULL && !r->body && r->need == 0 && r->nlen == 0;
}

static ssize_t bad(struct wire_reader *r, const char *why)
{
	r->why = why;
	return -1;
}

static bool on_length(struct wire_reader *r, uint8_t byte)
{
	size_t most = (r->body ? WIRE_RECORD_MAX : r->max) + WIRE_OVERHEAD;
	uint64_t v;
	int n;

	r->len[r->nlen++] = byte;
	n = varint_get(r->len, r->nlen, &v);
	if (n == -2)
		return true;
	r->nlen = 0;
	if (n < 0 || v < WIRE_OVERHEAD || v > most)
		return false;
	r->need = (size_t)v;
	return true;
}

/* Behind the sealed record a copy of what it holds is opened, so that another kind can be tried. */
static bool try_kind(struct wire_reader *r, enum wire_kind kind, struct span *payload)
{
	const uint8_t *sealed = buf_data(&r->in);
	size_t n = r->need - 1 - AEAD_NONCE_LEN - AEAD_TAG_LEN;
	uint8_t aad[AAD_LEN], *copy = buf_reserve(&r->in, n);

	if (copy == NULL)
		return false;
	sealed = buf_data(&r->in);
	memcpy(copy, sealed + 1 + AEAD_NONCE_LEN, n);
	if (aead_open(&r->keys->receive, sealed + 1, aad_of(kind, aad), copy, n,
	    sealed + r->need - AEAD_TAG_LEN) != 0)
		return false;
	*payload = span_make(copy + 1, n - 1);
	return copy[0] == kind;
}

static ssize_t on_header(struct wire_reader *r, enum wire_event *ev, struct span *payload)
{
	if (!try_kind(r, WIRE_HEADER, payload)) {
		r->unsealed = true;
		return bad(r, "a message that was not sealed for this connection");
	}
	*ev = WIRE_GOT_HEADER;
	return 0;
}

/* By the size that was promised it is known which record must be the last; a peer may as well send an empty
 * last one. */
static ssize_t on_record(struct wire_reader *r, enum wire_event *ev, struct span *payload)
{
	enum wire_kind likely = r->need - WIRE_OVERHEAD >= r->left ? WIRE_LAST : WIRE_RECORD;
	enum wire_kind kind = likely;

	if (!try_kind(r, kind, payload)) {
		kind = likely == WIRE_LAST ? WIRE_RECORD : WIRE_LAST;
		if (!try_kind(r, kind, payload)) {
			r->unsealed = true;
			return bad(r, "a record that was not sealed for this connection");
		}
	}
	if (payload->n > r->left || (kind == WIRE_LAST && payload->n < r->left))
		return bad(r, "a body of another size than was said");
	if (kind == WIRE_RECORD && payload->n == 0)
		return bad(r, "an empty record within a body");
	r->left -= payload->n;
	r->body = kind != WIRE_LAST;
	*ev = kind == WIRE_LAST ? WIRE_GOT_LAST : WIRE_GOT_BODY;
	return 0;
}

static ssize_t on_whole(struct wire_reader *r, enum wire_event *ev, struct span *payload)
{
	ssize_t rc;

	if (buf_data(&r->in)[0] != WIRE_VERSION)
		return bad(r, "a message of another version");
	rc = r->body ? on_record(r, ev, payload) : on_header(r, ev, payload);
	r->need = 0;
	r->told = true;
	return rc;
}

ssize_t wire_reader_feed(struct wire_reader *r, const void *data, size_t n, enum wire_event *ev,
    struct span *payload)
{
	const uint8_t *p = data;
	size_t used = 0;

	*ev = WIRE_MORE;
	*payload = span_of("");
	if (r->told)
		buf_clear(&r->in);
	r->told = false;
	while (used < n && r->why == NULL) {
		size_t want;

		if (r->need == 0) {
			if (!on_length(r, p[used++]))
				return bad(r, "a message of no allowed length");
			continue;
		}
		want = r->need - buf_len(&r->in);
		if (want > n - used)
			want = n - used;
		buf_add(&r->in, p + used, want);
		used += want;
		if (r->in.failed)
			return bad(r, "a message there is no memory for");
		if (buf_len(&r->in) == r->need)
			return on_whole(r, ev, payload) < 0 ? -1 : (ssize_t)used;
	}
	return r->why != NULL ? -1 : (ssize_t)used;
}
