#include "base/buf.h"
#include "cred/audit_check.h"
#include "cred/foreign.h"
#include "cred/vault.h"

#define LOG_MAX ((size_t)64 << 20)

bool foreign_is_known(const struct vault *v)
{
	char name[AUDIT_NAME_LEN];
	bool known = false;
	struct buf text;

	buf_init(&text, LOG_MAX);
	for (size_t i = 0; !known && audit_read_file(v->dirfd, i, name, &text, NULL) == 0; i++) {
		known = span_find(buf_span(&text), v->sha) >= 0;
		buf_clear(&text);
	}
	buf_free(&text);
	return known;
}

/* Unchanged since the good copy, or stored or rotated by the reference behind it. */
static bool is_of(const struct recordset *good, const struct record *r, int64_t newest)
{
	const struct record *from = recordset_find_key(good, r->key);

	return r->state == RECORD_BAD || (r->state != RECORD_BOUND && r->created > newest) ||
	    (from != NULL && from->created == r->created && span_same(from->mac, r->mac));
}

static bool is_made_of(const struct recordset *set, const struct recordset *good)
{
	int64_t newest = INT64_MIN;
	size_t n = 0;

	for (size_t i = 0; i < good->n; i++)
		if (good->list[i].created > newest)
			newest = good->list[i].created;
	while (n < set->n && is_of(good, &set->list[n], newest))
		n++;
	return n == set->n;
}

bool foreign_follows(const struct vault *v)
{
	struct recordset good;
	struct audit_check k;
	struct buf text;
	bool ok;

	recordset_init(&good);
	buf_init(&text, RECORD_STORE_MAX);
	/* the good copy may be put back as well: it must be the log's newest */
	ok = audit_check_all(&v->audit, NULL, &k, NULL) == 0 &&
	    vault_open_file(v, VAULT_GOOD, v->master, &text, NULL) == 0 &&
	    recordset_parse(&good, buf_span(&text), v->mac, NULL) == 0 &&
	    recordset_gen(&good) >= v->audit.gen && is_made_of(&v->set, &good);
	buf_wipe(&text);
	recordset_free(&good);
	return ok;
}
