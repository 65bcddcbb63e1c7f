#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/json.h"
#include "crypto/cid.h"
#include "crypto/hmac.h"
#include "store/entry.h"

#define PROOF_LEN 16		/* bytes: 32 hex characters */

/* ---- the proof ---- */

static void mac_int(struct hmac *h, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, v);
	hmac_field(h, span_of(text));
}

static void prove(const struct entry_parts *p, struct span cid, char out[static 2 * PROOF_LEN + 1])
{
	struct hmac h;
	uint8_t mac[HMAC_LEN];

	hmac_init(&h, p->proof_key, ENTRY_PROOF_KEY_LEN);
	hmac_field(&h, p->key);
	hmac_field(&h, cid);
	mac_int(&h, p->status);
	mac_int(&h, (int64_t)p->nheaders);
	for (size_t i = 0; i < p->nheaders; i++) {
		hmac_field(&h, p->headers[i].name);
		hmac_field(&h, p->headers[i].value);
	}
	mac_int(&h, p->timestamp);
	mac_int(&h, p->ttl);
	hmac_out(&h, mac);
	hex_encode(out, mac, PROOF_LEN);
}

bool entry_proof_ok(const struct entry *e, const uint8_t key[static ENTRY_PROOF_KEY_LEN])
{
	struct entry_parts p = { .key = e->key, .proof_key = key, .timestamp = e->timestamp, .ttl = e->ttl,
		.status = e->status, .headers = e->headers, .nheaders = e->nheaders };
	char want[2 * PROOF_LEN + 1];

	if (!e->ours || e->proof.n != 2 * PROOF_LEN)
		return false;
	prove(&p, e->cid, want);
	return mem_same_ct(want, e->proof.p, 2 * PROOF_LEN);
}

bool entry_cid_ok(const struct entry *e)
{
	char cid[CID_TEXT_LEN + 1];

	if (!e->ours)
		return e->data.n > 0;
	cid_of(cid, e->body.p, e->body.n);
	return span_eq(e->cid, cid);
}

/* ---- writing ---- */

static void put_quoted(struct buf *b, const char *name, struct span value)
{
	buf_addf(b, ",\"%s\":", name);
	json_quote(b, value, false);
}

static void put_headers(struct buf *b, const struct entry_parts *p)
{
	buf_adds(b, ",\"headers\":[");
	for (size_t i = 0; i < p->nheaders; i++) {
		buf_adds(b, i > 0 ? ",[" : "[");
		json_quote(b, p->headers[i].name, false);
		buf_addc(b, ',');
		json_quote(b, p->headers[i].value, false);
		buf_addc(b, ']');
	}
	buf_addc(b, ']');
}

static void put_ours(struct buf *b, const struct entry_parts *p, bool json)
{
	char cid[CID_TEXT_LEN + 1], proof[2 * PROOF_LEN + 1];

	cid_of(cid, p->body.p, p->body.n);
	buf_addf(b, ",\"ghoard\":{\"v\":1,\"cid\":\"%s\",\"status\":%d", cid, p->status);
	if (p->url.n > 0)
		put_quoted(b, "url", p->url);
	if (p->variant.n > 0) {
		buf_adds(b, ",\"variant\":");
		buf_addspan(b, p->variant);
	}
	put_quoted(b, "auth", p->auth);
	if (p->proof_key != NULL) {
		prove(p, span_of(cid), proof);
		buf_addf(b, ",\"proof\":\"%s\"", proof);
	}
	if (p->scan.n > 0) {
		buf_adds(b, ",\"scan\":");
		buf_addspan(b, p->scan);
	}
	if (p->sig.n > 0)
		put_quoted(b, "sig", p->sig);
	put_headers(b, p);
	buf_addf(b, ",\"encoding\":\"%s\"}", json ? "json" : "base64");
}

static void put_reference(struct buf *b, const struct entry_parts *p)
{
	char cid[CID_TEXT_LEN + 1];

	buf_adds(b, "{\"cache_key\":");
	json_quote(b, p->key, false);
	/* A float, as Python's time.time() writes one. */
	buf_addf(b, ",\"timestamp\":%" PRId64 ".%06" PRId64 ",\"ttl\":%" PRId64, p->timestamp / 1000000,
	    p->timestamp % 1000000, p->ttl);
	if (p->fields.n > 0) {
		cid_of(cid, p->fields.p, p->fields.n);
		buf_addf(b, ",\"content_hash\":\"%s\",\"validation_fields\":", cid);
		buf_addspan(b, p->fields);
	} else {
		buf_adds(b, ",\"content_hash\":null,\"validation_fields\":null");
	}
}

