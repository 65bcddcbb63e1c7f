#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/rand.h"
#include "crypto/fernet.h"
#include "p2p/legacy.h"

int legacy_is_token(const void *p, size_t n)
{
	static const char mark[] = WIRE_FERNET_MARK;
	size_t have = n < sizeof(mark) - 1 ? n : sizeof(mark) - 1;

	if (n > 0 && memcmp(p, mark, have) != 0)
		return 0;
	return have == sizeof(mark) - 1 ? 1 : -2;
}

int legacy_is_plain(const void *p, size_t n)
{
	const uint8_t *b = p;

	if (n > 0 && b[0] != '{')
		return 0;
	/* As a length '{' is 123, behind which a sealed message has its version. */
	return n < 2 ? -2 : b[1] != WIRE_VERSION;
}

/* Key and entry out of the plaintext, which stands at the front of `room`. */
static int take(struct legacy_message *m)
{
	struct span text = buf_span(&m->room), key, entry, data;
	size_t n = text.n, at;

	/* No text grows by taking its escapes away: nothing moves below. */
	if (buf_reserve(&m->room, n) == NULL)
		return -1;
	text = buf_span(&m->room);
	if (!jscan_valid(text) || jscan_member(text, "key", &key) != 1 ||
	    jscan_member(text, "entry", &entry) != 1 || entry.p[0] != '{' ||
	    jscan_member(entry, "data", &data) != 1)
		return -1;
	at = buf_len(&m->room);
	if (jscan_unescape(key, &m->room) != 0 || buf_len(&m->room) == at)
		return -1;
	m->key = span_make(buf_data(&m->room) + at, buf_len(&m->room) - at);
	m->entry = entry;
	return 0;
}

int legacy_open(struct legacy_message *m, const uint8_t group[static WIRE_GROUP_KEY_LEN], struct span token,
    int64_t now_s, struct err *err)
{
	struct fernet f;
	uint64_t time_s = 0;
	int64_t off;
	int rc;

	memset(m, 0, sizeof(*m));
	buf_init(&m->room, 2 * LEGACY_MAX);
	fernet_init(&f, group);
	rc = fernet_open(&f, token, &m->room, &time_s);
	fernet_wipe(&f);
	if (rc != 0)
		return err_set(err, ERR_DENIED, "the token does not verify");
	off = time_s < INT64_MAX / 2 ? (int64_t)time_s - now_s : INT64_MAX / 2;
	if (off > LEGACY_SKEW_S || off < -LEGACY_SKEW_S)
		return err_set(err, ERR_DENIED, "the token's time is more than %d s off", LEGACY_SKEW_S);
	if (take(m) != 0)
		return err_set(err, ERR_PROTO, "the token holds no key and entry");
	return 0;
}

void legacy_free(struct legacy_message *m)
{
	buf_free(&m->room);
}

int legacy_seal(const uint8_t group[static WIRE_GROUP_KEY_LEN], struct span key, struct span entry,
    int64_t now_s, struct buf *out, struct err *err)
{
	uint8_t iv[FERNET_IV_LEN];
	struct fernet f;
	struct buf text;
	int rc = rand_bytes(iv, sizeof(iv), err);

	if (rc != 0)
		return rc;
	buf_init(&text, LEGACY_MAX);
	buf_adds(&text, "{\"key\": ");
	json_quote(&text, key, true);
	buf_adds(&text, ", \"entry\": ");
	buf_addspan(&text, entry);
	buf_addc(&text, '}');
	fernet_init(&f, group);
	if (text.failed || FERNET_LETTERS(buf_len(&text)) > LEGACY_MAX ||
	    fernet_seal(&f, iv, (uint64_t)now_s, buf_span(&text), out) != 0)
		rc = err_set(err, ERR_LIMIT, "the entry is larger than a token may be");
	fernet_wipe(&f);
	buf_free(&text);
	return rc;
}
