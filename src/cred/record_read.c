#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "cred/record.h"

#define TIME_MAX INT64_C(9000000000)	/* s: the year 2255 */

/* ---- scalars ---- */

/* `raw` is of a text that jscan_next went through. */
static bool take_str(struct recordset *s, struct span raw, struct span *out)
{
	struct buf b;
	bool ok;

	if (raw.n >= 2 && raw.p[0] == '"' && span_chr(raw, '\\') < 0) {
		*out = recordset_keep(s, span_sub(raw, 1, raw.n - 2));
		return out->p != NULL;
	}
	buf_init(&b, raw.n + 8);
	ok = jscan_unescape(raw, &b) == 0 && !b.failed;
	if (ok)
		*out = recordset_keep(s, buf_span(&b));
	buf_free(&b);
	return ok && out->p != NULL;
}

static bool take_str_or_null(struct recordset *s, struct span raw, struct span *out)
{
	*out = span_make(NULL, 0);
	return span_eq(raw, "null") || take_str(s, raw, out);
}

/* Up to six decimals, as we write it. A double is exact to the microsecond until 2041 alone. */
static bool take_decimal(struct span raw, int64_t *us)
{
	bool minus = raw.n > 0 && raw.p[0] == '-';
	struct span whole, part = span_sub(raw, minus, raw.n);
	uint64_t s, f = 0;

	if (!span_cut(&part, '.', &whole) || whole.n > 10 || !span_u64(whole, TIME_MAX - 1, &s) ||
	    part.n > 6 || (part.n > 0 && !span_u64(part, 999999, &f)))
		return false;
	for (size_t i = part.n; i < 6; i++)
		f *= 10;
	*us = (int64_t)(s * 1000000 + f);
	if (minus)
		*us = -*us;
	return true;
}

/* Seconds as any JSON number: Python writes the shortest that reads back the same. */
static bool take_time(struct span raw, int64_t *us)
{
	char text[40];
	double s;

	if (take_decimal(raw, us))
		return true;
	if (!span_copy(text, sizeof(text), raw) || raw.n == 0 ||
	    (raw.p[0] != '-' && (raw.p[0] < '0' || raw.p[0] > '9')))
		return false;
	s = strtod(text, NULL);
	if (!(s > -(double)TIME_MAX && s < (double)TIME_MAX))
		return false;
	*us = (int64_t)(s * 1e6 + (s < 0 ? -0.5 : 0.5));
	return true;
}

/* ---- members ---- */

enum {
	NAME, VALUE, SCOPE, FILTER, CREATED, EXPIRES, ACCESSED, COUNT, METADATA,
	GHOARD,					/* in METADATA */
	V, GEN, MAC, FIX, PREV,			/* in GHOARD */
	PREV_VALUE, PREV_CREATED, PREV_UNTIL, PREV_MAC,
	MEMBERS
};

static const char *const names[MEMBERS] = { "name", "encrypted_value", "scope", "scope_filter", "created_at",
	"expires_at", "last_accessed", "access_count", "metadata", "ghoard", "v", "gen", "mac", "fix", "prev",
	"value", "created_at", "until", "mac" };

/* [from, end) of a level's names; `into` is the one that has the next level. */
static const struct level {
	unsigned from, end, into;
} levels[] = { { NAME, GHOARD, METADATA }, { GHOARD, V, GHOARD }, { V, PREV_VALUE, PREV },
	{ PREV_VALUE, MEMBERS, MEMBERS } };

struct parts {
	struct span m[MEMBERS];			/* raw; p == NULL: not there. The first of a name counts. */
	bool unknown, twice;			/* of the record's own */
};

static unsigned find_name(const struct level *l, struct span key)
{
	unsigned i = l->from;

	while (i < l->end && !jscan_str_eq(key, names[i]))
		i++;
	return i;
}

/* The member whose key has just come. 0, -1; 1: it is the object of the next level, and open. */
static int take_member(struct jscan_walk *w, const struct level *l, struct parts *p)
{
	unsigned i = find_name(l, jscan_token(w));
	bool known = i < l->end, first = known && p->m[i].p == NULL;
	enum jscan_event ev;
	struct span value;

	if (l == levels) {
		p->unknown = p->unknown || !known;
		p->twice = p->twice || (known && !first);
	}
	if (jscan_step(w, &ev) <= 0)
		return -1;
	if (first && i == l->into && ev == JSCAN_OBJECT) {
		p->m[i] = jscan_token(w);
		return 1;
	}
	if (jscan_rest(w, ev, &value) < 0)
		return -1;
	if (first)
		p->m[i] = value;
	return 0;
}

/* All of a record whose brace has just come, and of what is in it, in one pass. 0, -1. */
static int take_parts(struct jscan_walk *w, struct parts *p)
{
	const struct level *l = levels;
	enum jscan_event ev;
	int r;

	memset(p, 0, sizeof(*p));
	for (;;) {
		if (jscan_step(w, &ev) <= 0)
			return -1;
		if (ev == JSCAN_KEY) {
			r = take_member(w, l, p);
			if (r < 0)
				return -1;
			l += r;
		} else if (l == levels) {
			return 0;
		} else {
			l--;
			p->m[l->into].n = (size_t)(w->text.p + w->s.end - p->m[l->into].p);
		}
	}
}

/* ---- records ---- */

