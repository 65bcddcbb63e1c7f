#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/jcanon.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "config/layers.h"
#include "crypto/cid.h"
#include "crypto/hash.h"
#include "github/fields.h"
#include "github/route.h"
#include "metrics/metrics.h"
#include "store/entry.h"
#include "store/store.h"

#define FUTURE_S 60		/* a timestamp further ahead than this is not believed */
#define PARAMS_MAX ((size_t)4 << 20)

/* ---- the key: OP:ARG…:K=V…, K sorted ---- */

static bool is_word(struct span s, bool digit_first)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool digit = c >= '0' && c <= '9';

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
			(digit && (i > 0 || digit_first))))
			return false;
	}
	return s.n > 0;
}

/* The K of K=V; empty where the operand is a plain argument. */
static struct span name_of(const char *arg)
{
	struct span s = span_of(arg);
	ptrdiff_t eq = span_chr(s, '=');

	s.n = eq > 0 ? (size_t)eq : 0;
	return is_word(s, false) ? s : span_of("");
}

static int by_name(const void *a, const void *b)
{
	return span_cmp(name_of(*(const char *const *)a), name_of(*(const char *const *)b));
}

static void add_part(struct buf *key, const char *part)
{
	buf_addc(key, ':');
	buf_adds(key, part);
}

