#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/rand.h"
#include "base/safe.h"
#include "base/wipe.h"
#include "cred/fold.h"
#include "cred/vault.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

void vault_mac_key(const uint8_t *master, uint8_t *mac)
{
	kdf_hkdf(mac, RECORD_KEY_LEN, span_make(master, MASTERKEY_LEN), span_make("", 0),
	    "ghoard cred mac 1");
}

/* ---- the sealed form: nonce, ciphertext, tag ---- */

/* In place; the text begins behind the nonce. */
int vault_unseal(const uint8_t *key, uint8_t *p, size_t n)
{
	struct aead a;
	int rc;

	if (n < VAULT_SEAL_EXTRA)
		return ERR_DAMAGED;
	aead_init(&a, key);
	rc = aead_open(&a, p, span_make("", 0), p + AEAD_NONCE_LEN, n - VAULT_SEAL_EXTRA,
	    p + n - AEAD_TAG_LEN);
	aead_wipe(&a);
	return rc;
}

static int seal(const uint8_t *key, uint8_t *p, size_t n, struct err *err)
{
	struct aead a;
	int rc = rand_bytes(p, AEAD_NONCE_LEN, err);

	if (rc != 0)
		return rc;
	aead_init(&a, key);
	aead_seal(&a, p, span_make("", 0), p + AEAD_NONCE_LEN, n - VAULT_SEAL_EXTRA, p + n - AEAD_TAG_LEN);
	aead_wipe(&a);
	return 0;
}

/* Decoded and opened where it is wanted, which is memory for secrets. */
int vault_value(const struct vault *v, struct span sealed, struct buf *out, struct err *err)
{
	size_t room = sealed.n / 4 * 3 + 3, kept;
	uint8_t *p = room <= VAULT_VALUE_MAX + VAULT_SEAL_EXTRA + 8 ? buf_reserve(out, room) : NULL;
	ssize_t n;
	int rc;

	if (p == NULL)
		return err_set(err, ERR_LIMIT, "a value is longer than %zu KiB", VAULT_VALUE_MAX >> 10);
	n = b64_decode(p, room, sealed);
	rc = n < 0 ? ERR_DAMAGED : vault_unseal(v->master, p, (size_t)n);
	kept = rc == 0 ? (size_t)n - VAULT_SEAL_EXTRA : 0;
	if (rc == 0)
		memmove(p, p + AEAD_NONCE_LEN, kept);
	else
		err_set(err, rc, "its value does not open under the master key");
	wipe(p + kept, room - kept);
	buf_commit(out, kept);
	return rc;
}

struct span vault_seal(struct vault *v, struct span value, struct err *err)
{
	size_t n = value.n + VAULT_SEAL_EXTRA;
	struct span kept = { NULL, 0 };
	struct buf text;

	if (v->scratch == NULL)
		v->scratch = safe_take(v->p.safe, VAULT_VALUE_MAX + VAULT_SEAL_EXTRA);
	if (v->scratch == NULL || value.n > VAULT_VALUE_MAX) {
		err_set(err, ERR_INTERNAL, "no memory for a value");
		return kept;
	}
	if (value.n > 0)
		memcpy(v->scratch + AEAD_NONCE_LEN, value.p, value.n);
	buf_init(&text, 2 * n + 8);
	if (seal(v->master, v->scratch, n, err) == 0) {
		b64_encode(&text, v->scratch, n);
		kept = recordset_keep(&v->set, buf_span(&text));
		if (kept.p == NULL)
			err_set(err, ERR_INTERNAL, "no memory for a value");
	}
	buf_free(&text);
	wipe(v->scratch, n);
	safe_scrub_stack();
	return kept;
}

int vault_open_file(const struct vault *v, const char *name, const uint8_t *key, struct buf *out,
    struct err *err)
{
	struct stat st;
	struct buf b;
	int rc;

	buf_init(&b, VAULT_FILE_MAX);
	rc = file_read_at(v->dirfd, name, VAULT_FILE_MAX, &b, &st, err);
	if (rc == 0 && vault_unseal(key, buf_data(&b), buf_len(&b)) != 0)
		rc = err_set(err, ERR_DAMAGED, "%s/%s does not open under this key", v->p.dir, name);
	if (rc == 0 && out != NULL)
		buf_add(out, buf_data(&b) + AEAD_NONCE_LEN, buf_len(&b) - VAULT_SEAL_EXTRA);
	buf_wipe(&b);
	return rc;
}

void vault_sha(struct vault *v, struct span image)
{
	uint8_t hash[SHA256_LEN];

	hash_sha256(hash, image.p, image.n);
	hex_encode(v->sha, hash, SHA256_LEN);
}

