#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "cli/p2p_scans.h"
#include "codeql/gitobject.h"
#include "config/layers.h"
#include "metrics/metrics.h"

#define PAYLOAD_MAX ((size_t)32 << 20)
#define FIELDS_MAX ((size_t)128 << 10)

const char *codeql_env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

bool codeql_in_actions(void)
{
	const char *v = getenv("GITHUB_ACTIONS");

	return v != NULL && strcmp(v, "true") == 0;
}

/* ---- keys ---- */

static int add_key(struct codeql *c, struct span text, const char *where, struct err *err)
{
	if (c->ntrusted == SCANS_KEYS_MAX)
		return err_set(err, ERR_CONFIG, "codeql.trusted_keys has more than %d keys", SCANS_KEYS_MAX);
	if (!scan_public_key(text, c->trusted[c->ntrusted]))
		return err_set(err, ERR_CONFIG,
		    "%s: '%.80s' is no Ed25519 public key (64 hex digits, or base64 as "
		    "'openssl pkey -pubout' prints it)",
		    where, text.p);
	c->ntrusted++;
	return 0;
}

/* A job that may sign trusts what it signs. */
static int take_keys(struct codeql *c, struct err *err)
{
	const char *const *items;
	const char *own = codeql_env("GHOARD_CODEQL_KEY");
	size_t n = settings_list(c->app.settings, "codeql.trusted_keys", &items);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_key(c, span_of(items[i]), "codeql.trusted_keys", err);
	if (rc != 0 || own == NULL)
		return rc;
	if (!scan_private_key(span_of(own), &c->key))
		return err_set(err, ERR_CONFIG, "GHOARD_CODEQL_KEY is no Ed25519 private key; make one with "
		    "'openssl genpkey -algorithm ed25519'");
	c->has_key = true;
	if (c->ntrusted == SCANS_KEYS_MAX)
		return err_set(err, ERR_CONFIG, "codeql.trusted_keys has no room for the public half of "
		    "GHOARD_CODEQL_KEY");
	memcpy(c->trusted[c->ntrusted++], c->key.pub, ED25519_PUB_LEN);
	return 0;
}

/* 7 days at most, unless whoever owns the machine or the job says otherwise; a checkout cannot. */
static int64_t max_age(const struct codeql *c)
{
	int64_t age = settings_int(c->app.settings, "operation_ttls.codeql_results");

	if (age > SCAN_TTL_MAX_S && settings_from_checkout(c->app.settings, "operation_ttls.codeql_results"))
		age = SCAN_TTL_MAX_S;
	if (c->o->allow_unpinned && age > SCAN_TTL_UNPINNED_S)
		age = SCAN_TTL_UNPINNED_S;
	return age;
}

/* ---- opening ---- */

static int open_folder(struct codeql *c, enum codeql_need need, struct err *err)
{
	const char *dir = settings_str(c->app.settings, "codeql.directory");
	struct scans_params p = { .dir = dir, .trusted = (const uint8_t(*)[ED25519_PUB_LEN])c->trusted,
		.ntrusted = c->ntrusted, .key = c->has_key ? &c->key : NULL };
	struct err why;
	int rc;

	if (!c->globals->offline) {
		p2p_scans_peers(&c->app, &c->peers);
		p.peers = &c->peers;
	}
	err_init(&why);
	if (dir == NULL)
		rc = err_set(&why, ERR_IO,
		    "there is no home folder to keep scans in; set CODEQL_CACHE_DIR or HOME");
	else
		rc = scans_open(&p, &c->scans, &why);
	c->no_folder = why;
	if (rc == ERR_DENIED || (rc != 0 && need == FOLDER_TO_WRITE) ||
	    (c->scans == NULL && need != FOLDER_IF_ANY)) {
		*err = why;
		return rc;
	}
	c->metrics = metrics_open(rc == 0 ? dir : NULL);
	return 0;
}

int codeql_open(struct codeql *c, const struct globals *g, const struct codeql_opts *o, enum codeql_need need,
    struct err *err)
{
	int rc;

