#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/json.h"
#include "cred/record.h"
#include "crypto/hmac.h"

#define CHUNK ((size_t)64 << 10)

struct record_chunk {
	struct record_chunk *next;
	size_t used, size;
	char text[];
};

void recordset_init(struct recordset *s)
{
	memset(s, 0, sizeof(*s));
}

void recordset_free(struct recordset *s)
{
	while (s->chunks != NULL) {
		struct record_chunk *next = s->chunks->next;

		free(s->chunks);
		s->chunks = next;
	}
	free(s->list);
	recordset_init(s);
}

struct span recordset_keep(struct recordset *s, struct span text)
{
	struct record_chunk *c = s->chunks;
	char *to;

	if (c == NULL || c->size - c->used < text.n + 1) {
		size_t size = text.n + 1 > CHUNK ? text.n + 1 : CHUNK;

		c = malloc(sizeof(*c) + size);
		if (c == NULL) {
			s->failed = true;
			return span_make(NULL, 0);
		}
		*c = (struct record_chunk){ .next = s->chunks, .size = size };
		s->chunks = c;
	}
	to = c->text + c->used;
	if (text.n > 0)
		memcpy(to, text.p, text.n);
	to[text.n] = '\0';
	c->used += text.n + 1;
	return span_make(to, text.n);
}

struct record *recordset_add(struct recordset *s)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct record *list = realloc(s->list, room * sizeof(*list));

		if (list == NULL) {
			s->failed = true;
			return NULL;
		}
		s->list = list;
		s->room = room;
	}
	s->list[s->n] =
	    (struct record){ .accessed = { "null", 4 }, .metadata = { "{}", 2 }, .expires = RECORD_NEVER };
	return &s->list[s->n++];
}

void recordset_remove(struct recordset *s, struct record *r)
{
	size_t at = (size_t)(r - s->list);

	memmove(r, r + 1, (s->n - at - 1) * sizeof(*r));
	s->n--;
}

/* ---- binding ---- */

static void mac_time(struct hmac *h, int64_t us)
{
	char room[STR_I64_LEN];

	hmac_field(h, us != RECORD_NEVER ? span_of_i64(room, us) : span_make(NULL, 0));
}

static void mac_scope(struct hmac *h, const char *kind, const struct record *r, const uint8_t *key)
{
	char gen[STR_I64_LEN];

	hmac_init(h, key, RECORD_KEY_LEN);
	hmac_field(h, span_of(kind));
	hmac_field(h, r->name);
	hmac_field(h, span_of(scope_name(r->scope)));
	hmac_field(h, r->filter);
	mac_time(h, r->expires);
	hmac_field(h, span_of_i64(gen, (int64_t)r->gen));
}

static void mac_end(struct hmac *h, char out[static RECORD_MAC_HEX + 1])
{
	uint8_t mac[HMAC_LEN];

	hmac_out(h, mac);
	hex_encode(out, mac, HMAC_LEN);
}

static void make_mac(const struct record *r, const uint8_t *key, char out[static RECORD_MAC_HEX + 1])
{
	struct hmac h;

	mac_scope(&h, "record", r, key);
	mac_time(&h, r->created);
	hmac_field(&h, r->value);
	mac_end(&h, out);
}

static void make_fix(const struct record *r, const uint8_t *key, char out[static RECORD_MAC_HEX + 1])
{
	struct hmac h;

	mac_scope(&h, "fixed", r, key);
	mac_end(&h, out);
}

static void make_prev(const struct record *r, const uint8_t *key, char out[static RECORD_MAC_HEX + 1])
{
	struct hmac h;

	mac_scope(&h, "previous", r, key);
	mac_time(&h, r->prev.created);
	mac_time(&h, r->prev.until);
	hmac_field(&h, r->prev.value);
	mac_end(&h, out);
}

void record_bind(struct recordset *s, struct record *r, uint64_t gen,
    const uint8_t key[static RECORD_KEY_LEN])
{
	char hex[RECORD_MAC_HEX + 1];

	r->gen = gen;
	make_mac(r, key, hex);
	r->mac = recordset_keep(s, span_of(hex));
	make_fix(r, key, hex);
	r->fix = recordset_keep(s, span_of(hex));
	if (r->prev.value.n > 0) {
		make_prev(r, key, hex);
		r->prev.mac = recordset_keep(s, span_of(hex));
	}
	r->state = RECORD_BOUND;
}

static bool same_mac(struct span given, const char *want)
{
	return given.n == RECORD_MAC_HEX && mem_same_ct(given.p, want, RECORD_MAC_HEX);
}

void record_check(struct record *r, const uint8_t key[static RECORD_KEY_LEN])
{
	char want[RECORD_MAC_HEX + 1];

	make_mac(r, key, want);
	if (same_mac(r->mac, want)) {
		r->state = RECORD_BOUND;
	} else {
		make_fix(r, key, want);
		r->state = same_mac(r->fix, want) ? RECORD_ROTATED : RECORD_BAD;
		r->why = "its binding does not fit: name, scope, filter, times or value were changed";
	}
	if (r->prev.value.n == 0)
		return;
	make_prev(r, key, want);
	if (!same_mac(r->prev.mac, want) && r->state != RECORD_BAD) {
		r->state = RECORD_BAD;
		r->why = "its previous version was changed";
	}
}

/* ---- writing ---- */

static void put_time(struct buf *b, int64_t us)
{
	if (us == RECORD_NEVER)
		buf_adds(b, "null");
	else
		buf_addf(b, "%s%" PRId64 ".%06" PRId64, us < 0 ? "-" : "",
		    us < 0 ? -us / 1000000 : us / 1000000, us < 0 ? -us % 1000000 : us % 1000000);
}

