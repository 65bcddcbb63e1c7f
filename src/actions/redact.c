#include <stdlib.h>
#include <string.h>

#include "actions/redact.h"
#include "base/buf.h"
#include "base/err.h"

#define HELD_MAX ((size_t)16 << 20)

struct redact {
	struct span *texts;
	size_t n, room;
	bool first[256];	/* does a text begin with that byte? */
	size_t hide;		/* bytes at the front of `held` that belong to an occurrence */
	struct buf held;
};

struct redact *redact_new(void)
{
	struct redact *r = calloc(1, sizeof(*r));

	if (r != NULL)
		buf_init(&r->held, HELD_MAX);
	return r;
}

void redact_free(struct redact *r)
{
	if (r == NULL)
		return;
	buf_wipe(&r->held);
	free(r->texts);
	free(r);
}

int redact_hide(struct redact *r, struct span text)
{
	if (text.n == 0)
		return 0;
	if (r->n == REDACT_MAX)
		return ERR_LIMIT;
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 32;
		struct span *texts = realloc(r->texts, room * sizeof(*texts));

		if (texts == NULL)
			return ERR_INTERNAL;
		r->texts = texts;
		r->room = room;
	}
	r->texts[r->n++] = text;
	r->first[(uint8_t)text.p[0]] = true;
	return 0;
}

/* The longest text that begins at the front of `s`; *open: one could, with more bytes. */
static size_t match(const struct redact *r, struct span s, bool *open)
{
	size_t best = 0;

	if (!r->first[(uint8_t)s.p[0]])
		return 0;
	for (size_t i = 0; i < r->n; i++) {
		struct span t = r->texts[i];
		size_t n = t.n < s.n ? t.n : s.n;

		if (memcmp(t.p, s.p, n) != 0)
			continue;
		if (t.n > s.n)
			*open = true;
		else if (t.n > best)
			best = t.n;
	}
	return best;
}

static void step(struct redact *r, struct buf *out, size_t found)
{
	if (found > r->hide) {
		if (r->hide == 0)
			buf_adds(out, "***");
		r->hide = found;
	}
	if (r->hide > 0)
		r->hide--;
	else
		buf_addc(out, (char)buf_data(&r->held)[0]);
	buf_consume(&r->held, 1);
}

void redact_feed(struct redact *r, struct span in, struct buf *out)
{
	buf_addspan(&r->held, in);
	while (buf_len(&r->held) > 0) {
		bool open = false;
		size_t found = match(r, buf_span(&r->held), &open);

		if (open)
			return;
		step(r, out, found);
	}
}

void redact_end(struct redact *r, struct buf *out)
{
	while (buf_len(&r->held) > 0) {
		bool open = false;

		step(r, out, match(r, buf_span(&r->held), &open));
	}
	r->hide = 0;
}