/* JSON holds no bytes that are not UTF-8: such a header would read back otherwise than it was proven. */
static int take_utf8(struct entry_parts *p, struct entry_header room[ENTRY_HEADERS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < p->nheaders; i++) {
		if (!span_utf8(p->headers[i].value))
			continue;
		if (n == ENTRY_HEADERS_MAX)
			return -1;
		room[n++] = p->headers[i];
	}
	p->headers = room;
	p->nheaders = n;
	return 0;
}

static int build(const struct entry_parts *p, struct entry **out, struct err *err)
{
	struct buf b;
	bool json = jscan_valid(p->body);

	buf_init(&b, ENTRY_FILE_MAX);
	buf_reserve(&b, p->body.n + p->fields.n + 2048);
	put_reference(&b, p);
	put_ours(&b, p, json);
	buf_adds(&b, ",\"data\":");
	if (json) {
		buf_addspan(&b, p->body);
	} else {
		buf_addc(&b, '"');
		b64_encode(&b, p->body.p, p->body.n);
		buf_addc(&b, '"');
	}
	buf_addc(&b, '}');
	if (b.failed) {
		buf_free(&b);
		return err_set(err, ERR_LIMIT, "an answer of %zu bytes is too large to keep", p->body.n);
	}
	return entry_parse(&b, out, err);
}

int entry_build(const struct entry_parts *given, struct entry **out, struct err *err)
{
	struct entry_header headers[ENTRY_HEADERS_MAX];
	struct entry_parts p = *given;
	struct err why;
	int rc;

	err_init(&why);
	rc = take_utf8(&p, headers) == 0 ? build(&p, out, &why) : ERR_DAMAGED;
	if (rc == 0)
		return 0;
	/* What we wrote and cannot read has a head above ENTRY_HEAD_MAX. */
	return rc == ERR_DAMAGED
	    ? err_set(err, ERR_LIMIT, "an answer with too many headers, or too long ones, to keep")
	    : err_set(err, rc, "%s", why.msg);
}

/* ---- reading ---- */

/* A slice of the image, or unescaped into e->text, whose room was made once: spans into it stay good. */
static bool take_str(struct entry *e, struct span raw, struct span *out)
{
	size_t at = buf_len(&e->text);

	if (raw.n >= 2 && raw.p[0] == '"' && span_chr(raw, '\\') < 0) {
		*out = span_sub(raw, 1, raw.n - 2);
		return true;
	}
	if (jscan_unescape(raw, &e->text) != 0)
		return false;
	*out = span_make(buf_data(&e->text) + at, buf_len(&e->text) - at);
	return true;
}

/* "1795353600.25" in seconds as µs; at most six digits of the fraction count. Exponents are not written by
 * anybody. */
static bool take_time(struct span raw, int64_t *us)
{
	ptrdiff_t dot = span_chr(raw, '.');
	struct span whole = dot < 0 ? raw : span_sub(raw, 0, (size_t)dot);
	struct span frac = dot < 0 ? span_make("", 0) : span_sub(raw, (size_t)dot + 1, 6);
	uint64_t s, f = 0;

	if (!span_u64(whole, (uint64_t)1 << 40, &s) || (frac.n > 0 && !span_u64(frac, 999999, &f)))
		return false;
	for (size_t i = frac.n; i < 6; i++)
		f *= 10;
	*us = (int64_t)(s * 1000000 + f);
	return true;
}

static bool take_ttl(struct span raw, int64_t *ttl)
{
	ptrdiff_t dot = span_chr(raw, '.');	/* the reference takes any number */
	uint64_t v;

	if (!span_u64(dot < 0 ? raw : span_sub(raw, 0, (size_t)dot), (uint64_t)1 << 40, &v))
		return false;
	*ttl = (int64_t)v;
	return true;
}

