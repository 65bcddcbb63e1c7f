#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/gzip.h"

#define STEP ((size_t)32 << 10)
#define GZIP_WINDOW (15 + 16)	/* 32 KiB, with gzip's head and trailer */

struct gzip {
	z_stream z;
	struct buf *out;
};

struct gzip *gzip_new(struct buf *out)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->out = out;
	if (deflateInit2(&g->z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(g);
		return NULL;
	}
	return g;
}

static int run(struct gzip *g, int flush)
{
	int rc;

	do {
		uint8_t *to = buf_reserve(g->out, STEP);
		if (to == NULL)
			return ERR_LIMIT;
		g->z.next_out = to;
		g->z.avail_out = (uInt)STEP;
		rc = deflate(&g->z, flush);
		buf_commit(g->out, STEP - g->z.avail_out);
	} while (rc == Z_OK && (g->z.avail_out == 0 || g->z.avail_in > 0));
	return rc == Z_STREAM_ERROR ? ERR_INTERNAL : 0;
}

int gzip_add(struct gzip *g, const void *p, size_t n)
{
	const uint8_t *at = p;
	int rc = 0;

	while (rc == 0 && n > 0) {
		size_t part = n < INT_MAX ? n : INT_MAX;
		g->z.next_in = at;
		g->z.avail_in = (uInt)part;
		rc = run(g, Z_NO_FLUSH);
		at += part;
		n -= part;
	}
	return rc;
}

int gzip_end(struct gzip *g)
{
	g->z.next_in = NULL;
	g->z.avail_in = 0;
	return run(g, Z_FINISH);
}

void gzip_free(struct gzip *g)
{
	if (g == NULL)
		return;
	deflateEnd(&g->z);
	free(g);
}
