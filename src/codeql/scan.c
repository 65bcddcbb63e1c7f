#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/wipe.h"
#include "codeql/scan.h"
#include "crypto/hash.h"
#include "store/entry.h"

#define SCAN_VERSION 1
#define HEAD_MAX ((size_t)56 << 10)	/* of ENTRY_HEAD_MAX, for our object */

static const char *const class_names[] = { "full", "pull", "fork", "partial" };

const char *scan_class_name(enum scan_class c)
{
	return class_names[c];
}

/* ---- names ---- */

void scan_key(const struct scan *s, bool label, char out[static SCAN_KEY_MAX])
{
	/* The list of languages is cut where a key would not end; the configuration has all of it. */
	snprintf(out, SCAN_KEY_MAX, "%s:%s:%s:%s%s%.200s", label ? SCAN_LABEL_OP : SCAN_OP, s->repo,
	    label ? s->commit : s->fingerprint, s->config, s->languages[0] != '\0' ? ":" : "", s->languages);
}

void scan_tag(const struct scan *s, char out[static 32])
{
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;

	snprintf(out, 32, "%s", class_names[s->class]);
	if (s->class != SCAN_FORK && s->class != SCAN_PULL)
		return;
	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of(s->base));
	if (s->class == SCAN_FORK) {
		hash_sha256_field(&h, span_of(s->head_repo));
		hash_sha256_field(&h, span_of(s->ref));
	}
	hash_sha256_out(&h, digest);
	out[0] = class_names[s->class][0];
	hex_encode(out + 1, digest, 7);
}

/* ---- the members ---- */

struct text_row {
	const char *name;
	size_t at, size;
};
#define TEXT(name, member) { name, offsetof(struct scan, member), sizeof(((struct scan *)0)->member) }
static const struct text_row texts[] = { TEXT("repo", repo), TEXT("fingerprint", fingerprint),
	TEXT("config", config), TEXT("languages", languages), TEXT("tool", tool), TEXT("version", version),
	TEXT("category", category), TEXT("event", event), TEXT("ref", ref), TEXT("commit", commit),
	TEXT("head_repo", head_repo), TEXT("base", base), TEXT("incremental", incremental),
	TEXT("sarif", cid), TEXT("manifest", manifest), TEXT("origin", origin) };

struct number_row {
	const char *name;
	size_t at;
};
#define NUMBER(name, member) { name, offsetof(struct scan, member) }
static const struct number_row numbers[] = { NUMBER("started", started), NUMBER("finished", finished),
	NUMBER("size", size), NUMBER("results", counts.results), NUMBER("suppressed", counts.suppressed),
	NUMBER("most", counts.most), NUMBER("none", counts.level[LEVEL_NONE]),
	NUMBER("note", counts.level[LEVEL_NOTE]), NUMBER("warning", counts.level[LEVEL_WARNING]),
	NUMBER("error", counts.level[LEVEL_ERROR]), NUMBER("low", counts.severity[SEVERITY_LOW]),
	NUMBER("medium", counts.severity[SEVERITY_MEDIUM]), NUMBER("high", counts.severity[SEVERITY_HIGH]),
	NUMBER("critical", counts.severity[SEVERITY_CRITICAL]) };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void put_scan(const struct scan *s, bool label, struct buf *b)
{
	char digest[33];

	buf_addf(b, "{\"v\":%d", SCAN_VERSION);
	if (label)
		buf_adds(b, ",\"label\":true");
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *text = (const char *)s + texts[i].at;
		if (text[0] == '\0')
			continue;
		buf_addf(b, ",\"%s\":", texts[i].name);
		json_quote(b, span_of(text), false);
	}
	for (size_t i = 0; i < COUNT(numbers); i++) {
		int64_t n;
		memcpy(&n, (const char *)s + numbers[i].at, sizeof(n));
		buf_addf(b, ",\"%s\":%" PRId64, numbers[i].name, n);
	}
	hex_encode(digest, s->counts.digest, sizeof(s->counts.digest));
	buf_addf(b, ",\"digest\":\"%s\",\"class\":\"%s\",\"pinned\":%s,\"fields\":", digest,
	    class_names[s->class], s->pinned ? "true" : "false");
	buf_addspan(b, s->fields.n > 0 ? s->fields : span_of("{}"));
	buf_addc(b, '}');
}

