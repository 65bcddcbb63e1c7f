#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/safe.h"
#include "base/wipe.h"
#include "cred/rekey.h"
#include "cred/vault.h"

static const enum masterkey_source places[] = { MASTERKEY_RING, MASTERKEY_FILE, MASTERKEY_PASS };

static bool is_there(const struct vault *v, const char *name)
{
	return file_is_there(v->dirfd, name);
}

/* Every value under the new key: the reference seals both layers with the same one. */
static int reseal_one(struct vault *v, struct span *sealed, const uint8_t *old, const uint8_t *fresh,
    struct buf *value, struct err *err)
{
	int rc;

	safe_buf_clear(value);
	memcpy(v->master, old, MASTERKEY_LEN);
	rc = vault_value(v, *sealed, value, err);
	memcpy(v->master, fresh, MASTERKEY_LEN);
	if (rc == 0)
		*sealed = vault_seal(v, buf_span(value), err);
	memcpy(v->master, old, MASTERKEY_LEN);
	safe_buf_clear(value);
	return rc != 0 ? rc : sealed->p == NULL ? ERR_INTERNAL : 0;
}

static int reseal_all(struct vault *v, const uint8_t *old, const uint8_t *fresh, const uint8_t *mac,
    struct err *err)
{
	struct buf value;

	safe_buf(v->p.safe, &value, VAULT_VALUE_MAX + VAULT_SEAL_EXTRA + 8);
	for (size_t i = 0; i < v->set.n; i++) {
		struct record *r = &v->set.list[i];
		int rc = reseal_one(v, &r->value, old, fresh, &value, err);

		if (rc == 0 && r->prev.value.n > 0)
			rc = reseal_one(v, &r->prev.value, old, fresh, &value, err);
		if (rc != 0) {
			err_prefix(err, "credential %.*s", (int)r->name.n, r->name.p);
			return rc;
		}
		record_bind(&v->set, r, v->high + 1, mac);
	}
	v->high++;
	return 0;
}

/* The keyring has one entry a user: a key that other folders may be under must not be lost. */
static int check_ring(const struct vault *v, struct err *err)
{
	if (!keyring_is_here())
		return err_set(err, ERR_UNAVAIL,
		    "there is no keyring here: no session bus, or no /usr/bin/secret-tool");
	/* a mark that is left names the entry of the key in use */
	return is_there(v, ".keyring.next") ||
		masterkey_ring_whose(&v->p.place, v->master) == MASTERKEY_RING_OTHER
	    ? err_set(err, ERR_USAGE,
		  "the keyring's entry was not put there by this store, and others may be under its key; use "
		  "--to file or --to passphrase here")
	    : 0;
}

static int make_key(struct vault *v, enum masterkey_source next, uint8_t *key, struct err *err)
{
	int rc;

	if (next == MASTERKEY_RING_NEXT ||
	    (!is_there(v, ".keyring.next") &&
		masterkey_ring_whose(&v->p.place, v->master) == MASTERKEY_RING_OURS)) {
		rc = masterkey_mark_ring(&v->p.place, v->master, err);
		if (rc != 0)
			return rc;
	}
	if (next == MASTERKEY_PASS_NEXT)
		return masterkey_make_pass(&v->p.place, next, key, err);
	rc = rand_bytes(key, MASTERKEY_LEN, err);
	return rc != 0 ? rc : masterkey_write(&v->p.place, next, key, err);
}

