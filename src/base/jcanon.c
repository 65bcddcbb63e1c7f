#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jcanon.h"
#include "base/jscan.h"
#include "base/json.h"

#define TEXT_MAX ((size_t)1 << 20)

/*
 * The text as an array in its own order: a container is followed by what it holds, a key by its value. Keys
 * have to be sorted by what they mean, so strings are decoded once, into one buffer. 1 MiB of "1,1,…" takes 8
 * MiB for a moment.
 */
struct canon_node {
	uint32_t from, n;	/* bytes: of `strings` for keys and strings, of the text for the others */
	uint32_t after;		/* the first node that is not inside */
	uint32_t ev;
};

struct member {
	struct span key;
	uint32_t node;
};

struct canon {
	struct span text;
	struct canon_node *nodes;
	uint32_t n;
	struct member *members;	/* of each object that has been printed, one after the other */
	uint32_t nmembers, keys;
	struct buf strings;
	struct buf *out;
};

/* ---- reading ---- */

static int count_nodes(struct canon *c, size_t *count)
{
	enum jscan_event ev;
	struct jscan s;

	*count = 0;
	jscan_init(&s);
	for (size_t at = 0; at < c->text.n;) {
		ssize_t r = jscan_feed(&s, c->text.p + at, c->text.n - at, &ev);
		if (r < 0)
			return ERR_PROTO;
		at += (size_t)r;
		*count += ev != JSCAN_NONE && ev != JSCAN_OBJECT_END && ev != JSCAN_ARRAY_END;
		c->keys += ev == JSCAN_KEY;
	}
	if (jscan_end(&s, &ev) < 0)
		return ERR_PROTO;
	*count += ev == JSCAN_NUMBER;
	return 0;
}

static void add_node(struct canon *c, enum jscan_event ev, struct span token)
{
	struct canon_node *node = &c->nodes[c->n++];

	node->ev = (uint32_t)ev;
	node->after = c->n;
	node->from = (uint32_t)(token.p - c->text.p);
	node->n = (uint32_t)token.n;
	if (ev != JSCAN_KEY && ev != JSCAN_STRING)
		return;
	node->from = (uint32_t)buf_len(&c->strings);
	jscan_unescape(token, &c->strings);
	node->n = (uint32_t)buf_len(&c->strings) - node->from;
}

static void read_nodes(struct canon *c)
{
	uint32_t open[JSCAN_DEPTH];
	enum jscan_event ev;
	struct jscan s;

	jscan_init(&s);
	for (size_t at = 0; at < c->text.n;) {
		at += (size_t)jscan_feed(&s, c->text.p + at, c->text.n - at, &ev);
		if (ev == JSCAN_OBJECT_END || ev == JSCAN_ARRAY_END) {
			c->nodes[open[s.depth]].after = c->n;
			continue;
		}
		if (ev == JSCAN_OBJECT || ev == JSCAN_ARRAY)
			open[s.depth - 1] = c->n;
		if (ev != JSCAN_NONE)
			add_node(c, ev, span_sub(c->text, (size_t)s.start, (size_t)(s.end - s.start)));
	}
	if (jscan_end(&s, &ev) == 0 && ev == JSCAN_NUMBER)
		add_node(c, ev, span_sub(c->text, (size_t)s.start, (size_t)(s.end - s.start)));
}

static int read_text(struct canon *c)
{
	size_t count;

	int r = count_nodes(c, &count);
	if (r < 0)
		return r;
	c->nodes = calloc(count, sizeof *c->nodes);
	c->members = calloc((size_t)c->keys + 1, sizeof *c->members);
	if (!c->nodes || !c->members)
		return ERR_INTERNAL;
	read_nodes(c);
	return c->strings.failed ? ERR_INTERNAL : 0;
}

/* ---- numbers ---- */

/* A decimal of `n` digits d.ddd times ten to the `exp`. */
struct decimal {
	char digits[24];
	int n, exp;
	bool minus;
};

static void to_decimal(struct decimal *d, double v, int n)
{
	char text[40];

	snprintf(text, sizeof text, "%.*e", n - 1, fabs(v));
	d->minus = signbit(v);
	d->n = n;
	d->digits[0] = text[0];
	if (n > 1)
		memcpy(d->digits + 1, text + 2, (size_t)n - 1);
	d->exp = atoi(strchr(text, 'e') + 1);
}

/* The next larger decimal with as many digits. None behind a 9: the carry would make a shorter one, which has
 * been tried. */
static bool step_up(struct decimal *d)
{
	if (d->digits[d->n - 1] == '9')
		return false;
	d->digits[d->n - 1]++;
	return true;
}

static bool reads_as(const struct decimal *d, double v)
{
	char text[40];

	snprintf(text, sizeof text, "%s%.*se%d", d->minus ? "-" : "", d->n, d->digits, d->exp - (d->n - 1));
	return strtod(text, NULL) == v;
}

/*
 * The shortest decimal that reads as `v`, the nearest if there are several: what repr() prints. Up to 15
 * digits survive the way through a double and back, so for normal numbers the search starts there. Below a
 * power of two doubles are twice as dense as above: there the nearest decimal may miss where the one above it
 * hits (2^-44 is 5.684341886080802e-14).
 */
static void shortest(struct decimal *d, double v)
{
	int n = fabs(v) < 2.2250738585072014e-308 ? 1 : 15;

	for (; n < 17; n++) {
		to_decimal(d, v, n);
		if (reads_as(d, v))
			break;
		if (step_up(d) && reads_as(d, v))
			break;
	}
	if (n == 17)
		to_decimal(d, v, n);
	while (d->n > 1 && d->digits[d->n - 1] == '0')
		d->n--;
}

