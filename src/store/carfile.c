#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/jscan.h"
#include "base/json.h"
#include "crypto/cid.h"
#include "crypto/hash.h"
#include "store/carfile.h"

#define STEP ((size_t)256 << 10)	/* read at a time */

/* ---- writing ---- */

static int put(struct carfile_writer *w, struct err *err)
{
	if (w->block.failed)
		return err_set(err, ERR_INTERNAL, "no memory to write the archive");
	w->size += buf_len(&w->block);
	return file_write_all(w->fd, buf_data(&w->block), buf_len(&w->block)) == 0
	    ? 0
	    : err_sys(err, ERR_IO, "writing the archive");
}

static int put_header(struct carfile_writer *w, const uint8_t root[static CAR_DIGEST_LEN], struct err *err)
{
	buf_clear(&w->block);
	car_put_header(&w->block, root);
	return put(w, err);
}

static int put_block(struct carfile_writer *w, struct span bytes, uint8_t digest[static CAR_DIGEST_LEN],
    struct err *err)
{
	buf_clear(&w->block);
	hash_sha256(digest, bytes.p, bytes.n);
	car_put_block(&w->block, digest, bytes.p, bytes.n);
	return put(w, err);
}

/* The root is the list, whose CID is known when all blocks are out: it goes last, and the header, of fixed
 * length, is written again. */
int carfile_begin(struct carfile_writer *w, int fd, struct err *err)
{
	uint8_t root[CAR_DIGEST_LEN] = { 0 };

	memset(w, 0, sizeof(*w));
	w->fd = fd;
	buf_init(&w->block, CAR_BLOCK_MAX + 4096);
	buf_init(&w->list, CAR_BLOCK_MAX + 4096);
	buf_addc(&w->list, '[');
	return put_header(w, root, err);
}

int carfile_add(struct carfile_writer *w, const char *name, struct span bytes, struct err *err)
{
	uint8_t digest[CAR_DIGEST_LEN];
	char cid[CID_TEXT_LEN + 1];
	int rc = put_block(w, bytes, digest, err);

	if (rc != 0)
		return rc;
	cid_text(cid, digest);
	buf_adds(&w->list, w->n > 0 ? ",\n{\"name\":" : "\n{\"name\":");
	json_quote(&w->list, span_of(name), false);
	buf_addf(&w->list, ",\"cid\":\"%s\"}", cid);
	w->n++;
	return 0;
}

int carfile_end(struct carfile_writer *w, struct err *err)
{
	uint8_t root[CAR_DIGEST_LEN];
	int rc;

	buf_adds(&w->list, "]\n");
	if (w->list.failed || buf_len(&w->list) > CAR_BLOCK_MAX)
		return err_set(err, ERR_LIMIT,
		    "there are too many entries for one archive; 'ghoard cache rm --prefix' some");
	rc = put_block(w, buf_span(&w->list), root, err);
	if (rc == 0 && lseek(w->fd, 0, SEEK_SET) != 0)
		rc = err_sys(err, ERR_IO, "going back to the archive's start");
	return rc != 0 ? rc : put_header(w, root, err);
}

void carfile_writer_free(struct carfile_writer *w)
{
	buf_free(&w->block);
	buf_free(&w->list);
}

/* ---- reading ---- */

struct seen {
	uint8_t digest[CAR_DIGEST_LEN];
	bool listed;
};

struct reader {
	int fd;
	struct buf in;
	size_t used;			/* by the block that was handed out last */
	bool eof;
	uint8_t root[CAR_DIGEST_LEN];
	/* of a check */
	struct seen *seen;
	size_t n, cap;
	struct buf list;
	bool has_list;
};

static int fill(struct reader *r, struct err *err)
{
	uint8_t *to = buf_reserve(&r->in, STEP);
	ssize_t n;

	if (to == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to read the archive");
	do
		n = read(r->fd, to, STEP);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, ERR_IO, "reading the archive");
	r->eof = n == 0;
	buf_commit(&r->in, (size_t)n);
	return 0;
}

/* 1 a block, 0 the end. */
static int next_block(struct reader *r, uint8_t digest[static CAR_DIGEST_LEN], struct span *block,
    struct err *err)
{
	ssize_t used;
	int rc = 0;

