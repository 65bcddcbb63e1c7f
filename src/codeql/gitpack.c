#include <string.h>

#include "base/buf.h"
#include "codeql/gitpack.h"

#define IDX_HEAD ((size_t)8)
#define FANOUT ((size_t)256 * 4)
#define PACK_HEAD ((size_t)12)

static const uint8_t *bytes(struct span s, size_t at)
{
	return (const uint8_t *)s.p + at;
}

static uint64_t big(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* ---- the index: head, fanout, ids, CRCs, offsets, long offsets, two hashes ---- */

static bool offset_of(struct span idx, size_t len, uint64_t count, uint64_t i, uint64_t *at)
{
	size_t table = IDX_HEAD + FANOUT + count * (len + 4), wide = table + count * 4;

	*at = big(bytes(idx, table + i * 4), 4);
	if (!(*at & 0x80000000u))
		return true;
	*at &= 0x7fffffffu;
	if (*at >= (idx.n - wide - 2 * len) / 8)
		return false;
	*at = big(bytes(idx, wide + *at * 8), 8);
	return true;
}

bool gitpack_find(struct span idx, enum objid_format f, const uint8_t *id, uint64_t *at)
{
	size_t len = objid_len(f);

	if (idx.n < IDX_HEAD + FANOUT + 2 * len || memcmp(idx.p, "\377tOc\0\0\0\2", IDX_HEAD) != 0)
		return false;
	uint64_t count = big(bytes(idx, IDX_HEAD + FANOUT - 4), 4);
	uint64_t low = id[0] > 0 ? big(bytes(idx, IDX_HEAD + 4 * ((size_t)id[0] - 1)), 4) : 0;
	uint64_t high = big(bytes(idx, IDX_HEAD + 4 * (size_t)id[0]), 4);
	if (count > (idx.n - IDX_HEAD - FANOUT - 2 * len) / (len + 8) || high > count)
		return false;
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		int c = memcmp(bytes(idx, IDX_HEAD + FANOUT + mid * len), id, len);

		if (c == 0)
			return offset_of(idx, len, count, mid, at);
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* ---- entries ---- */

/* Seven bits a byte, the lowest first. */
static bool take_size(struct span *s, unsigned shift, uint64_t *v)
{
	unsigned char c;

	do {
		if (s->n == 0 || shift > 56)
			return false;
		c = (unsigned char)s->p[0];
		*s = span_sub(*s, 1, s->n);
		*v |= (uint64_t)(c & 127) << shift;
		shift += 7;
	} while (c & 128);
	return true;
}

/* How far back the base stands: seven bits a byte, the highest first, and each continuation adds one. */
static bool take_back(struct span *s, uint64_t *v)
{
	for (*v = 0; s->n > 0 && *v < (uint64_t)1 << 48;) {
		unsigned char c = (unsigned char)s->p[0];

		*s = span_sub(*s, 1, s->n);
		*v = *v << 7 | (c & 127);
		if (!(c & 128))
			return true;
		++*v;
	}
	return false;
}

bool gitpack_entry(struct span pack, enum objid_format f, uint64_t at, struct gitpack_entry *e)
{
	size_t len = objid_len(f);
	uint64_t back;

	*e = (struct gitpack_entry){ 0 };
	if (pack.n < PACK_HEAD + len || memcmp(pack.p, "PACK", 4) != 0 || at < PACK_HEAD ||
	    at >= pack.n - len)
		return false;
	struct span rest = span_sub(pack, at, pack.n - len - at);
	unsigned char c = (unsigned char)rest.p[0];
	rest = span_sub(rest, 1, rest.n);
	e->type = c >> 4 & 7;
	e->size = c & 15;
	if (e->type == 0 || e->type == 5 || ((c & 128) && !take_size(&rest, 4, &e->size)))
		return false;
	if (e->type == GITPACK_NEAR) {
		if (!take_back(&rest, &back) || back == 0 || back > at - PACK_HEAD)
			return false;
		e->base_at = at - back;
	} else if (e->type == GITPACK_FAR) {
		if (rest.n < len)
			return false;
		e->base_id = bytes(rest, 0);
		rest = span_sub(rest, len, rest.n);
	}
	e->data = rest;
	return true;
}

/* ---- deltas ---- */

/* A copy from the base: which of the seven bytes of offset and size are there is in the command's bits. */
static bool take_copy(struct span *d, unsigned command, struct span base, struct buf *out)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 7; i++) {
		if (!(command >> i & 1))
			continue;
		if (d->n == 0)
			return false;
		v |= (uint64_t)(unsigned char)d->p[0] << 8 * i;
		*d = span_sub(*d, 1, d->n);
	}
	uint64_t from = v & 0xffffffffu, n = v >> 32;
	if (n == 0)
		n = 0x10000;
	if (from > base.n || n > base.n - from)
		return false;
	return buf_add(out, base.p + from, n), !out->failed;
}

bool gitpack_delta(struct span base, struct span d, struct buf *out)
{
	uint64_t was = 0, is = 0;
	size_t before = buf_len(out);

	if (!take_size(&d, 0, &was) || was != base.n || !take_size(&d, 0, &is))
		return false;
	while (d.n > 0) {
		unsigned command = (unsigned char)d.p[0];

		d = span_sub(d, 1, d.n);
		if (command & 128) {
			if (!take_copy(&d, command & 127, base, out))
				return false;
			continue;
		}
		if (command == 0 || command > d.n)
			return false;
		buf_add(out, d.p, command);
		d = span_sub(d, command, d.n);
	}
	return !out->failed && buf_len(out) - before == is;
}