	memset(c, 0, sizeof(*c));
	c->globals = g;
	c->o = o;
	c->began = clock_mono();
	buf_init(&c->payload, PAYLOAD_MAX);
	buf_init(&c->category, 4096);
	buf_init(&c->fields, FIELDS_MAX);
	configkey_init(&c->config);
	err_init(&c->why);
	rc = app_open(&c->app, g, err);
	if (rc != 0)
		return rc;
	c->max_age = max_age(c);
	rc = take_keys(c, err);
	return rc != 0 ? rc : open_folder(c, need, err);
}

void codeql_close(struct codeql *c)
{
	fingerprint_free(&c->fp);
	configkey_free(&c->config);
	scans_free(c->scans);
	metrics_free(c->metrics);
	buf_free(&c->payload);
	buf_free(&c->category);
	buf_free(&c->fields);
	wipe(c->env_text, c->env_text != NULL ? strlen(c->env_text) : 0);
	free(c->env);
	free(c->env_text);
	ed25519_wipe(&c->key);
	app_close(&c->app);
}

/* ---- looking ---- */

static int take_fingerprint(struct codeql *c, struct err *err)
{
	const char *always[1] = { c->cfg.config_file };
	const char *sha = codeql_env("GITHUB_SHA");
	struct fingerprint_options o = { .source = c->cfg.source,
		.root = c->workspace[0] != '\0' ? c->workspace : NULL,
		.languages = c->cfg.languages,
		.nlanguages = c->cfg.nlanguages,
		.built = scancfg_builds(&c->cfg) || scancfg_reads_more(&c->cfg),
		.ignore = c->cfg.ignore,
		.nignore = c->cfg.nignore,
		.always = always,
		.nalways = c->cfg.config_file != NULL && c->cfg.config_file[0] != '/' ? 1 : 0,
		.home = codeql_env("HOME"),
		.xdg_config = codeql_env("XDG_CONFIG_HOME"),
		.read_all = c->git_steered,
		.read_plain = c->o->sarif != NULL,	/* what is stored is what the bytes are */
		.format = sha != NULL && strlen(sha) == 2 * SHA256_LEN ? OBJID_SHA256 : OBJID_SHA1 };
	int rc = fingerprint_take(&o, &c->fp, err);

	if (rc != 0 || c->fp.reason != FP_USABLE)
		return rc;
	strcpy(c->want.fingerprint,
	    c->cfg.nlanguages > 0 && c->fp.narrow[0] != '\0' ? c->fp.narrow : c->fp.whole);
	strcpy(c->want.manifest, c->fp.whole);
	return 0;
}

static void take_config(struct codeql *c)
{
	c->cfg.base = codeql_env("GITHUB_WORKSPACE");
	if (c->cfg.base == NULL && c->fp.top[0] != '\0')
		c->cfg.base = c->fp.top;
	c->has_config = scancfg_key(&c->cfg, &c->config, &c->why) == 0;
	if (!c->has_config)
		return;
	strcpy(c->want.config, c->config.hash);
	configkey_json(&c->config, &c->fields);
	c->want.fields = buf_span(&c->fields);
	c->want.pinned = buf_len(&c->config.unpinned) == 0;
}

/* The index's own tree is what files that are not dirty are of. That it is valid says nothing of HEAD: staged
 * changes whose tree was written, and 'git read-tree', leave it so. */
int codeql_is_commit(const struct codeql *c, const char *commit)
{
	char tree[OBJID_HEX_MAX];

	if (!gitobject_tree(c->fp.objects, c->fp.format, commit, tree))
		return -1;
	return c->fp.root == FP_TREE_VALID && strcmp(tree, c->fp.tree) == 0;
}

int codeql_look(struct codeql *c, struct err *err)
{
	const char *sha = codeql_env("GITHUB_SHA");
	int rc = codeql_take_event(c, err);

	if (rc == 0)
		rc = codeql_take_words(c, err);
	if (rc == 0)
		rc = take_fingerprint(c, err);
	if (rc != 0)
		return rc;
	codeql_take_workflow(c);
	codeql_take_beside(c);
	take_config(c);
	if (c->o->commit != NULL)
		sha = c->o->commit;
	else if (c->fp.commit[0] != '\0')
		sha = c->fp.counts.dirty == 0 && codeql_is_commit(c, c->fp.commit) == 1 ? c->fp.commit : NULL;
	if (sha != NULL && !span_copy(c->want.commit, sizeof(c->want.commit), span_of(sha)))
		return err_set(err, ERR_USAGE, "--commit is too long");
	return 0;
}