/* The reference aborts its whole load at a key it does not know: neither do we take such a record. */
static const char *check_parts(const struct parts *p)
{
	if (p->unknown)
		return "it has a key that is not one of the nine";
	if (p->twice)
		return "it has a key twice";
	for (unsigned i = 0; i < ACCESSED; i++)
		if (p->m[i].p == NULL)
			return "one of its keys is missing";
	return NULL;
}

static const char *take_members(struct recordset *s, struct record *r, const struct span *m)
{
	struct span text;

	if (!take_str(s, m[NAME], &r->name) || !take_str(s, m[VALUE], &r->value) ||
	    !take_str_or_null(s, m[FILTER], &r->filter))
		return "a string of it is none";
	if (!take_str(s, m[SCOPE], &text) || !scope_parse(text, &r->scope))
		return "its scope is unknown";
	r->expires = RECORD_NEVER;
	if (!take_time(m[CREATED], &r->created) ||
	    (!span_eq(m[EXPIRES], "null") && !take_time(m[EXPIRES], &r->expires)))
		return "a time of it is none";
	r->created_text = recordset_keep(s, m[CREATED]);
	r->expires_text = recordset_keep(s, m[EXPIRES]);
	if (m[ACCESSED].p != NULL)
		r->accessed = recordset_keep(s, m[ACCESSED]);
	if (m[COUNT].p != NULL && !span_u64(m[COUNT], INT64_MAX, &r->count))
		return "its count is no number";
	if (m[METADATA].p != NULL && m[METADATA].p[0] != '{')
		return "its metadata is no object";
	if (m[METADATA].p != NULL)
		r->metadata = recordset_keep(s, m[METADATA]);
	return NULL;
}

static bool take_prev(struct recordset *s, struct record *r, const struct span *m)
{
	for (unsigned i = PREV_VALUE; i < MEMBERS; i++)
		if (m[i].p == NULL)
			return false;
	return take_str(s, m[PREV_VALUE], &r->prev.value) && take_time(m[PREV_CREATED], &r->prev.created) &&
	    take_time(m[PREV_UNTIL], &r->prev.until) && take_str(s, m[PREV_MAC], &r->prev.mac);
}

/* metadata.ghoard: 1 ours, 0 there is none, -1 not as we write it. */
static int take_ours(struct recordset *s, struct record *r, const struct span *m)
{
	if (m[GHOARD].p == NULL)
		return 0;
	for (unsigned i = V; i < PREV; i++)
		if (m[i].p == NULL)
			return -1;
	if (!span_eq(m[V], "1") || !span_u64(m[GEN], INT64_MAX, &r->gen) || !take_str(s, m[MAC], &r->mac) ||
	    !take_str(s, m[FIX], &r->fix))
		return -1;
	return m[PREV].p == NULL || take_prev(s, r, m) ? 1 : -1;
}

/* `p` NULL: it is no object. */
static void take_record(struct recordset *s, struct record *r, struct span raw, const struct parts *p,
    const uint8_t *key)
{
	r->raw = recordset_keep(s, raw);
	r->why = p == NULL ? "it is no object" : check_parts(p);
	if (r->why == NULL)
		r->why = take_members(s, r, p->m);
	r->state = RECORD_BAD;
	if (r->why != NULL) {
		r->name = r->key;
		return;
	}
	switch (take_ours(s, r, p->m)) {
	case 1:
		record_check(r, key);
		return;
	case 0:
		/* the reference looks up by the key and does not compare it with the name */
		r->name = r->key;
		r->state = RECORD_UNBOUND;
		return;
	}
	r->why = "its metadata.ghoard is not as ghoard writes it";
}

/* The member of the store whose key has just come. 0, -1. */
static int read_record(struct recordset *s, struct jscan_walk *w, const uint8_t *key)
{
	struct span name = jscan_token(w), raw;
	struct record *r = recordset_add(s);
	enum jscan_event ev;
	struct parts parts;
	size_t from;

	if (r == NULL || !take_str(s, name, &r->key) || jscan_step(w, &ev) <= 0)
		return -1;
	if (ev != JSCAN_OBJECT) {
		if (jscan_rest(w, ev, &raw) < 0)
			return -1;
		take_record(s, r, raw, NULL, key);
		return 0;
	}
	from = (size_t)w->s.start;
	if (take_parts(w, &parts) < 0)
		return -1;
	take_record(s, r, span_sub(w->text, from, (size_t)w->s.end - from), &parts, key);
	return 0;
}

int recordset_parse(struct recordset *s, struct span text, const uint8_t key[static RECORD_KEY_LEN],
    struct err *err)
{
	struct jscan_walk w;
	enum jscan_event ev;
	int r;

	jscan_walk(&w, text);
	r = jscan_step(&w, &ev);
	if (r > 0 && ev != JSCAN_OBJECT)
		r = -1;
	while (r > 0 && (r = jscan_step(&w, &ev)) > 0 && ev == JSCAN_KEY)
		if (read_record(s, &w, key) < 0)
			r = -1;
	/* behind the brace nothing may follow */
	if (r > 0)
		r = jscan_step(&w, &ev);
	return s->failed ? err_set(err, ERR_INTERNAL, "no memory for the credentials")
	    : r != 0	 ? err_set(err, ERR_DAMAGED, "its text is no JSON object")
			 : 0;
}
