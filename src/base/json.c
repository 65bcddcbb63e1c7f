#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/json.h"

#define PARSE_DEPTH 100

/* A struct json is a cJSON, and is never anything else. */
static cJSON *node(const struct json *o)
{
	return (cJSON *)(uintptr_t)o;
}

struct json *json_object(void)
{
	return (struct json *)cJSON_CreateObject();
}

struct json *json_array(void)
{
	return (struct json *)cJSON_CreateArray();
}

void json_free(struct json *o)
{
	cJSON_Delete(node(o));
}

/* ---- text ---- */

static void quote_code(struct buf *b, uint32_t code)
{
	if (code >= 0x10000)
		buf_addf(b, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10), 0xdc00 + (code & 0x3ff));
	else
		buf_addf(b, "\\u%04x", code);
}

static void quote_control(struct buf *b, char c)
{
	static const char meant[] = "\b\f\n\r\t", letters[] = "bfnrt";
	const char *at = c ? strchr(meant, c) : NULL;

	if (at)
		buf_addf(b, "\\%c", letters[at - meant]);
	else
		quote_code(b, (uint8_t)c);
}

/* Length of what stands between quotes as it is. */
static size_t quote_run(struct span s, bool ascii)
{
	size_t i = 0;

	while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7f + !ascii && s.p[i] != '"' && s.p[i] != '\\')
		i++;
	return i;
}

void json_quote(struct buf *b, struct span s, bool ascii)
{
	buf_addc(b, '"');
	while (s.n) {
		uint32_t code = 0xfffd;
		size_t n = quote_run(s, ascii);
		if (n) {
			buf_add(b, s.p, n);
		} else if (s.p[0] == '"' || s.p[0] == '\\') {
			buf_addf(b, "\\%c", s.p[0]);
			n = 1;
		} else if ((uint8_t)s.p[0] < 0x20) {
			quote_control(b, s.p[0]);
			n = 1;
		} else {
			n = span_utf8_char(s, &code);
			if (ascii)
				quote_code(b, code);
			else if (n)
				buf_add(b, s.p, n);
			else
				buf_adds(b, "\xef\xbf\xbd");
			n = n ? n : 1;
		}
		s = span_sub(s, n, s.n);
	}
	buf_addc(b, '"');
}

/* ---- building ---- */

/* cJSON keeps C strings and copies bytes to the output as they are: only clean ones may go in. NULL: no
 * memory. */
static char *clean(struct span s)
{
	struct buf b;
	char *copy = NULL;

	if (span_utf8(s))
		return span_dup(s);
	buf_init(&b, BUF_MAX_ANY);
	for (size_t n; s.n; s = span_sub(s, n, s.n)) {
		n = span_utf8_char(s, NULL);
		buf_addspan(&b, n ? span_sub(s, 0, n) : span_of("\xef\xbf\xbd"));
		n = n ? n : 1;
	}
	if (!b.failed)
		copy = span_dup(buf_span(&b));
	buf_free(&b);
	return copy;
}

static bool attach(cJSON *o, const char *key, cJSON *item)
{
	if (!key)
		return cJSON_IsArray(o) && cJSON_AddItemToArray(o, item);
	char *k = clean(span_of(key));
	if (!k)
		return false;
	bool ok = cJSON_IsObject(o);
	if (ok && cJSON_GetObjectItemCaseSensitive(o, k))
		ok = cJSON_ReplaceItemInObjectCaseSensitive(o, k, item);
	else if (ok)
		ok = cJSON_AddItemToObject(o, k, item);
	free(k);
	return ok;
}

/* Takes `item`. An object of type "invalid" makes cJSON refuse to print it and all that holds it. */
static cJSON *put(struct json *to, const char *key, cJSON *item)
{
	cJSON *o = node(to);

	if (o && item && attach(o, key, item))
		return item;
	if (o)
		o->type = cJSON_Invalid;
	cJSON_Delete(item);
	return NULL;
}

void json_put_str(struct json *o, const char *key, const char *s)
{
	if (s)
		json_put_span(o, key, span_of(s));
	else
		json_put_null(o, key);
}

static cJSON *raw_node(struct span text)
{
	char *s = span_dup(text);
	cJSON *item = s ? cJSON_CreateRaw(s) : NULL;

	free(s);
	return item;
}