/* The old key's places, but the new one's. The keyring's only if it holds the old key. */
static int drop_old(struct vault *v, enum masterkey_source to, const uint8_t *old, struct err *err)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int rc;

		if (places[i] == to ||
		    (places[i] == MASTERKEY_RING &&
			masterkey_ring_whose(&v->p.place, old) != MASTERKEY_RING_OURS))
			continue;
		rc = masterkey_drop(&v->p.place, places[i], err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int finish(struct vault *v, enum masterkey_source to, const uint8_t *old, struct err *err)
{
	int rc = is_there(v, ".audit_key.next") ? audit_settle(v->dirfd, v->master, err) : 0;

	masterkey_uncache(&v->p.place);
	/* the old ones first: once the new one has its name, nobody comes back for them */
	if (rc == 0)
		rc = drop_old(v, to, old, err);
	if (rc == 0)
		rc = masterkey_settle(&v->p.place, (enum masterkey_source)(to + 1), v->master, err);
	if (rc == 0 && to != MASTERKEY_RING)
		rc = masterkey_drop(&v->p.place, MASTERKEY_RING_NEXT, err);
	v->source = to;
	return rc;
}

int rekey_to(struct vault *v, enum masterkey_source to, struct err *err)
{
	enum masterkey_source next = (enum masterkey_source)(to + 1);
	uint8_t *fresh = safe_take(v->p.safe, MASTERKEY_LEN), *old = safe_take(v->p.safe, MASTERKEY_LEN),
		*mac = safe_take(v->p.safe, RECORD_KEY_LEN);
	int rc = 0;

	if (mac == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a key");
	if (recordset_bad(&v->set) > 0)
		return err_set(err, ERR_DAMAGED,
		    "%zu credentials cannot be read and would be lost; nothing was changed, "
		    "see 'ghoard cred doctor'",
		    recordset_bad(&v->set));
	if (to == MASTERKEY_RING)
		rc = check_ring(v, err);
	memcpy(old, v->master, MASTERKEY_LEN);
	if (rc == 0)
		rc = make_key(v, next, fresh, err);
	if (rc == 0) {
		vault_mac_key(fresh, mac);
		rc = reseal_all(v, old, fresh, mac, err);
	}
	if (rc == 0)
		rc = audit_begin(&v->audit, err);
	if (rc == 0)
		rc = audit_reseal(&v->audit, fresh, err);
	if (rc == 0)
		rc = vault_write(v, fresh, err);
	if (rc == 0) {
		memcpy(v->master, fresh, MASTERKEY_LEN);
		memcpy(v->mac, mac, RECORD_KEY_LEN);
		rc = finish(v, to, old, err);
	}
	wipe(fresh, MASTERKEY_LEN);
	wipe(old, MASTERKEY_LEN);
	wipe(mac, RECORD_KEY_LEN);
	return rc;
}

/* Of one that ended before the store was written: its key opens nothing. */
static int drop_next(struct vault *v, struct err *err)
{
	static const struct {
		enum masterkey_source source;
		const char *file;
	} left[] = { { MASTERKEY_FILE_NEXT, ".master_key.next" },
		{ MASTERKEY_PASS_NEXT, ".passphrase.next" } };
	/* old keys on their way out */
	static const char *const gone[] = { ".master_key.gone", ".passphrase.gone", ".audit_key.next.gone",
		".master_key.next.gone", ".passphrase.next.gone" };
	int rc = masterkey_drop(&v->p.place, MASTERKEY_RING_NEXT, err);

	for (size_t i = 0; rc == 0 && i < sizeof(left) / sizeof(left[0]); i++)
		if (is_there(v, left[i].file))
			rc = masterkey_drop(&v->p.place, left[i].source, err);
	for (size_t i = 0; rc == 0 && i < sizeof(gone) / sizeof(gone[0]); i++)
		if (is_there(v, gone[i]))
			rc = file_remove(v->dirfd, gone[i], false, err);
	if (rc == 0 && is_there(v, ".audit_key.next"))
		rc = audit_settle(v->dirfd, v->master, err);
	return rc;
}

int rekey_settle(struct vault *v, struct err *err)
{
	if (!v->exists || v->damaged)
		return 0;
	if (v->source != MASTERKEY_RING_NEXT && v->source != MASTERKEY_FILE_NEXT &&
	    v->source != MASTERKEY_PASS_NEXT)
		return drop_next(v, err);
	/* The good copy may still be under the key that goes now. */
	if (vault_open_file(v, VAULT_GOOD, v->master, NULL, NULL) != 0) {
		int rc = vault_write(v, NULL, err);

		if (rc != 0)
			return rc;
	}
	return finish(v, (enum masterkey_source)(v->source - 1), NULL, err);
}
