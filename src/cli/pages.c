#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/jscan.h"
#include "cli/pages.h"
#include "http/parse.h"

static int by_name(const void *a, const void *b)
{
	const struct http_field *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = strncasecmp(x->name.p, y->name.p, n);

	return c != 0 ? c : x->name.n < y->name.n ? -1 : x->name.n > y->name.n;
}

/* "content-type" as "Content-Type", the way gh shows every field. */
static void print_name(struct span name)
{
	bool up = true;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (up && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!up && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		putchar(c);
		up = c == '-';
	}
}

void pages_head(const struct http_head *h)
{
	struct http_field f[HTTP_FIELDS_MAX];

	for (size_t i = 0; i < h->nfields; i++)
		f[i] = h->fields[i];
	qsort(f, h->nfields, sizeof(f[0]), by_name);
	printf("HTTP/1.1 %d%s%.*s\n", h->status, h->reason.n > 0 ? " " : "", (int)h->reason.n, h->reason.p);
	for (size_t i = 0; i < h->nfields; i++) {
		print_name(f[i].name);
		printf(": %.*s\r\n", (int)f[i].value.n, f[i].value.p);
	}
	printf("\r\n");
}

static struct span inside(struct span body)
{
	while (body.n > 0 && (uint8_t)body.p[0] <= ' ')
		body = span_sub(body, 1, body.n);
	while (body.n > 0 && (uint8_t)body.p[body.n - 1] <= ' ')
		body.n--;
	return body;
}

void pages_add(struct pages *p, struct span body)
{
	struct span b = inside(body);

	if (b.n < 2 || b.p[0] != '[' || b.p[b.n - 1] != ']') {
		pages_end(p);
		fwrite(body.p, 1, body.n, stdout);
		return;
	}
	if (!p->started)
		putchar('[');
	p->started = true;
	b = inside(span_sub(b, 1, b.n - 2));
	if (b.n == 0)
		return;
	if (p->items)
		putchar(',');
	p->items = true;
	fwrite(b.p, 1, b.n, stdout);
}

void pages_end(struct pages *p)
{
	if (p->started)
		putchar(']');
	p->started = p->items = false;
}

bool pages_info(struct span body, struct span *info)
{
	struct jscan j;
	enum jscan_event ev;
	size_t at = 0, start = 0;
	unsigned depth = 0;
	bool named = false;
	ssize_t n;

	jscan_init(&j);
	while (at < body.n && (n = jscan_feed(&j, body.p + at, body.n - at, &ev)) >= 0) {
		at += (size_t)n;
		if (named && depth == 0 && ev == JSCAN_OBJECT) {
			start = (size_t)j.start;
			depth = j.depth;
		} else if (depth > 0 && ev == JSCAN_OBJECT_END && j.depth < depth) {
			*info = span_sub(body, start, (size_t)j.end - start);
			return true;
		}
		if (depth == 0)
			named = ev == JSCAN_KEY &&
			    jscan_str_eq(span_sub(body, (size_t)j.start, (size_t)(j.end - j.start)),
				"pageInfo");
	}
	return false;
}