static int make_key(const struct cache_sub *c, struct buf *key, struct err *err)
{
	const char *named[OPT_ARGS_MAX];
	char name[STORE_NAME_MAX + 1];
	size_t n = 0;

	if (!is_word(span_of(c->arg[0]), true))
		return err_set(err, ERR_USAGE,
		    "'%s' is no operation: letters, digits and _ make one, as in list_repos", c->arg[0]);
	buf_adds(key, c->arg[0]);
	for (size_t i = 1; i < c->nargs; i++)
		if (name_of(c->arg[i]).n > 0)
			named[n++] = c->arg[i];
		else
			add_part(key, c->arg[i]);
	qsort(named, n, sizeof(named[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && by_name(&named[i - 1], &named[i]) == 0)
			return err_set(err, ERR_USAGE, "'%s' and '%s' name one argument twice", named[i - 1],
			    named[i]);
		add_part(key, named[i]);
	}
	if (!store_name(name, buf_span(key), span_of("")))
		return err_set(err, ERR_USAGE,
		    "a key of %zu bytes does not fit into a file name; give a hash of the long argument",
		    buf_len(key));
	return 0;
}

/* ---- what the reference wrote ---- */

/* Its older form has the operation in the file's name alone: the longest that the name begins with. */
static struct span op_of(const struct entry *e, const char *name)
{
	struct span file = span_of(name), best = span_of("");
	const struct route *r;
	const char *pattern;

	if (e->op.n > 0)
		return e->op;
	for (size_t i = 0; (r = route_at(i, &pattern)) != NULL; i++) {
		struct span op = span_of(r->op);

		if (span_starts(file, r->op) && file.n > op.n && strchr("_.", file.p[op.n]) != NULL &&
		    op.n > best.n)
			best = op;
	}
	return best;
}

/* `hash` is a CID or, where the reference's multiformats library was missing, a plain SHA-256. */
static bool hash_fits(struct span hash, struct span fields)
{
	char cid[CID_TEXT_LEN + 1], hex[2 * SHA256_LEN + 1];
	uint8_t digest[SHA256_LEN];

	hash_sha256(digest, fields.p, fields.n);
	cid_text(cid, digest);
	hex_encode(hex, digest, sizeof(digest));
	return span_eq(hash, cid) || span_eq(hash, hex);
}

static bool own_fields_fit(const struct entry *e)
{
	struct buf canon;
	struct span fields;
	bool ok = true;

	buf_init(&canon, PARAMS_MAX);
	if (jscan_member(buf_span(&e->image), "validation_fields", &fields) == 1 && fields.p[0] == '{')
		ok = jcanon(fields, &canon) == 0 && hash_fits(e->content_hash, buf_span(&canon));
	buf_free(&canon);
	return ok;
}

bool cache_named_hash_ok(const struct entry *e, const char *name)
{
	struct buf fields;
	bool ok;

	if (e->ours || e->content_hash.n == 0)
		return true;
	if (!own_fields_fit(e))
		return false;
	buf_init(&fields, PARAMS_MAX);
	ok =
	    fields_of(op_of(e, name), e->data, &fields) != 1 || hash_fits(e->content_hash, buf_span(&fields));
	buf_free(&fields);
	return ok;
}

/* ---- get ---- */

static void print_json(const struct entry *e, struct span key, int64_t now, bool fresh)
{
	struct buf b;
	bool base64 = e->body.p != e->data.p;

	buf_init(&b, ENTRY_FILE_MAX * 2);
	buf_adds(&b, "{\"key\":");
	json_quote(&b, key, false);
	buf_addf(&b, ",\"age\":%" PRId64 ",\"ttl\":%" PRId64 ",\"fresh\":%s,\"encoding\":\"%s\",\"data\":",
	    (now - e->timestamp) / CLOCK_SEC, e->ttl, fresh ? "true" : "false", base64 ? "base64" : "json");
	buf_addspan(&b, e->data);
	buf_adds(&b, "}\n");
	fwrite(buf_data(&b), 1, buf_len(&b), stdout);
	buf_free(&b);
}

static int print(const struct cache_sub *c, const struct entry *e, struct span key)
{
	int64_t now = clock_wall();
	bool fresh = now < entry_expires(e) && e->timestamp <= now + FUTURE_S * CLOCK_SEC;
	char age[CLOCK_HUMAN_LEN];

	metrics_add_named(c->app->metrics, fresh || c->stale ? "named.hits" : "named.misses", 1);
	if (!fresh && !c->stale)
		return XC_NO;
	store_touch(c->app->store, e);
	if (!fresh) {
		clock_human(age, (now - entry_expires(e)) / CLOCK_SEC);
		log_warn("the lifetime of %.*s ended %s ago", (int)key.n, key.p, age);
	}
	if (c->json)
		print_json(e, key, now, fresh);
	else
		fwrite(e->body.p, 1, e->body.n, stdout);
	return XC_OK;
}

static int look_up(const struct cache_sub *c, struct span key)
{
	struct entry *e = NULL;
	char name[STORE_NAME_MAX + 1];
	unsigned corrupt = 0;
	int code = XC_NO;
	bool found = settings_bool(c->app->settings, "cache.enabled") &&
	    store_get_named(c->app->store, key, &e, &corrupt) == 1;

	metrics_add(c->app->metrics, M_CORRUPT, corrupt);
	if (found && store_name(name, key, span_of("")) && !cache_named_hash_ok(e, name)) {
		log_info("%s/%s: content_hash is not that of the data: not used", c->app->cache_dir, name);
		found = false;
	}
	if (found)
		code = print(c, e, key);
	else
		metrics_add_named(c->app->metrics, "named.misses", 1);
	entry_unref(e);
	return code;
}

int cache_named_get(const struct cache_sub *c, struct err *err)
{
	struct buf key;
	int code;

	buf_init(&key, 4096);
	code = make_key(c, &key, err) != 0 ? XC_USAGE : look_up(c, buf_span(&key));
	buf_free(&key);
	return code;
}

/* ---- put ---- */

static int read_input(struct buf *data, size_t max, struct err *err)
{
	ssize_t n;

	do {
		uint8_t *to = buf_reserve(data, 65536);

		n = to != NULL ? read(STDIN_FILENO, to, 65536) : -1;
		if (to == NULL)
			return err_set(err, ERR_INTERNAL, "no memory for the data");
		if (n > 0)
			buf_commit(data, (size_t)n);
		if (buf_len(data) > max)
			return err_set(err, ERR_LIMIT, "the data is larger than %zu bytes (cache.max_body)",
			    max);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(err, ERR_IO, "reading standard input");
	if (buf_len(data) == 0)
		return err_set(err, ERR_USAGE, "standard input is empty; put keeps what comes there");
	return 0;
}

static int64_t ttl_of(const struct cache_sub *c)
{
	const struct route *r = route_by_op(span_of(c->arg[0]));

	if (c->ttl != OPT_UNSET)
		return c->ttl;
	return app_ttl(c->app, r != NULL ? r : route_by_op(span_of("other")));
}

/* As the disk layer counts: the same stores in between two collections, whoever makes them. */
static void count_stored(struct app *a)
{
	uint64_t every = (uint64_t)settings_int(a->settings, "cache.max_size") / 10;

	metrics_add(a->metrics, M_STORED, 1);
	if (every == 0 || metrics_get(a->metrics, M_STORED) % every == 0)
		a->collect = true;
}

int cache_named_keep(struct app *a, const struct entry_parts *parts, struct err *err)
{
	struct entry_parts p = *parts;
	struct entry *e = NULL;
	struct buf fields;
	int rc;

	p.auth = span_of(ENTRY_PUBLIC);
	p.status = 200;
	buf_init(&fields, PARAMS_MAX);
	if (fields_of(span_before(p.key, ':'), p.body, &fields) == 1)
		p.fields = buf_span(&fields);
	rc = entry_build(&p, &e, err);
	if (rc == 0)
		rc = store_put(a->store, e, err);
	if (rc == 0)
		count_stored(a);
	entry_unref(e);
	buf_free(&fields);
	return rc;
}

static int keep(const struct cache_sub *c, struct span key, struct span data, struct err *err)
{
	struct entry_parts p = { .key = key, .body = data, .timestamp = clock_wall(), .ttl = ttl_of(c) };

	return cache_named_keep(c->app, &p, err);
}

int cache_named_put(const struct cache_sub *c, struct err *err)
{
	const struct settings *s = c->app->settings;
	struct buf key, data;
	int rc;

	buf_init(&key, 4096);
	buf_init(&data, BUF_MAX_ANY);
	rc = make_key(c, &key, err);
	if (rc == 0)
		rc = read_input(&data, (size_t)settings_int(s, "cache.max_body"), err);
	if (rc == 0 && (!settings_bool(s, "cache.enabled") || !settings_bool(s, "cache.persistence")))
		log_warn("nothing is kept: cache.enabled or cache.persistence is false");
	else if (rc == 0)
		rc = keep(c, buf_span(&key), buf_span(&data), err);
	if (rc == 0)
		daemon_told(c->app, buf_span(&key));
	buf_free(&key);
	buf_free(&data);
	return rc != 0 ? cli_exit_code(err) : XC_OK;
}