int codeql_no_key(const struct codeql *c, const char **reason, char *detail, size_t size)
{
	if (c->fp.reason != FP_USABLE) {
		*reason = fingerprint_reason_name(c->fp.reason);
		snprintf(detail, size, "%s", c->fp.where);
		return 1;
	}
	*reason = "miss-config";
	if (!c->has_config) {
		snprintf(detail, size, "%s", c->why.msg);
		return 1;
	}
	if (c->want.pinned || c->o->allow_unpinned)
		return 0;
	snprintf(detail, size, "%.*s; --allow-unpinned takes results of at most 24 h all the same",
	    (int)buf_len(&c->config.unpinned), (const char *)buf_data(&c->config.unpinned));
	return 1;
}

/* ---- finding ---- */

const char *codeql_answer_name(enum scan_answer a)
{
	switch (a) {
	case SCANS_PARTIAL:
		return "partial";
	case SCANS_EXPIRED:
		return "expired";
	case SCANS_UNSIGNED:
		return "unsigned";
	case SCANS_UNTRUSTED:
		return "untrusted";
	case SCANS_DAMAGED:
		return "damaged";
	case SCANS_NONE:
	case SCANS_FOUND:
		break;
	}
	return "miss-none";
}

static void explain_answer(const struct scan_found *f, char *detail, size_t size)
{
	char age[CLOCK_HUMAN_LEN] = "";

	if (f->entry != NULL)
		clock_human(age, f->age > 0 ? f->age : 0);
	switch (f->answer) {
	case SCANS_PARTIAL:
		snprintf(detail, size, "the stored result is of an incremental scan (%s)",
		    f->scan.incremental);
		break;
	case SCANS_EXPIRED:
		snprintf(detail, size, "the stored result is %s old", age);
		break;
	case SCANS_UNSIGNED:
		snprintf(detail, size, "the stored result is not signed, or was not made in this folder");
		break;
	case SCANS_UNTRUSTED:
		snprintf(detail, size, "the stored result is not signed by a key of codeql.trusted_keys");
		break;
	case SCANS_DAMAGED:
		snprintf(detail, size, "the stored result is damaged, or of the future");
		break;
	case SCANS_NONE:
	case SCANS_FOUND:
		break;
	}
}

/* What is nearest among the stored: other sources, or another configuration? */
struct nearest {
	const struct scan *want;
	bool same_sources, same_config;
};

static int look_near(void *arg, const struct scan_row *row)
{
	struct nearest *n = arg;

	if (row->scan == NULL || row->label || strcmp(row->scan->repo, n->want->repo) != 0)
		return 0;
	n->same_sources |= strcmp(row->scan->fingerprint, n->want->fingerprint) == 0;
	n->same_config |= strcmp(row->scan->config, n->want->config) == 0;
	return 0;
}

static const char *why_none(struct codeql *c, char *detail, size_t size)
{
	struct nearest n = { .want = &c->want };

	scans_each(c->scans, clock_wall(), c->max_age, look_near, &n, NULL);
	if (n.same_sources) {
		snprintf(detail, size,
		    "these sources were scanned under another configuration; 'ghoard codeql explain' "
		    "says what differs");
		return "miss-config";
	}
	if (n.same_config) {
		snprintf(detail, size,
		    "other sources were scanned under this configuration; 'ghoard codeql explain' says "
		    "what differs");
		return "miss-sources";
	}
	snprintf(detail, size, "no scan of %s is stored that is like this one", c->want.repo);
	return "miss-none";
}

static bool same_counts(const struct scan *s, const struct intake *in)
{
	return memcmp(&s->counts.level, &in->counts.level, sizeof(s->counts.level)) == 0 &&
	    s->counts.results == in->counts.results &&
	    memcmp(s->counts.severity + 1, in->counts.severity + 1, 4 * sizeof(uint64_t)) == 0;
}