static int note_all(struct vault *v, const struct audit_event *events, size_t n, struct err *err)
{
	struct audit_event *list = calloc(n, sizeof(*list));
	struct buf details;
	int rc;

	if (list == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the audit log");
	memcpy(list, events, n * sizeof(*list));
	buf_init(&details, AUDIT_LINE_MAX);
	buf_addspan(&details, events[n - 1].details);
	buf_addf(&details, "%s\"gen\": %" PRIu64 ", \"high\": %" PRIu64 ", \"sha256\": \"%s\"",
	    buf_len(&details) > 0 ? ", " : "", recordset_gen(&v->set), v->high, v->sha);
	list[n - 1].details = buf_span(&details);
	list[n - 1].tells_store = true;
	rc = audit_append(&v->audit, list, n, err);
	buf_free(&details);
	free(list);
	return rc;
}

int vault_note(struct vault *v, const struct audit_event *event, struct err *err)
{
	return note_all(v, event, 1, err);
}

void vault_free(struct vault *v)
{
	if (v == NULL)
		return;
	if (v->master != NULL)
		wipe(v->master, MASTERKEY_LEN);
	if (v->mac != NULL)
		wipe(v->mac, RECORD_KEY_LEN);
	audit_wipe(&v->audit);
	recordset_free(&v->set);
	if (v->lockfd >= 0)
		close(v->lockfd);
	if (v->dirfd >= 0)
		close(v->dirfd);
	free(v);
}

/* ---- changing ---- */

/* NAME, or NAME@scope:filter where that is taken: the reference has one place a name. */
static struct span key_for(struct vault *v, const struct vault_entry *e)
{
	struct span kept;
	struct buf b;
	bool taken = false;

	for (size_t i = 0; i < v->set.n; i++)
		taken = taken || span_same(v->set.list[i].key, e->name);
	if (!taken)
		return recordset_keep(&v->set, e->name);
	buf_init(&b, SCOPE_NAME_MAX + SCOPE_FILTER_MAX + 64);
	buf_addf(&b, "%.*s@%s:%.*s", (int)e->name.n, e->name.p, scope_name(e->scope), (int)e->filter.n,
	    e->filter.n > 0 ? e->filter.p : "");
	kept = recordset_keep(&v->set, buf_span(&b));
	buf_free(&b);
	return kept;
}

int vault_put(struct vault *v, const struct vault_entry *e, struct err *err)
{
	struct record *r = recordset_exact(&v->set, e->name, e->scope, e->filter);
	struct span sealed = vault_seal(v, e->value, err), key, metadata;
	struct buf b;

	if (sealed.p == NULL)
		return err->cls;
	if (r != NULL && (r->state == RECORD_BAD || r->state == RECORD_ROTATED))
		return err_set(err, ERR_DAMAGED,
		    "credential %.*s cannot be read and is not overwritten; see 'ghoard cred "
		    "doctor'",
		    (int)e->name.n, e->name.p);
	key = r != NULL ? r->key : key_for(v, e);
	if (r == NULL)
		r = recordset_add(&v->set);
	buf_init(&b, 65536);
	buf_addf(&b, "{%.*s}", (int)e->metadata.n, e->metadata.n > 0 ? e->metadata.p : "");
	metadata = recordset_keep(&v->set, buf_span(&b));
	buf_free(&b);
	if (r == NULL || v->set.failed)
		return err_set(err, ERR_INTERNAL, "no memory for the credentials");
	*r = (struct record){ .key = key,
		.name = recordset_keep(&v->set, e->name),
		.scope = e->scope,
		.filter = e->filter.p != NULL ? recordset_keep(&v->set, e->filter) : e->filter,
		.value = sealed,
		.created = clock_wall(),
		.expires = e->expires,
		.accessed = { "null", 4 },
		.metadata = metadata,
		.state = RECORD_UNBOUND };
	return 0;
}

int vault_rotate(struct vault *v, struct record *r, struct span value, int64_t grace_until, struct err *err)
{
	struct span sealed = vault_seal(v, value, err);

	if (sealed.p == NULL)
		return err->cls;
	r->prev.value = grace_until > 0 ? r->value : span_make(NULL, 0);
	r->prev.created = r->created;
	r->prev.until = grace_until;
	r->value = sealed;
	r->created = clock_wall();
	r->created_text = span_make(NULL, 0);
	r->state = RECORD_UNBOUND;
	return 0;
}

void vault_remove(struct vault *v, struct record *r)
{
	recordset_remove(&v->set, r);
	for (size_t i = 0; i < v->set.n; i++)
		if (v->set.list[i].state == RECORD_BOUND) {
			v->set.list[i].state = RECORD_UNBOUND;
			return;
		}
}

void vault_cleanup(struct vault *v, int64_t now,
    void (*gone)(void *arg, const struct record *, bool previous), void *arg, size_t *expired,
    size_t *previous)
{
	*expired = *previous = 0;
	for (size_t i = 0; i < v->set.n;) {
		struct record *r = &v->set.list[i];

		if (r->state != RECORD_BAD && r->state != RECORD_ROTATED && r->expires < now) {
			if (gone != NULL)
				gone(arg, r, false);
			vault_remove(v, r);
			++*expired;
			continue;
		}
		if (r->prev.value.n > 0 && r->prev.until < now && r->state != RECORD_BAD) {
			if (gone != NULL)
				gone(arg, r, true);
			r->prev.value = span_make(NULL, 0);
			r->state = r->state == RECORD_BOUND ? RECORD_UNBOUND : r->state;
			++*previous;
		}
		i++;
	}
}

/* ---- writing ---- */

/* What was written opens, and says what it should. */
static int read_back(struct vault *v, const uint8_t *key, struct span text, struct err *err)
{
	struct buf back;
	int rc;

	buf_init(&back, RECORD_STORE_MAX);
	rc = vault_open_file(v, VAULT_STORE, key, &back, err);
	if (rc == 0 && !span_same(buf_span(&back), text))
		rc = err_set(err, ERR_IO,
		    "%s/%s does not read back as it was written; the disk is not to be trusted", v->p.dir,
		    VAULT_STORE);
	buf_wipe(&back);
	return rc;
}

int vault_write(struct vault *v, const uint8_t *key, struct err *err)
{
	const uint8_t *under = key != NULL ? key : v->master;
	struct buf text, image;
	int rc;

	buf_init(&text, RECORD_STORE_MAX);
	buf_init(&image, VAULT_FILE_MAX);
	rc = recordset_print(&v->set, &text, err);
	if (rc == 0 && buf_reserve(&image, buf_len(&text) + VAULT_SEAL_EXTRA) == NULL)
		rc = err_set(err, ERR_INTERNAL, "no memory for the credentials");
	if (rc == 0) {
		buf_commit(&image, AEAD_NONCE_LEN);
		buf_addspan(&image, buf_span(&text));
		buf_commit(&image, AEAD_TAG_LEN);
		rc = seal(under, buf_data(&image), buf_len(&image), err);
	}
	if (rc == 0)
		rc = file_write(v->dirfd, VAULT_STORE, 0600, true, buf_data(&image), buf_len(&image), err);
	if (rc == 0)
		rc = read_back(v, under, buf_span(&text), err);
	if (rc == 0) {
		vault_sha(v, buf_span(&image));
		v->exists = true;
		rc = file_write(v->dirfd, VAULT_GOOD, 0600, true, buf_data(&image), buf_len(&image), err);
	}
	buf_wipe(&text);
	buf_wipe(&image);
	safe_scrub_stack();
	return rc;
}

int vault_renew_good(const struct vault *v, struct err *err)
{
	struct buf store, good;
	struct stat st;
	int rc;

	buf_init(&store, VAULT_FILE_MAX);
	buf_init(&good, VAULT_FILE_MAX);
	rc = file_read_at(v->dirfd, VAULT_STORE, VAULT_FILE_MAX, &store, &st, err);
	if (rc == 0 &&
	    (file_read_at(v->dirfd, VAULT_GOOD, VAULT_FILE_MAX, &good, &st, NULL) != 0 ||
		!span_same(buf_span(&store), buf_span(&good))))
		rc = file_write(v->dirfd, VAULT_GOOD, 0600, true, buf_data(&store), buf_len(&store), err);
	buf_free(&store);
	buf_free(&good);
	return rc;
}

static void bind_new(struct vault *v)
{
	uint64_t gen = v->high + 1;

	for (size_t i = 0; i < v->set.n; i++)
		if (v->set.list[i].state == RECORD_UNBOUND)
			record_bind(&v->set, &v->set.list[i], gen, v->mac);
	v->high = gen;
}

int vault_commit(struct vault *v, const struct audit_event *event, struct err *err)
{
	return vault_commit_all(v, event, 1, err);
}

int vault_commit_all(struct vault *v, const struct audit_event *events, size_t n, struct err *err)
{
	size_t bad = recordset_bad(&v->set);
	int rc;

	if (bad > 0 && !v->p.repair)
		return err_set(err, ERR_DAMAGED,
		    "%zu of %zu credentials cannot be read and nothing is written beside them; nothing was "
		    "changed, see "
		    "'ghoard cred doctor'",
		    bad, v->set.n);
	fold_accesses(v);
	bind_new(v);
	rc = audit_begin(&v->audit, err);
	if (rc == 0)
		rc = vault_write(v, NULL, err);
	return rc == 0 ? note_all(v, events, n, err) : rc;
}
