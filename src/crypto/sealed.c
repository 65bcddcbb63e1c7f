#include <string.h>

#include "base/err.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "crypto/kdf.h"
#include "crypto/sealed.h"

#define INFO "ghoard persist 1"
#define OVERHEAD (AEAD_NONCE_LEN + AEAD_TAG_LEN)
#define WHOLE (SEALED_RECORD + OVERHEAD)
#define ID_LEN 16
#define AT_COUNT ID_LEN
#define AT_LAST (ID_LEN + 8)
#define AT_NAME (ID_LEN + 9)

static const uint8_t magic[8] = { 'G', 'H', 'S', 'E', 'A', 'L', 0, 1 };

int sealed_init(struct sealed *s, struct span secret, struct span name, struct err *err)
{
	uint8_t key[AEAD_KEY_LEN];

	memset(s, 0, sizeof(*s));
	buf_init(&s->held, 2 * WHOLE);
	if (secret.n < SEALED_SECRET_MIN || name.n == 0 || name.n > SEALED_NAME_MAX)
		return s->failed = err_set(err, ERR_USAGE,
			   secret.n < SEALED_SECRET_MIN
			       ? "the secret has fewer than 32 characters; 'openssl rand -hex 32' makes a "
				 "good one"
			       : "the name of a sealed archive has 1 to 512 characters");
	kdf_hkdf(key, sizeof(key), secret, span_of(""), INFO);
	aead_init(&s->aead, key);
	wipe(key, sizeof(key));
	memcpy(s->aad + AT_NAME, name.p, name.n);
	s->naad = AT_NAME + name.n;
	return 0;
}

void sealed_wipe(struct sealed *s)
{
	aead_wipe(&s->aead);
	buf_wipe(&s->held);
	wipe(s->aad, sizeof(s->aad));
}

static struct span next_aad(struct sealed *s, bool last)
{
	for (unsigned i = 0; i < 8; i++)
		s->aad[AT_COUNT + i] = (uint8_t)(s->count >> (56 - 8 * i));
	s->aad[AT_LAST] = last;
	s->count++;
	return span_make(s->aad, s->naad);
}

/* ---- sealing ---- */

int sealed_begin(struct sealed *s, struct buf *out, struct err *err)
{
	if (s->failed == 0)
		s->failed = rand_bytes(s->aad, ID_LEN, err);
	buf_add(out, magic, sizeof(magic));
	buf_add(out, s->aad, ID_LEN);
	return s->failed;
}

static int seal_record(struct sealed *s, size_t n, bool last, struct buf *out, struct err *err)
{
	uint8_t *to = buf_reserve(out, n + OVERHEAD);

	if (to == NULL)
		return s->failed = err_set(err, ERR_INTERNAL, "no memory to seal the archive");
	if (rand_bytes(to, AEAD_NONCE_LEN, err) != 0)
		return s->failed = ERR_IO;
	if (n > 0)
		memcpy(to + AEAD_NONCE_LEN, buf_data(&s->held), n);
	aead_seal(&s->aead, to, next_aad(s, last), to + AEAD_NONCE_LEN, n, to + AEAD_NONCE_LEN + n);
	buf_commit(out, n + OVERHEAD);
	buf_consume(&s->held, n);
	return 0;
}

/* Take at most `room` bytes into what is held. */
static int hold(struct sealed *s, const uint8_t **p, size_t *n, size_t room, struct err *err)
{
	size_t take = room - buf_len(&s->held) < *n ? room - buf_len(&s->held) : *n;

	buf_add(&s->held, *p, take);
	*p += take;
	*n -= take;
	return s->held.failed ? (s->failed = err_set(err, ERR_INTERNAL, "no memory for a sealed archive"))
			      : 0;
}

int sealed_add(struct sealed *s, const void *data, size_t n, struct buf *out, struct err *err)
{
	const uint8_t *p = data;

	while (s->failed == 0 && n > 0) {
		/* more is to come, so this one is not the last */
		if (buf_len(&s->held) == SEALED_RECORD)
			seal_record(s, SEALED_RECORD, false, out, err);
		else
			hold(s, &p, &n, SEALED_RECORD, err);
	}
	return s->failed;
}

int sealed_end(struct sealed *s, struct buf *out, struct err *err)
{
	if (s->failed == 0)
		seal_record(s, buf_len(&s->held), true, out, err);
	return s->failed;
}

/* ---- opening ---- */

static int bad(struct sealed *s, struct err *err)
{
	return s->failed = err_set(err, ERR_DAMAGED,
		   "the sealed archive is damaged, or was sealed under another secret or name");
}

static int open_record(struct sealed *s, size_t n, bool last, struct buf *out, struct err *err)
{
	uint8_t *p = buf_data(&s->held), *body = p + AEAD_NONCE_LEN;
	size_t len = n - OVERHEAD;

	if (aead_open(&s->aead, p, next_aad(s, last), body, len, body + len) != 0)
		return bad(s, err);
	buf_add(out, body, len);
	buf_consume(&s->held, n);
	return out->failed ? (s->failed = err_set(err, ERR_LIMIT, "no room for the opened archive")) : 0;
}

/* The first 24 bytes, which stand alone in what is held. */
static int open_head(struct sealed *s, struct err *err)
{
	if (memcmp(buf_data(&s->held), magic, sizeof(magic)) != 0)
		return bad(s, err);
	memcpy(s->aad, buf_data(&s->held) + sizeof(magic), ID_LEN);
	buf_consume(&s->held, SEALED_HEAD);
	s->aad[AT_LAST] = 2;		/* from now on records */
	return 0;
}

static bool has_head(const struct sealed *s)
{
	return s->count > 0 || s->aad[AT_LAST] == 2;
}

int sealed_open(struct sealed *s, const void *data, size_t n, struct buf *out, struct err *err)
{
	const uint8_t *p = data;

	while (s->failed == 0 && n > 0) {
		if (has_head(s) && buf_len(&s->held) == WHOLE)
			open_record(s, WHOLE, false, out, err);
		else if (hold(s, &p, &n, has_head(s) ? WHOLE : SEALED_HEAD, err) == 0 && !has_head(s) &&
		    buf_len(&s->held) == SEALED_HEAD)
			open_head(s, err);
	}
	return s->failed;
}

int sealed_open_end(struct sealed *s, struct buf *out, struct err *err)
{
	if (s->failed == 0 && (!has_head(s) || buf_len(&s->held) < OVERHEAD))
		bad(s, err);
	else if (s->failed == 0)
		open_record(s, buf_len(&s->held), true, out, err);
	return s->failed;
}
