#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "codeql/convert.h"
#include "crypto/hash.h"

static bool has_value(const struct gitattr *a, enum gitattr_name n)
{
	return a->state[n] == GITATTR_VALUE;
}

/* `text`, and where that is silent its old name `crlf`. */
static void crlf_of(struct convert *c, const struct gitrepo *r, const struct gitattr *a)
{
	enum gitattr_name n = GITATTR_TEXT;

	if (a->state[n] == GITATTR_SILENT || a->state[n] == GITATTR_UNSPECIFIED)
		n = GITATTR_CRLF;
	bool eol = has_value(a, GITATTR_EOL) &&
	    (span_eq(a->value[GITATTR_EOL], "lf") || span_eq(a->value[GITATTR_EOL], "crlf"));
	if (a->state[n] == GITATTR_UNSET)
		c->crlf = CONVERT_NONE;
	else if (has_value(a, n) && span_eq(a->value[n], "auto"))
		c->crlf = CONVERT_AUTO;
	else if (a->state[n] == GITATTR_SET || (has_value(a, n) && span_eq(a->value[n], "input")) || eol)
		c->crlf = CONVERT_TEXT;
	else
		c->crlf = r->autocrlf == CRLF_FALSE ? CONVERT_NONE : CONVERT_AUTO;
}

void convert_init(struct convert *c, const struct gitrepo *r, const struct gitattr *a)
{
	bool filter = has_value(a, GITATTR_FILTER), encoding = has_value(a, GITATTR_ENCODING);

	*c = (struct convert){ .ident = a->state[GITATTR_IDENT] == GITATTR_SET };
	crlf_of(c, r, a);
	c->lfs = filter && span_eq(a->value[GITATTR_FILTER], "lfs");
	c->beyond = (filter && !c->lfs) || encoding;
	c->any = c->crlf != CONVERT_NONE || c->ident || filter || encoding || a->unsure || r->unsure;
}

/* ---- text ---- */

struct census {
	size_t crlf, lone_cr, nul, printable, other;
};

static void count(struct span s, struct census *n)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\r') {
			bool pair = i + 1 < s.n && s.p[i + 1] == '\n';

			n->crlf += pair;
			n->lone_cr += !pair;
			i += pair;
		} else if (c == '\n') {
			continue;
		} else if (c == 0) {
			n->nul++;
		} else if (c == 127 || (c < 32 && !strchr("\b\t\033\014", c))) {
			n->other++;
		} else {
			n->printable++;
		}
	}
	/* an end-of-file mark of old is text */
	if (s.n > 0 && s.p[s.n - 1] == '\032')
		n->other--;
}

static bool lf_only(const struct convert *c, struct span s, struct buf *out)
{
	struct census n = { 0 };
	struct span part;

	if (c->crlf == CONVERT_NONE)
		return false;
	count(s, &n);
	if (n.crlf == 0)
		return false;
	if (c->crlf == CONVERT_AUTO && (n.lone_cr > 0 || n.nul > 0 || n.printable >> 7 < n.other + n.nul))
		return false;
	for (size_t from = 0; from < s.n;) {
		const char *cr = memchr(s.p + from, '\r', s.n - from);
		size_t to = cr ? (size_t)(cr - s.p) : s.n;

		part = span_sub(s, from, to - from);
		buf_addspan(out, part);
		if (cr && !(to + 1 < s.n && s.p[to + 1] == '\n'))
			buf_addc(out, '\r');
		from = to + 1;
	}
	return true;
}

/* "$Id: anything on one line$" becomes "$Id$". */
static bool plain_ident(struct span s, struct buf *out)
{
	bool changed = false;
	size_t from = 0;

	for (;;) {
		ptrdiff_t at = span_find(span_sub(s, from, s.n), "$Id:");
		size_t start = from + (size_t)(at < 0 ? 0 : at), end;

		if (at < 0)
			break;
		for (end = start + 4; end < s.n && s.p[end] != '$' && s.p[end] != '\n'; end++)
			;
		if (end < s.n && s.p[end] == '$') {
			buf_addspan(out, span_sub(s, from, start - from));
			buf_adds(out, "$Id$");
			changed = true;
			from = end + 1;
		} else {
			buf_addspan(out, span_sub(s, from, end - from));
			from = end;
		}
	}
	buf_addspan(out, span_sub(s, from, s.n));
	return changed;
}

/* ---- LFS ---- */

#define LFS_VERSION "version https://git-lfs.github.com/spec/v1\n"

static bool lfs_pointer(struct span s, struct buf *out)
{
	uint8_t digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	if (s.n == 0 || span_starts(s, LFS_VERSION))
		return false;
	hash_sha256(digest, s.p, s.n);
	hex_encode(hex, digest, sizeof(digest));
	buf_addf(out, LFS_VERSION "oid sha256:%s\nsize %zu\n", hex, s.n);
	return true;
}

bool convert_clean(const struct convert *c, struct span bytes, struct buf *out)
{
	struct buf between;

	if (c->beyond)
		return false;
	if (c->lfs)
		return lfs_pointer(bytes, out);
	if (!c->ident)
		return lf_only(c, bytes, out);
	buf_init(&between, BUF_MAX_ANY);
	bool changed = lf_only(c, bytes, &between);
	changed = plain_ident(changed ? buf_span(&between) : bytes, out) || changed;
	buf_free(&between);
	return changed;
}