/* As repr(): 1e-05 and 1e+16 with an exponent of two digits at least, from 0.0001 to 9999999999999998.0
 * without. */
static void put_decimal(struct buf *b, const struct decimal *d)
{
	int after = d->n - 1 - d->exp;	/* digits behind the point, if it is written out */

	if (d->minus)
		buf_addc(b, '-');
	if (d->exp < -4 || d->exp >= 16)
		buf_addf(b, "%c%s%.*se%c%02d", d->digits[0], d->n > 1 ? "." : "", d->n - 1, d->digits + 1,
		    d->exp < 0 ? '-' : '+', abs(d->exp));
	else if (d->exp < 0)
		buf_addf(b, "0.%.*s%.*s", -d->exp - 1, "000", d->n, d->digits);
	else if (after > 0)
		buf_addf(b, "%.*s.%.*s", d->exp + 1, d->digits, after, d->digits + d->exp + 1);
	else
		buf_addf(b, "%.*s%.*s.0", d->n, d->digits, -after, "000000000000000");
}

static int put_float(struct buf *b, struct span text)
{
	struct decimal d;
	char *copy = span_dup(text);

	if (!copy)
		return ERR_INTERNAL;
	double v = strtod(copy, NULL);
	free(copy);
	/* Python would write "Infinity", which is not JSON. */
	if (isinf(v))
		return ERR_PROTO;
	if (v == 0)
		d = (struct decimal){ .digits = "0", .n = 1, .minus = signbit(v) };
	else
		shortest(&d, v);
	put_decimal(b, &d);
	return 0;
}

static int put_number(struct buf *b, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (memchr(".eE", text.p[i], 3))
			return put_float(b, text);
	/* An int has no minus zero. */
	buf_addspan(b, span_eq(text, "-0") ? span_of("0") : text);
	return 0;
}

/* ---- printing ---- */

static int by_key(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int r = span_cmp(x->key, y->key);

	/* UTF-8 sorts as its code points do. Of equals, the last in the text is to stand last. */
	return r ? r : (x->node > y->node) - (x->node < y->node);
}

static struct span node_string(const struct canon *c, uint32_t i)
{
	return span_sub(buf_span(&c->strings), c->nodes[i].from, c->nodes[i].n);
}

static int put_value(struct canon *c, uint32_t at);

static int put_array(struct canon *c, uint32_t at)
{
	uint32_t after = c->nodes[at].after;

	buf_addc(c->out, '[');
	for (uint32_t i = at + 1; i < after; i = c->nodes[i].after) {
		if (i > at + 1)
			buf_adds(c->out, ", ");
		int r = put_value(c, i);
		if (r < 0)
			return r;
	}
	buf_addc(c->out, ']');
	return 0;
}

static int put_members(struct canon *c, const struct member *m, uint32_t n)
{
	bool first = true;

	for (uint32_t i = 0; i < n; i++) {
		if (i + 1 < n && span_same(m[i].key, m[i + 1].key))
			continue;
		if (!first)
			buf_adds(c->out, ", ");
		first = false;
		json_quote(c->out, m[i].key, true);
		buf_adds(c->out, ": ");
		int r = put_value(c, m[i].node + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_object(struct canon *c, uint32_t at)
{
	uint32_t after = c->nodes[at].after, first = c->nmembers;

	for (uint32_t i = at + 1; i < after; i = c->nodes[i + 1].after)
		c->members[c->nmembers++] = (struct member){ node_string(c, i), i };
	uint32_t n = c->nmembers - first;
	qsort(c->members + first, n, sizeof *c->members, by_key);
	buf_addc(c->out, '{');
	int r = put_members(c, c->members + first, n);
	buf_addc(c->out, '}');
	return r;
}

/* Recursion is bounded by JSCAN_DEPTH, which the scanner has enforced. */
static int put_value(struct canon *c, uint32_t at)
{
	const struct canon_node *node = &c->nodes[at];

	switch ((enum jscan_event)node->ev) {
	case JSCAN_OBJECT:
		return put_object(c, at);
	case JSCAN_ARRAY:
		return put_array(c, at);
	case JSCAN_STRING:
		json_quote(c->out, node_string(c, at), true);
		return 0;
	case JSCAN_NUMBER:
		return put_number(c->out, span_sub(c->text, node->from, node->n));
	case JSCAN_TRUE:
	case JSCAN_FALSE:
	case JSCAN_NULL:
		buf_addspan(c->out, span_sub(c->text, node->from, node->n));
		return 0;
	case JSCAN_NONE:
	case JSCAN_KEY:
	case JSCAN_OBJECT_END:
	case JSCAN_ARRAY_END:
		break;
	}
	return ERR_INTERNAL;
}

int jcanon(struct span text, struct buf *out)
{
	struct canon c = { .text = text, .out = out };
	size_t len = buf_len(out);

	if (text.n > TEXT_MAX)
		return ERR_LIMIT;
	buf_init(&c.strings, BUF_MAX_ANY);
	int r = read_text(&c);
	if (r == 0)
		r = put_value(&c, 0);
	if (r == 0 && out->failed)
		r = ERR_LIMIT;
	if (r < 0)
		buf_truncate(out, len);
	buf_free(&c.strings);
	free(c.nodes);
	free(c.members);
	return r;
}
