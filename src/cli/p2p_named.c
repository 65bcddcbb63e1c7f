#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/p2p_named.h"
#include "config/layers.h"
#include "github/route.h"
#include "p2p/legacy.h"
#include "p2p/multiaddr.h"
#include "store/entry.h"
#include "store/store.h"

/* ---- who, and which ---- */

bool p2p_named_is_listed(const struct app *a, struct span op)
{
	const char *const *items;
	size_t n = settings_list(a->settings, "p2p.share_operations", &items);

	for (size_t i = 0; i < n; i++)
		if (span_eq(op, items[i]))
			return true;
	return false;
}

static bool is_on(const struct app *a, const char *which)
{
	char key[64];

	snprintf(key, sizeof(key), "ipfs_accelerate_integration.%s", which);
	return settings_bool(a->settings, "ipfs_accelerate_integration.enabled") &&
	    settings_bool(a->settings, key);
}

static size_t add_ids(const struct app *a, const char *key, struct peerid *out, size_t n)
{
	const char *const *items;
	size_t count = settings_list(a->settings, key, &items);
	struct multiaddr m;

	if (settings_from_checkout(a->settings, key))
		return n;
	for (size_t i = 0; i < count && n < P2P_NAMED_PEERS_MAX; i++) {
		if (peerid_parse(&out[n], span_of(items[i])))
			n++;
		else if (multiaddr_parse(&m, span_of(items[i])) == 1 && m.peer.n > 0)
			out[n++] = m.peer;
	}
	return n;
}

size_t p2p_named_peers(const struct app *a, struct peerid out[static P2P_NAMED_PEERS_MAX])
{
	size_t n = 0;

	if (settings_bool(a->settings, "security.access_control.trust_bootstrap")) {
		n = add_ids(a, "p2p.bootstrap_peers", out, n);
		n = add_ids(a, "discovery.bootstrap_peers", out, n);
	}
	return add_ids(a, "security.access_control.peer_allowlist", out, n);
}

/* ---- sent ---- */

static void put_member(struct buf *b, const struct entry *e, const char *name)
{
	struct span v = span_of("null");

	jscan_member(buf_span(&e->image), name, &v);
	buf_addf(b, ", \"%s\": ", name);
	buf_addspan(b, v);
}

bool p2p_named_get(void *arg, struct span key, struct buf *json)
{
	static const char *const rest[] = { "timestamp", "ttl", "content_hash", "validation_fields" };
	struct app *a = arg;
	struct entry *e = NULL;
	unsigned corrupt = 0;
	bool ok;

	if (!is_on(a, "share_with_accelerate") || a->store == NULL ||
	    !p2p_named_is_listed(a, span_before(key, ':')) ||
	    store_get_named(a->store, key, &e, &corrupt) != 1)
		return false;
	/* What is no JSON has a form that the reference does not know. */
	ok = e->url.n == 0 && e->body.p == e->data.p && entry_expires(e) > clock_wall() &&
	    e->data.n < LEGACY_MAX;
	if (ok) {
		buf_adds(json, "{\"data\": ");
		buf_addspan(json, e->data);
		for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
			put_member(json, e, rest[i]);
		buf_addc(json, '}');
		ok = !json->failed;
	}
	entry_unref(e);
	return ok;
}

/* ---- kept ---- */

/* As it would stand in a file of the reference's. NULL: it is none. */
static struct entry *read_entry(struct span key, struct span json)
{
	char name[STORE_NAME_MAX + 1];
	struct entry *e = NULL;
	struct buf image;

	buf_init(&image, 2 * LEGACY_MAX);
	buf_adds(&image, "{\"cache_key\":");
	json_quote(&image, key, false);
	buf_addc(&image, ',');
	buf_addspan(&image, span_sub(json, 1, json.n));
	if (image.failed || !store_name(name, key, span_of("")) || entry_parse(&image, &e, NULL) != 0) {
		buf_free(&image);
		return NULL;
	}
	if (!e->ours && span_same(e->key, key) && cache_named_hash_ok(e, name))
		return e;
	entry_unref(e);
	return NULL;
}

/* What was put here stands for as long as it lives, what peers sent until they send something newer. */
static bool may_replace(const struct app *a, const struct entry *e)
{
	struct entry *old = NULL;
	unsigned corrupt = 0;
	bool may = store_get_named(a->store, e->key, &old, &corrupt) != 1 ||
	    (old->timestamp < e->timestamp &&
		(entry_header(old, NAMED_FROM).n > 0 || entry_expires(old) <= clock_wall()));

	entry_unref(old);
	return may;
}

static bool keep(struct app *a, const struct entry *e, int64_t now, int64_t ttl)
{
	struct entry_header from = { span_of(NAMED_FROM), span_of("peer") };
	struct entry_parts p = { .key = e->key,
		.body = e->data,
		.headers = &from,
		.nheaders = 1,
		.timestamp = e->timestamp < now ? e->timestamp : now,
		.ttl = e->ttl < ttl ? e->ttl : ttl };

	return cache_named_keep(a, &p, NULL) == 0;
}

bool p2p_named_put(void *arg, struct span key, struct span json)
{
	struct app *a = arg;
	int64_t now = clock_wall(), ttl;
	struct entry *e;
	const struct route *r;
	bool ok = false;

	if (!is_on(a, "accept_from_accelerate") || a->store == NULL ||
	    !settings_bool(a->settings, "cache.enabled") ||
	    !settings_bool(a->settings, "cache.persistence") || (e = read_entry(key, json)) == NULL)
		return false;
	if (!p2p_named_is_listed(a, e->op)) {		/* no proof is on it: only what the owner named */
		entry_unref(e);
		return false;
	}
	r = route_by_op(e->op);
	ttl = app_ttl(a, r != NULL ? r : route_by_op(span_of("other")));
	if (e->timestamp <= now + LEGACY_SKEW_S * CLOCK_SEC && entry_expires(e) > now && ttl > 0)
		ok = !may_replace(a, e) || keep(a, e, now, ttl);
	if (ok)
		log_debug("a peer sent %.*s", (int)key.n, key.p);
	entry_unref(e);
	return ok;
}
