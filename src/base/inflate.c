#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/inflate.h"

#define LENGTH_MAX 15		/* bits of a code */
#define LITERALS 288
#define DISTANCES 30
#define END_OF_BLOCK 256

struct stream {
	const uint8_t *p, *end;
	uint32_t hold;
	unsigned n;		/* bits in `hold`; below 8 between two calls */
	struct buf *out;
	size_t from;		/* where `out` began: no distance goes further back */
};

/* A canonical code: how many symbols each length has, and the symbols in the order of their codes. */
struct code {
	uint16_t count[LENGTH_MAX + 1], symbol[LITERALS];
};

/* The next bits, at most 16; -1: the input is at its end. */
static int take(struct stream *s, unsigned want)
{
	while (s->n < want) {
		if (s->p == s->end)
			return -1;
		s->hold |= (uint32_t)*s->p++ << s->n;
		s->n += 8;
	}
	int v = (int)(s->hold & ((1u << want) - 1));
	s->hold >>= want;
	s->n -= want;
	return v;
}

/* false: more codes than there is room for, or fewer (which one code alone may be). */
static bool make_code(struct code *c, const uint8_t *lengths, unsigned n)
{
	uint16_t at[LENGTH_MAX + 2] = { 0 };
	unsigned used = 0;
	int room = 1;

	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < n; i++) {
		if (lengths[i] == 0)
			continue;
		c->count[lengths[i]]++;
		used++;
	}
	for (unsigned l = 1; l <= LENGTH_MAX; l++) {
		room = 2 * room - c->count[l];
		if (room < 0)
			return false;
		at[l + 1] = (uint16_t)(at[l] + c->count[l]);
	}
	for (unsigned i = 0; i < n; i++)
		if (lengths[i] > 0)
			c->symbol[at[lengths[i]]++] = (uint16_t)i;
	return room == 0 || used <= 1;
}

static int take_symbol(struct stream *s, const struct code *c)
{
	int code = 0, before = 0;

	/* `code` counts from the first code of its length, `before` are the symbols of shorter ones */
	for (unsigned l = 1; l <= LENGTH_MAX; l++) {
		int bit = take(s, 1);

		if (bit < 0)
			return -1;
		code = 2 * code + bit;
		if (code < c->count[l])
			return c->symbol[before + code];
		code -= c->count[l];
		before += c->count[l];
	}
	return -1;
}

/* RFC 1951, 3.2.5: a base and extra bits for each symbol; both tables are regular. */
static int take_length(struct stream *s, int symbol)
{
	int c = symbol - END_OF_BLOCK - 1, bits = c < 8 ? 0 : (c >> 2) - 1, more;

	if (c == 28)
		return 258;
	more = c > 28 ? -1 : take(s, (unsigned)bits);
	return more < 0 ? -1 : (c < 8 ? 3 + c : 3 + ((4 + (c & 3)) << bits)) + more;
}

static int take_distance(struct stream *s, const struct code *c)
{
	int d = take_symbol(s, c), bits = d < 4 ? 0 : (d >> 1) - 1, more;

	more = d < 0 || d >= DISTANCES ? -1 : take(s, (unsigned)bits);
	return more < 0 ? -1 : (d < 4 ? 1 + d : 1 + ((2 + (d & 1)) << bits)) + more;
}

static int copy_back(struct stream *s, size_t distance, size_t n)
{
	if (distance > buf_len(s->out) - s->from)
		return ERR_DAMAGED;
	while (n-- > 0 && !s->out->failed)
		buf_addc(s->out, (char)buf_data(s->out)[buf_len(s->out) - distance]);
	return 0;
}

static int read_codes(struct stream *s, const struct code *literals, const struct code *distances)
{
	while (!s->out->failed) {
		int symbol = take_symbol(s, literals), length, distance;

		if (symbol == END_OF_BLOCK)
			return 0;
		if (symbol < 0)
			return ERR_DAMAGED;
		if (symbol < END_OF_BLOCK) {
			buf_addc(s->out, (char)symbol);
			continue;
		}
		length = take_length(s, symbol);
		distance = length < 0 ? -1 : take_distance(s, distances);
		if (distance < 0 || copy_back(s, (size_t)distance, (size_t)length) != 0)
			return ERR_DAMAGED;
	}
	return ERR_LIMIT;
}