static void put_time_as(struct buf *b, int64_t us, struct span text)
{
	if (text.n > 0)
		buf_addspan(b, text);
	else
		put_time(b, us);
}

static void put_prev(struct buf *b, const struct record *r)
{
	buf_adds(b, ", \"prev\": {\"value\": ");
	json_quote(b, r->prev.value, true);
	buf_adds(b, ", \"created_at\": ");
	put_time(b, r->prev.created);
	buf_adds(b, ", \"until\": ");
	put_time(b, r->prev.until);
	buf_addf(b, ", \"mac\": \"%.*s\"}", (int)r->prev.mac.n, r->prev.mac.p);
}

/* What others keep there stays. */
static void put_metadata(struct buf *b, const struct record *r)
{
	struct span key, value;
	size_t at = 0;

	buf_addc(b, '{');
	while (jscan_next(r->metadata, &at, &key, &value) == 1) {
		if (jscan_str_eq(key, "ghoard"))
			continue;
		buf_addspan(b, key);
		buf_adds(b, ": ");
		buf_addspan(b, value);
		buf_adds(b, ", ");
	}
	buf_addf(b, "\"ghoard\": {\"v\": 1, \"gen\": %" PRIu64 ", \"mac\": \"%.*s\", \"fix\": \"%.*s\"",
	    r->gen, (int)r->mac.n, r->mac.p, (int)r->fix.n, r->fix.p);
	if (r->prev.value.n > 0)
		put_prev(b, r);
	buf_adds(b, "}}");
}

static void put_member(struct buf *b, const char *name, struct span text)
{
	buf_addf(b, "    \"%s\": ", name);
	if (text.p == NULL)
		buf_adds(b, "null");
	else
		json_quote(b, text, true);
	buf_adds(b, ",\n");
}

static void put_record(struct buf *b, const struct record *r)
{
	if (r->state != RECORD_BOUND) {
		buf_addspan(b, r->raw);
		return;
	}
	buf_adds(b, "{\n");
	put_member(b, "name", r->name);
	put_member(b, "encrypted_value", r->value);
	put_member(b, "scope", span_of(scope_name(r->scope)));
	put_member(b, "scope_filter", r->filter);
	buf_adds(b, "    \"created_at\": ");
	put_time_as(b, r->created, r->created_text);
	buf_adds(b, ",\n    \"expires_at\": ");
	put_time_as(b, r->expires, r->expires_text);
	buf_addf(b, ",\n    \"last_accessed\": %.*s,\n    \"access_count\": %" PRIu64 ",\n    \"metadata\": ",
	    (int)r->accessed.n, r->accessed.p, r->count);
	put_metadata(b, r);
	buf_adds(b, "\n  }");
}

int recordset_print(const struct recordset *s, struct buf *b, struct err *err)
{
	buf_addc(b, '{');
	for (size_t i = 0; i < s->n; i++) {
		buf_adds(b, i > 0 ? ",\n  " : "\n  ");
		json_quote(b, s->list[i].key, true);
		buf_adds(b, ": ");
		put_record(b, &s->list[i]);
	}
	buf_adds(b, s->n > 0 ? "\n}" : "}");
	if (s->failed)
		return err_set(err, ERR_INTERNAL, "no memory for the credentials");
	return b->failed ? err_set(err, ERR_LIMIT, "the credentials would take more than %zu MiB",
			       RECORD_STORE_MAX >> 20)
			 : 0;
}

/* ---- questions ---- */

void record_which(const struct record *r, struct buf *b)
{
	buf_addf(b, "%.*s --scope %s", (int)r->name.n, r->name.p, scope_name(r->scope));
	if (r->filter.p != NULL) {
		buf_adds(b, " --filter ");
		json_quote(b, r->filter, true);
	}
}

uint64_t recordset_gen(const struct recordset *s)
{
	uint64_t gen = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].state != RECORD_UNBOUND && s->list[i].gen > gen)
			gen = s->list[i].gen;
	return gen;
}

size_t recordset_bad(const struct recordset *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->list[i].state == RECORD_BAD || s->list[i].state == RECORD_ROTATED;
	return n;
}

struct record *recordset_find_key(const struct recordset *s, struct span key)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_same(s->list[i].key, key))
			return &s->list[i];
	return NULL;
}

int recordset_copy(struct recordset *s, struct record *to, const struct record *from)
{
	struct span *const spans[] = { &to->key, &to->name, &to->filter, &to->value, &to->accessed,
		&to->metadata, &to->raw, &to->created_text, &to->expires_text, &to->mac, &to->fix,
		&to->prev.value, &to->prev.mac };

	*to = *from;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (spans[i]->p != NULL)
			*spans[i] = recordset_keep(s, *spans[i]);
	return s->failed ? ERR_INTERNAL : 0;
}

struct record *recordset_exact(const struct recordset *s, struct span name, enum scope scope,
    struct span filter)
{
	for (size_t i = 0; i < s->n; i++) {
		struct record *r = &s->list[i];

		if (span_same(r->name, name) && r->scope == scope &&
		    (scope == SCOPE_GLOBAL || span_same(r->filter, filter)))
			return r;
	}
	return NULL;
}

struct record *recordset_match(const struct recordset *s, struct span name, const struct scope_caller *c,
    bool *others)
{
	struct record *best = NULL;

	*others = false;
	for (size_t i = 0; i < s->n; i++) {
		struct record *r = &s->list[i];

		if (!span_same(r->name, name))
			continue;
		*others = true;
		if (scope_match(r->scope, r->filter, c) && (best == NULL || r->scope > best->scope))
			best = r;
	}
	return best;
}
