#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/wipe.h"
#include "cache/cache.h"
#include "cache/layer.h"
#include "cache/mem.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/p2p.h"
#include "cli/p2p_files.h"
#include "cli/p2p_named.h"
#include "cli/p2p_scans.h"
#include "config/layers.h"
#include "github/route.h"
#include "p2p/message.h"
#include "p2p/share.h"
#include "p2p/shelf.h"
#include "store/entry.h"
#include "store/epochs.h"
#include "store/store.h"

#define ALIAS_SIZE 256
#define VARIANT_LEN 16		/* hex characters at a key's end (FORMATS §2) */

/* Of the environment's token: the daemon answers for others, but what it shares is this one's. */
static struct identity own;
static struct shelf *shelf;	/* what peers were told of; NULL: nothing yet */

static void learn_own(void)
{
	const char *token = app_token();
	char text[SECRET_MAX];
	int n = token != NULL ? snprintf(text, sizeof(text), "token %s", token) : 0;

	if (n <= 0 || (size_t)n >= sizeof(text) || !identity_init(&own, span_make(text, (size_t)n)))
		identity_init(&own, span_make(NULL, 0));
	wipe(text, sizeof(text));
}

/* ---- what peers may have ---- */

static bool shares_all(const struct app *a)
{
	const char *share = settings_str(a->settings, "p2p.share");

	return share != NULL && strcmp(share, "all") == 0;
}

/* Its answers belong to the body of a POST. */
static bool is_by_body(struct span op)
{
	return span_eq(op, "copilot_completion") || span_eq(op, "graphql_query");
}

static bool is_shared_operation(void *a, struct span op)
{
	return !is_by_body(op) || p2p_named_is_listed(a, op);
}

static bool may_share(void *arg, const struct entry *e)
{
	struct app *a = arg;

	return e->ours && e->url.n > 0 && e->ttl > 0 && is_shared_operation(a, e->op) &&
	    (shares_all(a) || (!own.is_public && span_eq(e->auth, own.tag)));
}

static bool is_alive(const struct app *a, const struct entry *e)
{
	struct span target;

	return entry_expires(e) > clock_wall() && upstream_target(&a->upstream, e->url, &target) &&
	    epochs_latest(a->epochs, e->auth, target) < e->timestamp;
}

/* On disk, of that tag, or with none the newest of anybody; a large one's head, with its file in *held. */
static struct entry *find_stored(struct app *a, struct span key, struct span tag, struct swarm_held *held)
{
	struct entry *e = NULL;
	unsigned corrupt = 0;
	uint64_t n = 0;
	int rc = store_get_head(a->store, key, tag, identity_key(&own), &e, &held->fd, &held->at, &n);

	if (rc == 1)
		held->body = span_make(NULL, n);
	else
		held->fd = -1;
	if (rc != 0) {
		held->read += ENTRY_HEAD_MAX;
		return e;
	}
	if ((tag.n > 0 ? store_get(a->store, key, tag, identity_key(&own), &e, &corrupt)
		       : store_get_last(a->store, key, &e, &corrupt)) == 1)
		held->read += buf_len(&e->image);
	return e;
}

/* The own token's in memory, else on disk; with `all` the newest of anybody. A reference. */
static struct entry *find_entry(struct app *a, struct span key, struct swarm_held *held)
{
	struct span tag = span_of(own.tag);
	struct entry *e = mem_get(a->mem, key, tag);

	if (e != NULL)
		return entry_ref(e);
	if (a->store != NULL)
		e = find_stored(a, key, tag, held);
	if (e == NULL && a->store != NULL && shares_all(a))
		e = find_stored(a, key, span_of(""), held);
	return e;
}

static void note_shared(const struct entry *e)
{
	if (shelf == NULL)
		shelf = shelf_new();
	if (shelf != NULL)
		shelf_put(shelf, e->cid, e->key);
}

static bool may_announce(void *arg, const struct entry *e)
{
	bool may = may_share(arg, e);

	if (may)
		note_shared(e);
	return may;
}

