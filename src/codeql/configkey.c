#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/json.h"
#include "codeql/configkey.h"

#define NAME_MAX_LEN 256
#define UNPINNED_MAX 4096

void configkey_init(struct configkey *k)
{
	memset(k, 0, sizeof(*k));
	buf_init(&k->unpinned, UNPINNED_MAX);
}

void configkey_free(struct configkey *k)
{
	for (size_t i = 0; i < k->n; i++) {
		free(k->fields[i].name);
		free(k->fields[i].shown);
	}
	free(k->fields);
	buf_free(&k->unpinned);
	memset(k, 0, sizeof(*k));
}

static bool is_plain(struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((uint8_t)v.p[i] < ' ' || v.p[i] == 0x7f)
			return false;
	return v.n <= CONFIGKEY_SHOWN_MAX && span_utf8(v);
}

static void add(struct configkey *k, const char *name, struct span value, char *shown)
{
	struct configkey_field *f;

	if (k->n == k->room) {
		size_t room = k->room > 0 ? 2 * k->room : 64;
		f = realloc(k->fields, room * sizeof(*f));
		if (f == NULL) {
			k->failed = true;
			free(shown);
			return;
		}
		k->fields = f;
		k->room = room;
	}
	f = &k->fields[k->n++];
	f->name = str_dup(name);
	f->shown = shown;
	hash_sha256(f->digest, value.p, value.n);
	k->failed |= f->name == NULL || f->shown == NULL;
}

static char *digest_text(const char *front, struct span value, size_t bytes)
{
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1], text[96];

	hash_sha256(digest, value.p, value.n);
	hex_encode(hex, digest, bytes);
	snprintf(text, sizeof(text), "%s%s", front, hex);
	return str_dup(text);
}

void configkey_add(struct configkey *k, const char *name, struct span value)
{
	add(k, name, value, is_plain(value) ? span_dup(value) : digest_text("sha256:", value, 8));
}

void configkey_add_hidden(struct configkey *k, const char *name, struct span value)
{
	add(k, name, value, digest_text("hidden:", value, 4));
}

void configkey_unpinned(struct configkey *k, const char *fmt, ...)
{
	va_list ap;

	if (buf_len(&k->unpinned) > 0)
		buf_adds(&k->unpinned, "; ");
	va_start(ap, fmt);
	buf_addv(&k->unpinned, fmt, ap);
	va_end(ap);
	if (k->unpinned.failed) {		/* there are more than one wants to read */
		k->unpinned.failed = false;
		if (buf_len(&k->unpinned) == 0)
			buf_adds(&k->unpinned, "more than can be listed");
	}
}

static int by_name(const void *a, const void *b)
{
	const struct configkey_field *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int configkey_finish(struct configkey *k, struct err *err)
{
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;

	if (k->failed)
		return err_set(err, ERR_INTERNAL, "no memory for the configuration key");
	if (k->n > 1)
		qsort(k->fields, k->n, sizeof(k->fields[0]), by_name);
	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of("ghoard scan config " CONFIGKEY_VERSION));
	for (size_t i = 0; i < k->n; i++) {
		if (i > 0 && strcmp(k->fields[i].name, k->fields[i - 1].name) == 0)
			return err_set(err, ERR_USAGE, "the configuration has %s twice", k->fields[i].name);
		hash_sha256_field(&h, span_of(k->fields[i].name));
		hash_sha256_field(&h, span_make(k->fields[i].digest, SHA256_LEN));
	}
	hash_sha256_out(&h, digest);
	hex_encode(k->hash, digest, SHA256_LEN);
	return 0;
}

void configkey_json(const struct configkey *k, struct buf *b)
{
	buf_addc(b, '{');
	for (size_t i = 0; i < k->n; i++) {
		if (i > 0)
			buf_addc(b, ',');
		json_quote(b, span_of(k->fields[i].name), false);
		buf_addc(b, ':');
		json_quote(b, span_of(k->fields[i].shown), false);
	}
	buf_addc(b, '}');
}

/* ---- differences ---- */

static const struct configkey_field *find(const struct configkey *k, const char *name)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->fields[i].name, name) == 0)
			return &k->fields[i];
	return NULL;
}

static bool stands_in(struct span object, const char *name)
{
	struct span v;

	return jscan_member(object, name, &v) == 1;
}

int configkey_diff(struct span was, const struct configkey *now, configkey_diff_fn *fn, void *arg)
{
	char name[NAME_MAX_LEN], text[4 * CONFIGKEY_SHOWN_MAX];
	struct span key, value;
	size_t at = 0;
	int rc;

	while ((rc = jscan_next(was, &at, &key, &value)) == 1) {
		const struct configkey_field *f;
		if (key.n == 0 || !jscan_str(key, name, sizeof(name)) ||
		    !jscan_str(value, text, sizeof(text)))
			return -1;
		f = find(now, name);
		if (f == NULL || strcmp(f->shown, text) != 0)
			fn(arg, name, text, f != NULL ? f->shown : NULL);
	}
	for (size_t i = 0; i < now->n && rc == 0; i++)
		if (!stands_in(was, now->fields[i].name))
			fn(arg, now->fields[i].name, NULL, now->fields[i].shown);
	return rc;
}