/* ---- blocks ---- */

static int read_stored(struct stream *s)
{
	s->hold = 0;
	s->n = 0;
	if (s->end - s->p < 4)
		return ERR_DAMAGED;
	size_t n = s->p[0] | (size_t)s->p[1] << 8, check = s->p[2] | (size_t)s->p[3] << 8;
	s->p += 4;
	if (n != (check ^ 0xffff) || (size_t)(s->end - s->p) < n)
		return ERR_DAMAGED;
	buf_add(s->out, s->p, n);
	s->p += n;
	return s->out->failed ? ERR_LIMIT : 0;
}

static int read_fixed(struct stream *s)
{
	uint8_t lengths[LITERALS];
	struct code literals, distances;

	for (unsigned i = 0; i < LITERALS; i++)
		lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	make_code(&literals, lengths, LITERALS);
	memset(lengths, 5, 32);
	make_code(&distances, lengths, 32);
	return read_codes(s, &literals, &distances);
}

/* The lengths of both codes, themselves coded: 16 repeats the last one, 17 and 18 zeros. */
static int read_lengths(struct stream *s, const struct code *c, uint8_t *lengths, unsigned n)
{
	static const uint8_t bits[] = { 2, 3, 7 }, least[] = { 3, 3, 11 };

	for (unsigned i = 0; i < n;) {
		int symbol = take_symbol(s, c), more;
		uint8_t value = symbol == 16 && i > 0 ? lengths[i - 1] : 0;

		if (symbol < 0 || (symbol == 16 && i == 0))
			return ERR_DAMAGED;
		if (symbol < 16) {
			lengths[i++] = (uint8_t)symbol;
			continue;
		}
		more = take(s, bits[symbol - 16]);
		if (more < 0 || (unsigned)more + least[symbol - 16] > n - i)
			return ERR_DAMAGED;
		memset(lengths + i, value, (size_t)more + least[symbol - 16]);
		i += (unsigned)more + least[symbol - 16];
	}
	return 0;
}

static int read_dynamic(struct stream *s)
{
	static const uint8_t order[] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	uint8_t lengths[LITERALS + 32] = { 0 };
	struct code literals, distances;
	int nl = take(s, 5), nd = take(s, 5), nc = take(s, 4);

	if (nl < 0 || nl > 29 || nd < 0 || nd >= DISTANCES || nc < 0)
		return ERR_DAMAGED;
	for (int i = 0; i < nc + 4; i++) {
		int v = take(s, 3);

		if (v < 0)
			return ERR_DAMAGED;
		lengths[order[i]] = (uint8_t)v;
	}
	if (!make_code(&literals, lengths, sizeof(order)))
		return ERR_DAMAGED;
	unsigned n = (unsigned)nl + 257;
	memset(lengths, 0, sizeof(lengths));
	if (read_lengths(s, &literals, lengths, n + (unsigned)nd + 1) != 0 || lengths[END_OF_BLOCK] == 0 ||
	    !make_code(&literals, lengths, n) || !make_code(&distances, lengths + n, (unsigned)nd + 1))
		return ERR_DAMAGED;
	return read_codes(s, &literals, &distances);
}

int inflate_zlib(struct span in, struct buf *out)
{
	struct stream s = { .out = out, .from = buf_len(out) };
	int rc = 0, last = 0;

	s.p = (const uint8_t *)in.p;
	s.end = s.p + in.n;
	/* RFC 1950: deflate, the check of the two bytes, no preset dictionary */
	if (in.n < 2 || (s.p[0] & 15) != 8 || ((unsigned)s.p[0] << 8 | s.p[1]) % 31 != 0 || (s.p[1] & 32))
		return ERR_DAMAGED;
	s.p += 2;
	while (rc == 0 && !last) {
		last = take(&s, 1);
		int kind = take(&s, 2);

		if (last < 0 || kind < 0 || kind == 3)
			return ERR_DAMAGED;
		rc = kind == 0 ? read_stored(&s) : kind == 1 ? read_fixed(&s) : read_dynamic(&s);
	}
	return rc;
}
