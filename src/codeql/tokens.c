#include <string.h>

#include "base/err.h"
#include "codeql/tokens.h"

void tokens_init(struct tokens *t)
{
	jscan_init(&t->scan);
	buf_init(&t->held, TOKENS_MAX);
	t->held_at = UINT64_MAX;
}

void tokens_free(struct tokens *t)
{
	buf_free(&t->held);
}

static bool has_text(enum jscan_event ev)
{
	return ev == JSCAN_KEY || ev == JSCAN_STRING || ev == JSCAN_NUMBER;
}

/* The token of the event that has just come; the piece began at offset `base`. */
static struct span text_of(struct tokens *t, const char *piece, uint64_t base)
{
	uint64_t n = t->scan.end - t->scan.start;

	if (n > TOKENS_MAX)
		return (struct span){ NULL, 0 };
	if (t->scan.start >= base)
		return span_make(piece + (t->scan.start - base), (size_t)n);
	if (t->held_at != t->scan.start || t->held.failed)
		return (struct span){ NULL, 0 };
	buf_add(&t->held, piece, (size_t)(t->scan.end - base));
	return t->held.failed ? (struct span){ NULL, 0 } : buf_span(&t->held);
}

/* The input ends within a token, perhaps: what there is of it is kept. */
static void hold(struct tokens *t, const char *piece, size_t n, uint64_t base)
{
	uint64_t from = t->scan.start > base ? t->scan.start : base;

	if (t->held_at != t->scan.start) {
		buf_clear(&t->held);
		t->held_at = t->scan.start;
	}
	buf_add(&t->held, piece + (from - base), n - (size_t)(from - base));
}

int tokens_feed(struct tokens *t, const void *p, size_t n, tokens_fn *fn, void *arg)
{
	const char *piece = p;
	uint64_t base = t->scan.pos;
	size_t at = 0;
	enum jscan_event ev;

	while (at < n) {
		ssize_t used = jscan_feed(&t->scan, piece + at, n - at, &ev);
		if (used < 0)
			return ERR_DAMAGED;
		at += (size_t)used;
		if (ev == JSCAN_NONE)
			break;
		int rc = fn(arg, ev, has_text(ev) ? text_of(t, piece, base) : span_make("", 0));
		if (rc < 0)
			return rc;
	}
	if (n > 0 && t->scan.pos > t->scan.end)
		hold(t, piece, n, base);
	return 0;
}

int tokens_end(struct tokens *t, tokens_fn *fn, void *arg)
{
	enum jscan_event ev;

	if (jscan_end(&t->scan, &ev) < 0)
		return ERR_DAMAGED;
	return ev == JSCAN_NONE ? 0 : fn(arg, ev, buf_span(&t->held));
}