static cJSON *string_node(struct span s)
{
	cJSON *item = NULL;
	struct buf b;

	if (span_chr(s, '\0') < 0) {
		char *text = clean(s);
		item = text ? cJSON_CreateString(text) : NULL;
		free(text);
		return item;
	}
	/* A C string cannot hold it: it goes in ready-made. */
	buf_init(&b, BUF_MAX_ANY);
	json_quote(&b, s, false);
	if (!b.failed)
		item = raw_node(buf_span(&b));
	buf_free(&b);
	return item;
}

void json_put_span(struct json *o, const char *key, struct span s)
{
	put(o, key, string_node(s));
}

void json_put_int(struct json *o, const char *key, int64_t v)
{
	char text[24];

	/* A cJSON number is a double and loses what is above 2^53. */
	snprintf(text, sizeof text, "%lld", (long long)v);
	put(o, key, cJSON_CreateRaw(text));
}

void json_put_num(struct json *o, const char *key, double v)
{
	put(o, key, cJSON_CreateNumber(v));
}

void json_put_bool(struct json *o, const char *key, bool v)
{
	put(o, key, cJSON_CreateBool(v));
}

void json_put_null(struct json *o, const char *key)
{
	put(o, key, cJSON_CreateNull());
}

void json_put_raw(struct json *o, const char *key, struct span text)
{
	put(o, key, jscan_valid(text) ? raw_node(text) : cJSON_CreateNull());
}

struct json *json_put_object(struct json *o, const char *key)
{
	return (struct json *)put(o, key, cJSON_CreateObject());
}

struct json *json_put_array(struct json *o, const char *key)
{
	return (struct json *)put(o, key, cJSON_CreateArray());
}

/* ---- reading ---- */

struct json *json_last(const struct json *array)
{
	cJSON *a = node(array);

	if (!cJSON_IsArray(a) || cJSON_GetArraySize(a) == 0)
		return NULL;
	return (struct json *)cJSON_GetArrayItem(a, cJSON_GetArraySize(a) - 1);
}

struct json *json_at(const struct json *array, size_t i)
{
	cJSON *a = node(array);

	return cJSON_IsArray(a) && i < INT_MAX ? (struct json *)cJSON_GetArrayItem(a, (int)i) : NULL;
}

struct json *json_get(const struct json *o, const char *key)
{
	return cJSON_IsObject(node(o)) ? (struct json *)cJSON_GetObjectItemCaseSensitive(node(o), key) : NULL;
}

bool json_is_object(const struct json *o)
{
	return cJSON_IsObject(node(o));
}

bool json_is_array(const struct json *o)
{
	return cJSON_IsArray(node(o));
}

const char *json_str(const struct json *o)
{
	return cJSON_GetStringValue(node(o));
}

/* cJSON would make "a" of "a\u0000b". */
static bool holds_nul(struct span token)
{
	struct buf b;

	if (span_find(token, "\\u0000") < 0)
		return false;
	buf_init(&b, BUF_MAX_ANY);
	bool yes = jscan_unescape(token, &b) < 0 || b.failed || span_chr(buf_span(&b), '\0') >= 0;
	buf_free(&b);
	return yes;
}

/* The grammar is jscan's: cJSON's own takes "01", control characters and broken UTF-8. */
static bool acceptable(struct span text)
{
	enum jscan_event ev = JSCAN_NONE;
	struct jscan s;

	jscan_init(&s);
	for (size_t at = 0; at < text.n;) {
		ssize_t r = jscan_feed(&s, text.p + at, text.n - at, &ev);
		if (r < 0 || s.depth > PARSE_DEPTH)
			return false;
		at += (size_t)r;
		struct span token = span_sub(text, (size_t)s.start, (size_t)(s.end - s.start));
		if ((ev == JSCAN_STRING || ev == JSCAN_KEY) && holds_nul(token))
			return false;
	}
	return jscan_end(&s, &ev) == 0;
}

/* Numbers as they are written, in the order of the text. */
struct numbers {
	struct jscan scan;
	struct span text;
	size_t at;
};

static struct span next_number(struct numbers *n)
{
	enum jscan_event ev = JSCAN_NONE;