	buf_consume(&r->in, r->used);
	r->used = 0;
	while ((used = car_get_block(buf_data(&r->in), buf_len(&r->in), digest, block, err)) == -2 &&
	    rc == 0) {
		if (r->eof && buf_len(&r->in) == 0)
			return 0;
		if (r->eof)
			return err_set(err, ERR_DAMAGED, "the archive ends in the middle of a block");
		rc = fill(r, err);
	}
	if (used < 0)
		return rc != 0 ? rc : ERR_DAMAGED;
	r->used = (size_t)used;
	return 1;
}

static int start(struct reader *r, struct err *err)
{
	ssize_t used;
	int rc = 0;

	if (lseek(r->fd, 0, SEEK_SET) != 0)
		return err_sys(err, ERR_IO, "going to the archive's start");
	while ((used = car_get_header(buf_data(&r->in), buf_len(&r->in), r->root, err)) == -2 && rc == 0) {
		if (r->eof)
			return err_set(err, ERR_DAMAGED, "the archive ends before its header does");
		rc = fill(r, err);
	}
	r->used = used > 0 ? (size_t)used : 0;
	return used > 0 ? 0 : rc != 0 ? rc : ERR_DAMAGED;
}

/* ---- the check of the whole ---- */

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct seen *)a)->digest, ((const struct seen *)b)->digest, CAR_DIGEST_LEN);
}

static int note_digest(struct reader *r, const uint8_t digest[static CAR_DIGEST_LEN], struct err *err)
{
	if (r->n == r->cap) {
		size_t cap = r->cap == 0 ? 256 : r->cap * 2;
		struct seen *list = realloc(r->seen, cap * sizeof(*list));

		if (list == NULL)
			return err_set(err, ERR_INTERNAL, "no memory to check the archive");
		r->seen = list;
		r->cap = cap;
	}
	memcpy(r->seen[r->n].digest, digest, CAR_DIGEST_LEN);
	r->seen[r->n++].listed = false;
	return 0;
}

static bool is_listed(struct reader *r, struct span item)
{
	struct span raw;
	char cid[CID_TEXT_LEN + 1];
	struct seen key, *found;

	if (jscan_member(item, "name", &raw) != 1 || jscan_member(item, "cid", &raw) != 1 ||
	    !jscan_str(raw, cid, sizeof(cid)) || !cid_parse(span_of(cid), key.digest) || r->n == 0)
		return false;
	found = bsearch(&key, r->seen, r->n, sizeof(key), by_digest);
	if (found == NULL || found->listed)
		return false;
	found->listed = true;
	return true;
}

static int check_list(struct reader *r, struct err *err)
{
	struct span key, item;
	size_t at = 0, n = 0;
	int rc;

	if (!r->has_list || !jscan_valid(buf_span(&r->list)) || buf_data(&r->list)[0] != '[')
		return err_set(err, ERR_DAMAGED, "the archive's root is no list of entries");
	if (r->n > 0)
		qsort(r->seen, r->n, sizeof(r->seen[0]), by_digest);
	while ((rc = jscan_next(buf_span(&r->list), &at, &key, &item)) == 1 && is_listed(r, item))
		n++;
	if (rc != 0 || n != r->n)
		return err_set(err, ERR_DAMAGED, "the archive's blocks are not those that its root lists");
	return 0;
}

static bool is_list(struct reader *r, const uint8_t digest[static CAR_DIGEST_LEN], struct span block,
    bool checked)
{
	if (memcmp(digest, r->root, CAR_DIGEST_LEN) != 0 || r->has_list)
		return false;
	r->has_list = true;
	if (checked)
		buf_addspan(&r->list, block);
	return true;
}

int carfile_each(int fd, bool checked, carfile_fn *fn, void *arg, size_t *n, struct err *err)
{
	struct reader r = { .fd = fd };
	uint8_t digest[CAR_DIGEST_LEN];
	struct span block;
	int rc;

	buf_init(&r.in, CAR_BLOCK_MAX + 2 * STEP);
	buf_init(&r.list, CAR_BLOCK_MAX + 1);
	*n = 0;
	rc = start(&r, err);
	while (rc == 0 && (rc = next_block(&r, digest, &block, err)) == 1) {
		rc = 0;
		if (is_list(&r, digest, block, checked))
			continue;
		rc = fn(arg, digest, block, err);
		++*n;
		if (rc == 0 && checked)
			rc = note_digest(&r, digest, err);
	}
	if (rc == 0 && checked)
		rc = check_list(&r, err);
	free(r.seen);
	buf_free(&r.in);
	buf_free(&r.list);
	return rc;
}
