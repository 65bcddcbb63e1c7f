#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/gzip.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/json.h"
#include "github/sarifup.h"

#define PIECE ((size_t)64 << 10)

bool sarifup_ref_ok(struct span ref)
{
	struct span rest = span_sub(ref, 10, ref.n), number;

	for (size_t i = 0; i < ref.n; i++)
		if ((uint8_t)ref.p[i] <= ' ' || ref.p[i] == 0x7f)
			return false;
	if (span_starts(ref, "refs/heads/") || span_starts(ref, "refs/tags/"))
		return ref.n > strlen("refs/heads/") || (span_starts(ref, "refs/tags/") && ref.n > 10);
	number = span_before(rest, '/');
	rest = span_sub(rest, number.n, rest.n);
	uint64_t n;
	return span_starts(ref, "refs/pull/") && span_u64(number, UINT32_MAX, &n) &&
	    (span_eq(rest, "/merge") || span_eq(rest, "/head"));
}

static int pack(int fd, struct buf *gz, struct err *err)
{
	struct gzip *g = gzip_new(gz);
	char *piece = malloc(PIECE);
	int rc = g == NULL || piece == NULL ? err_set(err, ERR_INTERNAL, "no memory to compress SARIF") : 0;
	off_t at = 0;
	ssize_t n = 1;

	while (rc == 0 && n != 0) {
		n = pread(fd, piece, PIECE, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_sys(err, ERR_IO, "reading SARIF");
		else
			rc = n > 0 ? gzip_add(g, piece, (size_t)n) : gzip_end(g);
		at += n > 0 ? n : 0;
	}
	if (rc == ERR_LIMIT || (rc == 0 && buf_len(gz) > SARIFUP_GZIP_MAX))
		rc = err_set(err, ERR_LIMIT,
		    "the SARIF file is larger than 10 MB compressed, which GitHub refuses; "
		    "scan with fewer queries, or by language");
	free(piece);
	gzip_free(g);
	return rc;
}

static void put(struct buf *b, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	buf_addf(b, ",\"%s\":", name);
	json_quote(b, span_of(value), false);
}

int sarifup_body(const struct sarifup *u, int fd, struct buf *b, struct err *err)
{
	struct span commit = span_of(u->commit);
	char started[CLOCK_RFC3339_LEN];
	struct buf gz;
	int rc;

	if ((commit.n != 40 && commit.n != 64) || !hex_is(commit, false))
		return err_set(err, ERR_USAGE, "'%.80s' is not a commit id", u->commit);
	if (!sarifup_ref_ok(span_of(u->ref)))
		return err_set(err, ERR_USAGE,
		    "'%.200s' is not a full ref, such as refs/heads/main or refs/pull/7/merge", u->ref);
	buf_init(&gz, SARIFUP_GZIP_MAX + PIECE);
	rc = pack(fd, &gz, err);
	if (rc == 0) {
		buf_addf(b, "{\"commit_sha\":\"%s\"", u->commit);
		put(b, "ref", u->ref);
		put(b, "tool_name", u->tool);
		put(b, "checkout_uri", u->checkout);
		if (u->started > 0) {
			clock_rfc3339(started, u->started);
			put(b, "started_at", started);
		}
		buf_adds(b, ",\"sarif\":\"");
		b64_encode(b, buf_data(&gz), buf_len(&gz));
		buf_adds(b, "\"}");
		if (b->failed)
			rc = err_set(err, ERR_INTERNAL, "no memory for the upload");
	}
	buf_free(&gz);
	return rc;
}

bool sarifup_id(struct span answer, char *out, size_t size)
{
	struct span v;

	if (jscan_member(answer, "id", &v) != 1 || !jscan_str(v, out, size) || out[0] == '\0')
		return false;
	/* It becomes part of a path. */
	return strspn(out, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == strlen(out);
}

enum sarifup_status sarifup_status(struct span answer, struct buf *why)
{
	struct span v, list, key;
	size_t at = 0;

	if (jscan_member(answer, "processing_status", &v) != 1)
		return SARIFUP_ODD;
	if (jscan_str_eq(v, "pending"))
		return SARIFUP_PENDING;
	if (jscan_str_eq(v, "complete"))
		return SARIFUP_COMPLETE;
	if (!jscan_str_eq(v, "failed"))
		return SARIFUP_ODD;
	if (jscan_member(answer, "errors", &list) == 1)
		while (jscan_next(list, &at, &key, &v) == 1) {
			if (buf_len(why) > 0)
				buf_adds(why, "; ");
			jscan_unescape(v, why);
		}
	return SARIFUP_FAILED;
}