const char *codeql_find(struct codeql *c, struct scan_found *f, struct intake *in, char *detail, size_t size)
{
	struct scan_ask ask = { .want = &c->want, .now = clock_wall(), .max_age = c->max_age };
	struct err why;
	int rc;

	memset(in, 0, sizeof(*in));
	buf_init(&in->sarif.uris, 0);
	err_init(&why);
	if (c->scans == NULL) {
		snprintf(detail, size, "%s", c->no_folder.msg);
		return "no-store";
	}
	scans_find(c->scans, &ask, f);
	if (f->answer == SCANS_NONE)
		return why_none(c, detail, size);
	if (f->answer != SCANS_FOUND) {
		explain_answer(f, detail, size);
		return codeql_answer_name(f->answer);
	}
	rc = intake_prove(f->sarif, f->scan.cid, c->cfg.source, in, &why);
	if (rc == 0 && sarif_incremental(&in->sarif) != NULL)
		rc = err_set(&why, ERR_DAMAGED, "an incremental result is stored as a whole one");
	if (rc == 0 && !same_counts(&f->scan, in))
		rc = err_set(&why, ERR_DAMAGED, "the counts of the entry are not those of its SARIF");
	if (rc == 0)
		return NULL;
	snprintf(detail, size, "%s", why.msg);
	if (rc == ERR_PROTO)
		return "miss-proof";
	if (rc == ERR_DAMAGED)
		scans_set_aside(c->scans, f);
	return "damaged";
}

/* ---- files of the job ---- */

bool codeql_state_path(const struct codeql *c, char out[static PATH_MAX])
{
	const char *temp = codeql_env("RUNNER_TEMP");
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;
	char hex[17];

	if (c->o->state != NULL)
		return snprintf(out, PATH_MAX, "%s", c->o->state) < PATH_MAX;
	if (temp == NULL)
		return false;
	/* By what names the scan in a job: a job may check several languages one after the other. */
	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of(c->want.repo));
	hash_sha256_field(&h, span_of(c->want.languages));
	hash_sha256_field(&h, span_of(c->cfg.tool));
	hash_sha256_field(&h, span_of(c->cfg.category));
	hash_sha256_field(&h, span_of(c->source_root));
	hash_sha256_field(&h, span_of(c->cfg.matrix));
	hash_sha256_field(&h, span_of(c->cfg.job));
	hash_sha256_out(&h, digest);
	hex_encode(hex, digest, 8);
	return snprintf(out, PATH_MAX, "%s/ghoard-codeql-%s.json", temp, hex) < PATH_MAX;
}

/* Bytes at the beginning that may be shown as they are; 0: the first is to be escaped. As in base/log. */
static size_t plain(struct span s)
{
	unsigned char c = (unsigned char)s.p[0], next = s.n > 1 ? (unsigned char)s.p[1] : 0;
	size_t len;

	if (c < ' ' || c == 0x7f || span_starts(s, "##["))
		return 0;
	if (c < 0x80)
		return 1;
	len = c == 0xc2 && next < 0xa0 ? 0 : span_utf8_char(s, NULL);
	return span_starts(s, "\xe2\x80\xa8") || span_starts(s, "\xe2\x80\xa9") ? 0 : len;
}

void codeql_print(struct span s)
{
	for (size_t len; s.n > 0; s = span_sub(s, len > 0 ? len : 1, s.n)) {
		len = plain(s);
		if (len > 0)
			fwrite(s.p, 1, len, stdout);
		else
			printf("\\x%02x", (unsigned char)s.p[0]);
	}
}

void codeql_output(const char *name, const char *value)
{
	const char *path = codeql_env("GITHUB_OUTPUT");
	uint8_t random[16];
	char mark[33];
	struct buf b;
	int fd;

	if (path == NULL || rand_bytes(random, sizeof(random), NULL) != 0)
		return;
	hex_encode(mark, random, sizeof(random));
	buf_init(&b, 65536);
	buf_addf(&b, "%s<<ghoard-%s\n%s\nghoard-%s\n", name, mark, value, mark);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || b.failed || file_write_all(fd, buf_data(&b), buf_len(&b)) != 0)
		log_warn("the output %s could not be written to %s", name, path);
	if (fd >= 0)
		close(fd);
	buf_free(&b);
}