/* What the reference keeps of a result; it reads a time as seconds and never finds the SARIF in `results`. */
static void put_data(const struct scan *s, const char *sarif_path, struct buf *b)
{
	const struct sarif_counts *c = &s->counts;

	buf_adds(b, "{\"commit_sha\":");
	json_quote(b, span_of(s->commit), false);
	buf_addf(b, ",\"scan_config_hash\":\"%s\",\"results\":{},\"timestamp\":%" PRId64 ".%06" PRId64,
	    s->config, s->finished / 1000000, s->finished % 1000000);
	buf_addf(b, ",\"scan_duration\":%" PRId64 ".%06" PRId64 ",\"alerts_count\":%" PRIu64,
	    (s->finished - s->started) / 1000000, (s->finished - s->started) % 1000000, c->results);
	buf_addf(b, ",\"severity_breakdown\":{\"error\":%" PRIu64 ",\"warning\":%" PRIu64 ",\"note\":%" PRIu64
	    ",\"none\":%" PRIu64 "},\"sarif_location\":", c->level[LEVEL_ERROR], c->level[LEVEL_WARNING],
	    c->level[LEVEL_NOTE], c->level[LEVEL_NONE]);
	json_quote(b, span_of(sarif_path), false);
	buf_addc(b, '}');
}

/* ---- the signature ---- */

static void field_int(struct hash_sha256 *h, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, v);
	hash_sha256_field(h, span_of(text));
}

static void message(const struct entry_parts *p, struct span cid, uint8_t out[static SHA256_LEN])
{
	struct hash_sha256 h;

	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of("ghoard scan 1"));
	hash_sha256_field(&h, p->key);
	hash_sha256_field(&h, p->auth);
	field_int(&h, p->timestamp);
	field_int(&h, p->ttl);
	hash_sha256_field(&h, cid);
	hash_sha256_field(&h, p->scan);
	hash_sha256_out(&h, out);
}

static void sign(const struct entry_parts *p, const struct ed25519_key *key, struct buf *out)
{
	uint8_t digest[SHA256_LEN], sig[ED25519_SIG_LEN];
	char cid[CID_TEXT_LEN + 1];

	cid_of(cid, p->body.p, p->body.n);
	message(p, span_of(cid), digest);
	ed25519_sign(sig, key, digest, sizeof(digest));
	b64_encode(out, sig, sizeof(sig));
}

bool scan_signed_by(const struct entry *e, const uint8_t (*keys)[ED25519_PUB_LEN], size_t n)
{
	struct entry_parts p = { .key = e->key, .auth = e->auth, .timestamp = e->timestamp, .ttl = e->ttl,
		.scan = e->scan };
	uint8_t digest[SHA256_LEN], sig[ED25519_SIG_LEN];

	if (!e->ours || !entry_cid_ok(e) || b64_decode(sig, sizeof(sig), e->sig) != sizeof(sig))
		return false;
	message(&p, e->cid, digest);
	for (size_t i = 0; i < n; i++)
		if (ed25519_verify(sig, keys[i], digest, sizeof(digest)))
			return true;
	return false;
}

/* ---- entries ---- */

int scan_entry(const struct scan *s, bool label, int64_t ttl, const char *sarif_path,
    const struct ed25519_key *key, struct entry **out, struct err *err)
{
	char name[SCAN_KEY_MAX], tag[32];
	struct buf scan, data, sig;
	int rc;

	buf_init(&scan, HEAD_MAX);
	buf_init(&data, 65536);
	buf_init(&sig, 256);
	scan_key(s, label, name);
	scan_tag(s, tag);
	put_scan(s, label, &scan);
	put_data(s, sarif_path, &data);
	struct entry_parts p = { .key = span_of(name),
		.auth = span_of(tag),
		.timestamp = s->finished,
		.ttl = ttl,
		.status = 200,
		.body = buf_span(&data),
		.scan = buf_span(&scan) };
	if (key != NULL)
		sign(&p, key, &sig);
	p.sig = buf_span(&sig);
	if (scan.failed || data.failed)
		rc = err_set(err, ERR_LIMIT,
		    "the configuration has too many fields to keep (above %zu bytes)", HEAD_MAX);
	else
		rc = entry_build(&p, out, err);
	buf_free(&scan);
	buf_free(&data);
	buf_free(&sig);
	return rc;
}

static bool take_text(struct scan *s, const struct text_row *row, struct span value)
{
	return jscan_str(value, (char *)s + row->at, row->size);
}

