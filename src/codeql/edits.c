#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "codeql/edits.h"

#define PIECE ((size_t)64 << 10)
#define TEXTS_MAX ((size_t)64 << 20)

struct edit {
	uint64_t at, to;		/* to > at: a cut */
	size_t text, len;
	size_t order;
};

void edits_init(struct edits *e)
{
	memset(e, 0, sizeof(*e));
	buf_init(&e->texts, TEXTS_MAX);
}

void edits_free(struct edits *e)
{
	free(e->list);
	buf_free(&e->texts);
	memset(e, 0, sizeof(*e));
}

static int add(struct edits *e, struct edit one)
{
	if (e->n == e->room) {
		size_t room = e->room > 0 ? 2 * e->room : 64;
		struct edit *list = realloc(e->list, room * sizeof(*list));
		if (list == NULL)
			return ERR_INTERNAL;
		e->list = list;
		e->room = room;
	}
	one.order = e->n;
	e->list[e->n++] = one;
	return 0;
}

int edits_cut(struct edits *e, uint64_t from, uint64_t to)
{
	return to > from ? add(e, (struct edit){ .at = from, .to = to }) : 0;
}

int edits_put(struct edits *e, uint64_t at, struct span text)
{
	size_t from = buf_len(&e->texts);

	buf_addspan(&e->texts, text);
	return e->texts.failed ? ERR_INTERNAL :
				 add(e, (struct edit){ .at = at, .to = at, .text = from, .len = text.n });
}

static int by_place(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if ((x->to > x->at) != (y->to > y->at))
		return x->to > x->at ? 1 : -1;
	return x->order < y->order ? -1 : x->order > y->order;
}

struct copy {
	struct edits *edits;
	int fd;
	char *piece;
	uint64_t at;			/* copied or cut up to here */
	int (*out)(void *arg, const void *, size_t, struct err *);
	void *arg;
};

/* Up to `to`, or with UINT64_MAX to the end. */
static int copy_until(struct copy *c, uint64_t to, struct err *err)
{
	while (c->at < to) {
		size_t want = to - c->at < PIECE ? (size_t)(to - c->at) : PIECE;
		ssize_t n = pread(c->fd, c->piece, want, (off_t)c->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, ERR_IO, "reading the SARIF file");
		if (n == 0)
			return to == UINT64_MAX ? 0 : err_set(err, ERR_DAMAGED,
			    "the SARIF file became shorter while it was read");
		int rc = c->out(c->arg, c->piece, (size_t)n, err);
		if (rc != 0)
			return rc;
		c->at += (uint64_t)n;
	}
	return 0;
}

static int apply_one(struct copy *c, const struct edit *e, struct err *err)
{
	int rc = e->at < c->at ? err_set(err, ERR_DAMAGED, "the SARIF file changed while it was read") :
				 copy_until(c, e->at, err);

	if (rc == 0 && e->len > 0)
		rc = c->out(c->arg, buf_data(&c->edits->texts) + e->text, e->len, err);
	if (rc == 0)
		c->at = e->to;
	return rc;
}

int edits_apply(struct edits *e, int fd, int (*out)(void *arg, const void *, size_t, struct err *), void *arg,
    struct err *err)
{
	struct copy c = { .edits = e, .fd = fd, .piece = malloc(PIECE), .out = out, .arg = arg };
	int rc = c.piece == NULL ? err_set(err, ERR_INTERNAL, "no memory to copy SARIF") : 0;

	if (e->n > 1)
		qsort(e->list, e->n, sizeof(e->list[0]), by_place);
	for (size_t i = 0; i < e->n && rc == 0; i++)
		rc = apply_one(&c, &e->list[i], err);
	if (rc == 0)
		rc = copy_until(&c, UINT64_MAX, err);
	free(c.piece);
	return rc;
}