/* Could it stand in a message's head, on a line of its own? */
static bool is_field(const struct entry_header *h)
{
	for (size_t i = 0; i < h->name.n; i++)
		if (h->name.p[i] <= ' ' || h->name.p[i] == ':' || h->name.p[i] == 0x7F)
			return false;
	for (size_t i = 0; i < h->value.n; i++)
		if (((uint8_t)h->value.p[i] < ' ' && h->value.p[i] != '\t') || h->value.p[i] == 0x7F)
			return false;
	return h->name.n > 0;
}

static bool take_headers(struct entry *e, struct span raw)
{
	size_t at = 0;
	struct span key, pair;
	int rc;

	while ((rc = jscan_next(raw, &at, &key, &pair)) == 1) {
		struct entry_header *h = &e->headers[e->nheaders];
		struct span name, value;

		if (e->nheaders == ENTRY_HEADERS_MAX || jscan_path(pair, "0", &name) != 1 ||
		    jscan_path(pair, "1", &value) != 1)
			return false;
		if (!take_str(e, name, &h->name) || !take_str(e, value, &h->value) || !is_field(h))
			return false;
		e->nheaders++;
	}
	return rc == 0;
}

static bool take_ours(struct entry *e, struct span raw)
{
	static const struct {
		const char *name;
		size_t at;
	} strings[] = {
		{ "cid", offsetof(struct entry, cid) }, { "url", offsetof(struct entry, url) },
		{ "auth", offsetof(struct entry, auth) }, { "proof", offsetof(struct entry, proof) },
		{ "sig", offsetof(struct entry, sig) }
	};
	struct span v;
	uint64_t n;

	if (jscan_member(raw, "v", &v) != 1 || !span_eq(v, "1")) {
		e->alien = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (jscan_member(raw, strings[i].name, &v) == 1 &&
		    !take_str(e, v, (struct span *)(void *)((char *)e + strings[i].at)))
			return false;
	if (jscan_member(raw, "status", &v) != 1 || !span_u64(v, 599, &n))
		return false;
	e->status = (int)n;
	if (jscan_member(raw, "variant", &v) == 1)
		e->variant = v;
	if (jscan_member(raw, "scan", &v) == 1)
		e->scan = v;
	if (jscan_member(raw, "headers", &v) == 1 && !take_headers(e, v))
		return false;
	e->ours = e->cid.n > 0 && e->auth.n > 0;
	if (jscan_member(raw, "encoding", &v) == 1 && jscan_str_eq(v, "base64"))
		e->body.n = 1;			/* marks it for take_body */
	return e->ours;
}

static bool take_body(struct entry *e)
{
	bool base64 = e->body.n == 1;
	size_t room = e->data.n / 4 * 3 + 3;
	uint8_t *to;
	ssize_t n;

	e->body = e->data;
	if (!base64)
		return true;
	to = buf_reserve(&e->text, room);
	if (to == NULL || e->data.n < 2 || e->data.p[0] != '"')
		return false;
	n = b64_decode(to, room, span_sub(e->data, 1, e->data.n - 2));
	if (n < 0)
		return false;
	buf_commit(&e->text, (size_t)n);
	e->body = span_make(to, (size_t)n);
	return true;
}

static bool take_member(struct entry *e, struct span key, struct span value)
{
	if (jscan_str_eq(key, "cache_key"))
		return value.p[0] != '"' || take_str(e, value, &e->key);
	if (jscan_str_eq(key, "timestamp"))
		return take_time(value, &e->timestamp);
	if (jscan_str_eq(key, "ttl"))
		return take_ttl(value, &e->ttl);
	if (jscan_str_eq(key, "content_hash"))
		return value.p[0] != '"' || take_str(e, value, &e->content_hash);
	if (jscan_str_eq(key, "ghoard"))
		return value.p[0] != '{' || take_ours(e, value);
	if (jscan_str_eq(key, "data"))
		e->data = value;
	return true;
}

/*
 * Where the text after `"data":` begins, if this is one of ours: the first bytes of `data` that follow our
 * own `ghoard` object. The head is small and scanned; the body is not: its CID says whether the slice is
 * right, and the scan of 1 MiB would cost as much as the hash.
 */
static size_t our_data_at(struct span file)
{
	static const char mark[] = "\"},\"data\":";
	struct span head = span_sub(file, 0, ENTRY_HEAD_MAX);
	ptrdiff_t at = span_starts(file, "{\"cache_key\":") ? span_find(head, mark) : -1;

	return at < 0 ? 0 : (size_t)at + sizeof(mark) - 1;
}

static int parse_members(struct entry *e, struct span object)
{
	struct span key, value;
	size_t at = 0;
	int rc;

	while ((rc = jscan_next(object, &at, &key, &value)) == 1)
		if (!take_member(e, key, value))
			return -1;
	return rc;
}

/* For the while the body begins with `0}`, so that the scanner sees a whole small object. */
static bool parse_ours(struct entry *e, struct span file, size_t data_at)
{
	uint8_t *body = buf_data(&e->image) + data_at, kept[2];
	bool ok;

	if (file.n < data_at + sizeof(kept))
		return false;
	memcpy(kept, body, sizeof(kept));
	memcpy(body, "0}", sizeof(kept));
	ok = parse_members(e, span_sub(file, 0, data_at + sizeof(kept))) == 0 && e->ours;
	memcpy(body, kept, sizeof(kept));
	if (!ok)
		return false;
	e->data = span_sub(file, data_at, file.n - data_at - 1);
	return file.p[file.n - 1] == '}' && e->data.n > 0;
}

static bool parse_reference(struct entry *e, struct span file)
{
	return parse_members(e, file) == 0 && e->data.n > 0 && e->timestamp > 0 && !e->ours;
}

/* At most so long are the strings that have escapes; the others are slices of the image. A string begins
 * behind the last quote that no backslash stands before. */
static size_t escaped_len(struct span head)
{
	size_t sum = 0, from = 0;
	bool escapes = false;

	for (size_t i = 0; i < head.n; i++) {
		if (head.p[i] == '\\') {
			escapes = true;
			i++;
		} else if (head.p[i] == '"') {
			sum += escapes ? i - from : 0;
			escapes = false;
			from = i;
		}
	}
	return sum;
}

static bool parse_image(struct entry *e)
{
	struct span file = buf_span(&e->image);
	size_t data_at = our_data_at(file);

	/* Room for all that will ever be put there: the strings with escapes (of ours: those of the head), a
	 * decoded body. */
	buf_init(&e->text, 2 * file.n + 3 * ENTRY_HEAD_MAX);
	if (data_at > 0)
		buf_reserve(&e->text,
		    escaped_len(span_sub(file, 0, data_at)) + 1 +
			(data_at < file.n && file.p[data_at] == '"' ? file.n : 0));
	else
		buf_reserve(&e->text, 2 * file.n + 64);
	if (e->text.failed || file.n == 0)
		return false;
	if (data_at > 0 ? !parse_ours(e, file, data_at) : !parse_reference(e, file))
		return false;
	e->op = span_before(e->key, ':');
	return take_body(e);
}

int entry_parse(struct buf *image, struct entry **out, struct err *err)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		buf_free(image);
		return err_set(err, ERR_INTERNAL, "no memory for an entry");
	}
	e->refs = 1;
	buf_fit(image);
	e->image = *image;
	buf_init(image, image->max);
	if (!parse_image(e)) {
		bool alien = e->alien;

		entry_unref(e);
		if (alien)
			return err_set(err, ERR_NOTFOUND, "a cache entry of another version of ghoard");
		return err_set(err, ERR_DAMAGED, "not a cache entry");
	}
	*out = e;
	return 0;
}

struct entry *entry_ref(struct entry *e)
{
	e->refs++;
	return e;
}

void entry_unref(struct entry *e)
{
	if (e == NULL || --e->refs > 0)
		return;
	buf_free(&e->image);
	buf_free(&e->text);
	free(e);
}

struct span entry_header(const struct entry *e, const char *name)
{
	for (size_t i = 0; i < e->nheaders; i++)
		if (span_eq(e->headers[i].name, name))
			return e->headers[i].value;
	return (struct span){ NULL, 0 };
}

int64_t entry_expires(const struct entry *e)
{
	return e->timestamp + e->ttl * 1000000;
}

size_t entry_size(const struct entry *e)
{
	return sizeof(*e) + e->image.cap + e->text.cap;
}
