#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codeql/linehash.h"

#define END_UNIT 65535u
#define REPLACEMENT 0xfffdu
#define NO_LINE 0u

/* Counts by hash: open addressing, at most half full. A count of 0 is a free slot. */
struct counts {
	struct linehash_value *slots;
	size_t size, used;
};

struct walk {
	uint16_t window[LINEHASH_UNITS];
	uint32_t lines[LINEHASH_UNITS];	/* the line that begins with this unit, NO_LINE: none */
	uint64_t hash, leaving;		/* 37^100 */
	unsigned index;
	uint32_t line;
	bool line_start, after_cr;
	struct counts counts;
	linehash_fn *fn;
	void *arg;
	int rc;				/* 0, 1: enough, ERR_INTERNAL */
};

/* ---- counting ---- */

static struct linehash_value *slot_of(struct counts *c, uint64_t hash)
{
	size_t i = (size_t)(hash ^ hash >> 29) & (c->size - 1);

	while (c->slots[i].count > 0 && c->slots[i].hash != hash)
		i = (i + 1) & (c->size - 1);
	return &c->slots[i];
}

static int grow(struct counts *c)
{
	struct counts more = { .size = c->size > 0 ? 2 * c->size : 256, .used = c->used };

	more.slots = calloc(more.size, sizeof(*more.slots));
	if (more.slots == NULL)
		return ERR_INTERNAL;
	for (size_t i = 0; i < c->size; i++)
		if (c->slots[i].count > 0)
			*slot_of(&more, c->slots[i].hash) = c->slots[i];
	free(c->slots);
	*c = more;
	return 0;
}

static void tell(struct walk *w)
{
	struct linehash_value *slot;

	if (w->rc == 0 && 2 * w->counts.used >= w->counts.size)
		w->rc = grow(&w->counts);
	if (w->rc != 0)
		return;
	slot = slot_of(&w->counts, w->hash);
	w->counts.used += slot->count == 0;
	slot->hash = w->hash;
	slot->count++;
	if (!w->fn(w->arg, w->lines[w->index], *slot))
		w->rc = 1;
	w->lines[w->index] = NO_LINE;
}

/* ---- units ---- */

static void roll(struct walk *w, uint16_t unit)
{
	w->hash = 37 * w->hash + unit - w->leaving * w->window[w->index];
	w->window[w->index] = unit;
	w->index = w->index + 1 == LINEHASH_UNITS ? 0 : w->index + 1;
}

static void on_unit(struct walk *w, uint16_t unit)
{
	if (unit == ' ' || unit == '\t' || (w->after_cr && unit == '\n')) {
		w->after_cr = false;
		return;
	}
	w->after_cr = unit == '\r';
	if (unit == '\r')
		unit = '\n';
	if (w->lines[w->index] != NO_LINE)
		tell(w);
	if (w->line_start)
		w->lines[w->index] = ++w->line;
	w->line_start = unit == '\n';
	roll(w, unit);
}

static void on_code(struct walk *w, uint32_t code)
{
	if (code < 0x10000) {
		on_unit(w, (uint16_t)code);
		return;
	}
	on_unit(w, (uint16_t)(0xd7c0 + (code >> 10)));
	on_unit(w, (uint16_t)(0xdc00 + (code & 0x3ff)));
}

/* How many bytes of a sequence that is not well-formed stand for one U+FFFD: as far as it could have become
 * one. */
static size_t broken_len(struct span s)
{
	uint8_t c = (uint8_t)s.p[0], next = s.n > 1 ? (uint8_t)s.p[1] : 0;
	uint8_t lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	uint8_t hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	size_t want = c >= 0xc2 && c <= 0xdf ? 2
	    : c >= 0xe0 && c <= 0xef	     ? 3
	    : c >= 0xf0 && c <= 0xf4	     ? 4
					     : 1;
	size_t n = 1;

	if (want > 1 && next >= lo && next <= hi)
		for (n = 2; n < want - 1 && n < s.n && ((uint8_t)s.p[n] & 0xc0) == 0x80;)
			n++;
	return n;
}

static void run(struct walk *w, struct span text)
{
	size_t at = 0;
	uint32_t code;

	while (at < text.n && w->rc == 0) {
		uint8_t c = (uint8_t)text.p[at];
		if (c < 0x80) {
			on_unit(w, c);
			at++;
			continue;
		}
		struct span rest = span_sub(text, at, text.n);
		size_t n = span_utf8_char(rest, &code);
		on_code(w, n > 0 ? code : REPLACEMENT);
		at += n > 0 ? n : broken_len(rest);
	}
	if (w->rc == 0)
		on_unit(w, END_UNIT);
	for (unsigned i = 0; i < LINEHASH_UNITS && w->rc == 0; i++) {
		if (w->lines[w->index] != NO_LINE)
			tell(w);
		roll(w, 0);
	}
}

int linehash_walk(struct span text, linehash_fn *fn, void *arg)
{
	struct walk w = { .leaving = 1, .line_start = true, .fn = fn, .arg = arg };

	for (unsigned i = 0; i < LINEHASH_UNITS; i++)
		w.leaving *= 37;
	run(&w, text);
	free(w.counts.slots);
	return w.rc < 0 ? w.rc : 0;
}

/* ---- text ---- */

void linehash_text(struct linehash_value v, char out[static LINEHASH_TEXT_MAX])
{
	snprintf(out, LINEHASH_TEXT_MAX, "%" PRIx64 ":%" PRIu32, v.hash, v.count);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool linehash_parse(struct span text, struct linehash_value *v)
{
	struct span hex = span_before(text, ':');
	uint64_t count;

	v->hash = 0;
	if (hex.n == 0 || hex.n > 16 || hex.n == text.n || (hex.p[0] == '0' && hex.n > 1))
		return false;
	for (size_t i = 0; i < hex.n; i++) {
		int d = digit(hex.p[i]);
		if (d < 0)
			return false;
		v->hash = v->hash << 4 | (uint64_t)d;
	}
	text = span_sub(text, hex.n + 1, text.n);
	if (text.n == 0 || text.p[0] == '0' || !span_u64(text, UINT32_MAX, &count))
		return false;
	v->count = (uint32_t)count;
	return true;
}