static bool find(void *arg, struct span key, struct span cid, struct swarm_held *held)
{
	struct app *a = arg;
	struct entry *e;
	const char *front;
	struct span image;
	bool found = true;

	if (p2p_scans_find(a, key, cid, held))
		return true;
	if (key.n == 0 && shelf != NULL)
		key = shelf_find(shelf, cid);
	e = key.n > 0 ? find_entry(a, key, held) : NULL;
	if (e == NULL)
		return false;
	if (!may_share(a, e) || !is_alive(a, e) || (cid.n > 0 && !span_same(e->cid, cid))) {
		if (held->fd >= 0)
			close(held->fd);
		entry_unref(e);
		return false;
	}
	if (cid.n == 0)
		note_shared(e);
	front = (const char *)buf_data(&e->image);
	image = span_make(front, (size_t)(e->data.p - front));
	if (held->fd >= 0) {
		found = p2p_files_hold(held->fd, image, held->at, held->body.n, held);
		entry_unref(e);
	} else {
		held->image = image;
		held->body = e->body;
		held->entry = e;
	}
	return found;
}

static void release(void *arg, struct swarm_held *held)
{
	(void)arg;
	if (held->fd >= 0)
		p2p_files_release(held);
	else
		entry_unref(held->entry);
}

/* ---- what is believed ---- */

/* op ‖ ":" ‖ POST or nothing ‖ target ‖ ":" ‖ variant, as request.c makes it. What the variant stands for
 * only its asker knows. */
static bool key_fits(struct span key, const char *op, struct span target)
{
	const char *method = is_by_body(span_of(op)) ? "POST" : "";
	size_t n = strlen(op);
	struct span rest = span_sub(key, n + 1 + strlen(method), key.n);

	return span_starts(key, op) && key.n > n && key.p[n] == ':' &&
	    span_starts(span_sub(key, n + 1, key.n), method) && rest.n == target.n + 1 + VARIANT_LEN &&
	    memcmp(rest.p, target.p, target.n) == 0 && rest.p[target.n] == ':' &&
	    hex_is(span_sub(rest, target.n + 1, VARIANT_LEN), false);
}

static int64_t judge(void *arg, const struct message_entry *m)
{
	struct app *a = arg;
	const struct route *r;
	struct span target, op;
	static int64_t seen;

	/* A flood would look at the file thousands of times a second: once a pass will do. */
	if (seen != loop_now(a->loop))
		epochs_version(a->epochs);
	seen = loop_now(a->loop);
	if (!upstream_target(&a->upstream, m->url, &target) || !route_target_ok(target))
		return -1;
	op = span_before(m->key, ':');
	r = is_by_body(op) ? route_by_op(op) : route_find(span_of("GET"), target);
	if (r->policy == ROUTE_NEVER || r->policy == ROUTE_ASK ||
	    !is_shared_operation(a, span_of(r->op)) || !key_fits(m->key, r->op, target) ||
	    epochs_known(a->epochs, span_of("*"), target) >= m->timestamp)
		return -1;
	return app_ttl(a, r);
}

static bool asking(void *arg, struct span key)
{
	return cache_is_asking(((struct app *)arg)->cache, key);
}

static void invalidate(void *arg, const struct span *prefixes, size_t n, int64_t time)
{
	struct app *a = arg;
	struct span all[2 * MESSAGE_PREFIXES_MAX];
	char alias[MESSAGE_PREFIXES_MAX][ALIAS_SIZE];
	size_t total = 0;

	for (size_t i = 0; i < n && i < MESSAGE_PREFIXES_MAX; i++) {
		if (!epochs_prefix_ok(prefixes[i], false))
			return;
		all[total++] = prefixes[i];
		all[total] = cache_alias(prefixes[i], alias[i], ALIAS_SIZE);
		total += all[total].n > 0;
	}
	/* A row that cannot be written counts in memory all the same. */
	epochs_add(a->epochs, span_of(EPOCHS_SAID), all, total, time, NULL);
}