	while (ev != JSCAN_NUMBER && n->at < n->text.n) {
		ssize_t r = jscan_feed(&n->scan, n->text.p + n->at, n->text.n - n->at, &ev);
		if (r < 0)
			break;
		n->at += (size_t)r;
	}
	if (ev != JSCAN_NUMBER)
		jscan_end(&n->scan, &ev);
	return span_sub(n->text, (size_t)n->scan.start, (size_t)(n->scan.end - n->scan.start));
}

/* Make each number of the tree a copy of its text, so that it is printed as it came. As deep as PARSE_DEPTH.
 */
static bool keep_numbers(cJSON *o, struct numbers *n)
{
	if (cJSON_IsNumber(o)) {
		struct span text = next_number(n);
		o->valuestring = cJSON_malloc(text.n + 1);
		if (!o->valuestring)
			return false;
		span_copy(o->valuestring, text.n + 1, text);
		o->type = cJSON_Raw;
	}
	for (cJSON *c = o->child; c; c = c->next)
		if (!keep_numbers(c, n))
			return false;
	return true;
}

int json_parse(struct span text, struct json **out)
{
	struct numbers n = { .text = text };

	if (text.n > JSON_MAX)
		return ERR_LIMIT;
	if (!acceptable(text))
		return ERR_PROTO;
	cJSON *o = cJSON_ParseWithLength(text.p, text.n);
	if (!o)
		return ERR_INTERNAL;
	jscan_init(&n.scan);
	if (!keep_numbers(o, &n)) {
		cJSON_Delete(o);
		return ERR_INTERNAL;
	}
	*out = (struct json *)o;
	return 0;
}

/* ---- printing ---- */

struct layout {
	struct buf *b;
	bool pretty;
	bool fresh;	/* the container just opened is empty so far */
	bool colon;	/* a key has just been written */
};

static void new_line(struct layout *l, unsigned depth)
{
	if (!l->pretty)
		return;
	buf_addc(l->b, '\n');
	for (unsigned i = 0; i < depth; i++)
		buf_adds(l->b, "  ");
}

/* What stands before a token. */
static void separate(struct layout *l, unsigned depth)
{
	if (l->colon) {
		l->colon = false;
		return;
	}
	if (depth == 0)
		return;
	if (!l->fresh)
		buf_addc(l->b, ',');
	new_line(l, depth);
}

static void lay_out(struct layout *l, enum jscan_event ev, unsigned depth, struct span token)
{
	bool opens = ev == JSCAN_OBJECT || ev == JSCAN_ARRAY;

	if (ev == JSCAN_OBJECT_END || ev == JSCAN_ARRAY_END) {
		if (!l->fresh)
			new_line(l, depth);
	} else {
		separate(l, opens ? depth - 1 : depth);
	}
	buf_addspan(l->b, token);
	if (ev == JSCAN_KEY) {
		buf_adds(l->b, l->pretty ? ": " : ":");
		l->colon = true;
	}
	l->fresh = opens;
}

/* cJSON indents with tabs and hands raw parts on as they are: white space is ours. */
static int print_text(struct span text, bool pretty, struct buf *b)
{
	struct layout l = { b, pretty, false, false };
	enum jscan_event ev;
	struct jscan s;

	jscan_init(&s);
	for (size_t at = 0; at < text.n;) {
		ssize_t r = jscan_feed(&s, text.p + at, text.n - at, &ev);
		if (r < 0)
			return ERR_INTERNAL;
		at += (size_t)r;
		if (ev != JSCAN_NONE)
			lay_out(&l, ev, s.depth, span_sub(text, (size_t)s.start, (size_t)(s.end - s.start)));
	}
	if (jscan_end(&s, &ev) < 0)
		return ERR_INTERNAL;
	if (ev == JSCAN_NUMBER)
		buf_addspan(b, text);
	return b->failed ? ERR_INTERNAL : 0;
}

int json_print(const struct json *o, bool pretty, struct buf *b)
{
	size_t len = buf_len(b);
	char *text = o ? cJSON_PrintUnformatted(node(o)) : NULL;

	if (!text)
		return ERR_INTERNAL;
	int r = print_text(span_of(text), pretty, b);
	cJSON_free(text);
	if (r < 0)
		buf_truncate(b, len);
	return r;
}