static bool take_member(struct scan *s, struct span key, struct span value)
{
	struct span inside = span_sub(value, 1, value.n > 1 ? value.n - 2 : 0);
	uint64_t n;

	for (size_t i = 0; i < COUNT(texts); i++)
		if (jscan_str_eq(key, texts[i].name))
			return take_text(s, &texts[i], value);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		if (!jscan_str_eq(key, numbers[i].name))
			continue;
		if (!span_u64(value, INT64_MAX / 4, &n))
			return false;
		memcpy((char *)s + numbers[i].at, &n, sizeof(n));
		return true;
	}
	if (jscan_str_eq(key, "digest"))
		return hex_decode((uint8_t *)s->counts.digest, sizeof(s->counts.digest), inside);
	if (jscan_str_eq(key, "pinned"))
		s->pinned = span_eq(value, "true");
	if (jscan_str_eq(key, "fields"))
		s->fields = value;
	if (!jscan_str_eq(key, "class"))
		return true;
	for (size_t i = 0; i < COUNT(class_names); i++)
		if (span_eq(inside, class_names[i])) {
			s->class = (enum scan_class)i;
			return true;
		}
	return false;
}

/* An entry's own names must be those that its members give: a moved one answers for nothing else. */
static bool is_named_so(const struct entry *e, const struct scan *s)
{
	char key[SCAN_KEY_MAX], label[SCAN_KEY_MAX], tag[32];

	scan_key(s, false, key);
	scan_key(s, true, label);
	scan_tag(s, tag);
	return span_eq(e->auth, tag) && (span_eq(e->key, key) || span_eq(e->key, label));
}

void scan_json(const struct scan *s, struct buf *out)
{
	put_scan(s, false, out);
}

bool scan_read(struct span json, struct scan *s)
{
	struct span key, value;
	size_t at = 0;
	int rc;

	memset(s, 0, sizeof(*s));
	s->class = SCAN_PARTIAL;
	if (json.n == 0 || jscan_member(json, "v", &value) != 1 || !span_eq(value, "1"))
		return false;
	while ((rc = jscan_next(json, &at, &key, &value)) == 1)
		if (!take_member(s, key, value))
			return false;
	return rc == 0;
}

bool scan_parse(const struct entry *e, struct scan *s)
{
	uint8_t digest[SHA256_LEN];

	if (!e->ours || !scan_read(e->scan, s))
		return false;
	return s->fingerprint[0] != '\0' && s->version[0] != '\0' && s->event[0] != '\0' &&
	    cid_parse(span_of(s->cid), digest) && s->finished == e->timestamp && s->started <= s->finished &&
	    is_named_so(e, s);
}

/* ---- keys ---- */

static const uint8_t pkcs8[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04,
	0x22, 0x04, 0x20 };
static const uint8_t spki[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

/* Base64 of at most 96 bytes, with line ends and PEM's own lines left out: its length, or -1. */
static ssize_t unarmour(struct span text, uint8_t out[static 96])
{
	char plain[129];
	struct span line;
	size_t n = 0;

	while (span_cut(&text, '\n', &line)) {
		if (span_starts(line, "-----"))
			continue;
		for (size_t i = 0; i < line.n; i++) {
			if (line.p[i] == '\r' || line.p[i] == ' ')
				continue;
			if (n == sizeof(plain) - 1)
				return -1;
			plain[n++] = line.p[i];
		}
	}
	ssize_t len = b64_decode(out, 96, span_make(plain, n));
	wipe(plain, sizeof(plain));
	return len;
}

static bool read_key(struct span text, const uint8_t *front, size_t nfront, uint8_t out[static 32])
{
	uint8_t raw[96];
	ssize_t n;
	bool ok = false;

	text = span_trim(text);
	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	if (hex_decode(out, 32, text))
		return true;
	n = unarmour(text, raw);
	if (n == 32) {
		memcpy(out, raw, 32);
		ok = true;
	} else if (n == (ssize_t)nfront + 32 && memcmp(raw, front, nfront) == 0) {
		memcpy(out, raw + nfront, 32);
		ok = true;
	}
	wipe(raw, sizeof(raw));
	return ok;
}

bool scan_public_key(struct span text, uint8_t out[static ED25519_PUB_LEN])
{
	return read_key(text, spki, sizeof(spki), out);
}

bool scan_private_key(struct span text, struct ed25519_key *key)
{
	uint8_t seed[ED25519_SEED_LEN];
	bool ok = read_key(text, pkcs8, sizeof(pkcs8), seed);

	if (ok)
		ed25519_keygen(key, seed);
	wipe(seed, sizeof(seed));
	return ok;
}