/* ---- composing ---- */

struct cache_layer *p2p_layer(struct app *a)
{
	struct layer_p2p_params p = { .verify = settings_bool(a->settings,
					  "security.access_control.verify_repository_access"),
		.budget_ms = SHARE_BUDGET_MS,
		.may_share = may_announce,
		.may_ask = is_shared_operation,
		.arg = a };

	return layer_p2p_new(&p);
}

static void set_strategy(const struct app *a, struct share_params *p)
{
	const char *s = settings_str(a->settings, "cache_protocol.broadcast.strategy");

	if (s != NULL && strcmp(s, "random") == 0)
		p->strategy = SHARE_TO_RANDOM;
	else if (s != NULL && strcmp(s, "closest") == 0)
		p->strategy = SHARE_TO_CLOSEST;
}

int p2p_open(struct app *a, const uint8_t *group_key, const struct swarm_params *sp, struct share **out,
    struct err *err)
{
	static struct swarm_source source;
	static struct peerid named[P2P_NAMED_PEERS_MAX];
	const struct settings *s = a->settings;
	struct share_params p = { .group_key = group_key,
		.network_id = settings_str(s, "network.network_id"),
		.agent = cli_agent(),
		.messages_per_s = (unsigned)settings_int(s, "performance.throttling.max_messages_per_sec"),
		.bytes_per_s = (uint64_t)settings_int(s, "performance.throttling.max_bandwidth_per_peer"),
		.body_max = (uint64_t)settings_int(s, "security.content_verification.max_content_size"),
		.broadcast = settings_bool(s, "cache_protocol.broadcast.enabled"),
		.peer_count = (unsigned)settings_int(s, "cache_protocol.broadcast.peer_count"),
		.reference = settings_bool(s, "ipfs_accelerate.accept_accelerate_peers"),
		.reference_peers = named,
		.nreference_peers = p2p_named_peers(a, named),
		.tmp_dir = a->cache_dir,
		.source = &source };
	int rc;

	source = (struct swarm_source){ .find = find,
		.release = release,
		.judge = judge,
		.asking = asking,
		.invalidate = invalidate,
		.get_named = p2p_named_get,
		.put_named = p2p_named_put,
		.arg = a };
	if (settings_bool(s, "ipfs_accelerate.enabled"))
		p.shared_network_id = settings_str(s, "ipfs_accelerate.shared_network_id");
	set_strategy(a, &p);
	learn_own();
	rc = share_new(sp, &p, out, err);
	if (rc == 0 && a->peers != NULL)
		layer_p2p_set(a->peers, *out);
	return rc;
}

void p2p_report(const struct share *s, struct json *o)
{
	const struct share_stats *t = share_stats(s);
	struct json *n = json_put_object(o, "sharing");
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = { { "asked", t->asked }, { "hits", t->hits }, { "misses", t->misses }, { "late", t->late },
		{ "denied", t->denied }, { "cleared", t->cleared }, { "unasked", t->unasked },
		{ "passed", t->passed }, { "served", t->served }, { "refused", t->refused },
		{ "announced", t->announced }, { "heard", t->heard }, { "dropped", t->dropped },
		{ "invalidated", t->invalidated }, { "busy_sent", t->busy_sent },
		{ "busy_heard", t->busy_heard }, { "bad_body", t->bad_body }, { "bad_seal", t->bad_seal },
		{ "bad_message", t->bad_message }, { "named_in", t->named_in }, { "named_out", t->named_out },
		{ "bytes_in", t->bytes_in }, { "bytes_out", t->bytes_out } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_put_int(n, rows[i].name, (int64_t)rows[i].value);
}

void p2p_close(struct app *a, struct share *s)
{
	if (s != NULL && a->peers != NULL)
		layer_p2p_set(a->peers, NULL);
	identity_wipe(&own);
	shelf_free(shelf);
	shelf = NULL;
	share_free(s);
}
