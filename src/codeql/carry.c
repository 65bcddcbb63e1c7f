#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "codeql/carry.h"
#include "codeql/scans_inner.h"
#include "store/carfile.h"
#include "store/entry.h"
#include "store/store.h"

#define ENTRY_MAX ((size_t)256 << 10)
#define SARIF_NAME_MAX (CID_TEXT_LEN + 16)

/* ---- out ---- */

struct pick {
	char name[STORE_NAME_MAX + 1], cid[CID_TEXT_LEN + 1], fingerprint[65];
	int64_t time;
};

struct picks {
	const char *config;
	struct pick *list;
	size_t n;
};

static int by_time(const void *a, const void *b)
{
	int64_t x = ((const struct pick *)a)->time, y = ((const struct pick *)b)->time;

	return (x < y) - (x > y);
}

static int pick(void *arg, const struct scan_row *row)
{
	struct picks *p = arg;
	struct pick *to = &p->list[p->n];

	if (row->answer != SCANS_FOUND || row->label || row->scan == NULL ||
	    strcmp(row->scan->config, p->config) != 0)
		return 0;
	if (p->n == CARRY_SCANS_MAX) {		/* the oldest makes room */
		qsort(p->list, p->n, sizeof(*to), by_time);
		to = &p->list[--p->n];
		if (to->time >= row->entry->timestamp) {
			p->n++;
			return 0;
		}
	}
	snprintf(to->name, sizeof(to->name), "%s", row->name);
	snprintf(to->cid, sizeof(to->cid), "%s", row->scan->cid);
	snprintf(to->fingerprint, sizeof(to->fingerprint), "%s", row->scan->fingerprint);
	to->time = row->entry->timestamp;
	p->n++;
	return 0;
}

static bool is_there(const struct picks *p, size_t before, const char *cid)
{
	for (size_t i = 0; i < before; i++)
		if (p->list[i].name[0] != '\0' && strcmp(p->list[i].cid, cid) == 0)
			return true;
	return false;
}

/* The SARIF, unless it is in the archive already, then the entry. 1: left out. */
static int add(const struct scans *s, struct carfile_writer *w, const struct picks *p, size_t i, uint64_t max,
    struct err *err)
{
	const struct pick *one = &p->list[i];
	char name[SARIF_NAME_MAX], cid[CID_TEXT_LEN + 1];
	bool again = is_there(p, i, one->cid);
	struct buf entry, sarif;
	int rc = 1;

	snprintf(name, sizeof(name), "%s.sarif", one->cid);
	buf_init(&entry, ENTRY_MAX);
	buf_init(&sarif, CAR_BLOCK_MAX);
	if (file_read_at(store_dirfd(s->store), one->name, ENTRY_MAX, &entry, NULL, NULL) != 0 ||
	    (!again &&
		(s->sarif < 0 || file_read_at(s->sarif, name, CAR_BLOCK_MAX, &sarif, NULL, NULL) != 0)))
		goto done;
	cid_of(cid, buf_data(&sarif), buf_len(&sarif));
	if ((!again && strcmp(cid, one->cid) != 0) ||
	    w->size + buf_len(&entry) + buf_len(&sarif) + 1024 > max)
		goto done;
	rc = again ? 0 : carfile_add(w, name, buf_span(&sarif), err);
	if (rc == 0)
		rc = carfile_add(w, one->name, buf_span(&entry), err);
done:
	buf_free(&entry);
	buf_free(&sarif);
	return rc;
}

int carry_out(struct scans *s, const char *config, int64_t max_age, int fd, uint64_t max, struct carried *c,
    struct err *err)
{
	struct picks p = { config, calloc(CARRY_SCANS_MAX, sizeof(struct pick)), 0 };
	struct carfile_writer w = { .fd = -1 };
	int rc = p.list != NULL ? 0 : err_set(err, ERR_INTERNAL, "no memory for an archive of scans");

	memset(c, 0, sizeof(*c));
	if (rc == 0)
		rc = scans_each(s, clock_wall(), max_age, pick, &p, err);
	if (rc == 0)
		rc = carfile_begin(&w, fd, err);
	if (p.n > 0) {
		qsort(p.list, p.n, sizeof(p.list[0]), by_time);
		snprintf(c->newest, sizeof(c->newest), "%s", p.list[0].fingerprint);
	}
	for (size_t i = 0; i < p.n && rc == 0; i++) {
		rc = add(s, &w, &p, i, max, err);
		if (rc == 1) {
			p.list[i].name[0] = '\0';
			c->left_out++;
			rc = 0;
		} else {
			c->n++;
		}
	}
	if (rc == 0)
		rc = carfile_end(&w, err);
	carfile_writer_free(&w);
	free(p.list);
	return rc;
}

/* ---- in ---- */

static struct entry *entry_of(struct span block)
{
	struct entry *e = NULL;
	struct buf image;

	if (block.n > ENTRY_MAX)
		return NULL;
	buf_init(&image, ENTRY_MAX);
	buf_addspan(&image, block);
	if (entry_parse(&image, &e, NULL) != 0) {
		buf_free(&image);
		return NULL;
	}
	return e;
}

static int look(void *arg, const uint8_t digest[static CAR_DIGEST_LEN], struct span block, struct err *err)
{
	struct entry *e = entry_of(block);
	struct scan scan;
	int rc = 0;

	(void)arg;
	(void)digest;
	if (e != NULL && (!entry_cid_ok(e) || !scan_parse(e, &scan)))
		rc = err_set(err, ERR_DAMAGED, "the archive holds an entry that is no scan");
	entry_unref(e);
	return rc;
}

struct taking {
	struct scans *s;
	struct carried *c;
};

static bool is_newer_here(const struct scans *s, const char *name, const struct entry *e)
{
	struct entry *here = NULL;
	struct buf image;
	bool newer;

	buf_init(&image, ENTRY_MAX);
	if (file_read_at(store_dirfd(s->store), name, ENTRY_MAX, &image, NULL, NULL) != 0 ||
	    entry_parse(&image, &here, NULL) != 0) {
		buf_free(&image);
		return false;
	}
	newer = here->timestamp >= e->timestamp;
	entry_unref(here);
	return newer;
}

static int take_entry(struct taking *t, const struct entry *e, const struct scan *scan, struct err *err)
{
	struct scans *s = t->s;
	bool is_signed = s->p.ntrusted > 0 && scan_signed_by(e, s->p.trusted, s->p.ntrusted);
	char key[SCAN_KEY_MAX], tag[32], name[STORE_NAME_MAX + 1], sarif[SARIF_NAME_MAX];
	int rc;

	scan_key(scan, false, key);
	scan_tag(scan, tag);
	snprintf(sarif, sizeof(sarif), "%s.sarif", scan->cid);
	if ((s->p.ntrusted > 0 && !is_signed) || !span_eq(e->key, key) ||
	    !store_name(name, span_of(key), span_of(tag)) || faccessat(s->sarif, sarif, R_OK, 0) != 0) {
		t->c->left_out++;
		return 0;
	}
	if (is_newer_here(s, name, e)) {
		t->c->kept++;
		return 0;
	}
	if (is_signed) {
		rc = file_write(store_dirfd(s->store), name, 0600, true, buf_data(&e->image),
		    buf_len(&e->image), err);
	} else {
		const struct ed25519_key *key_here = s->p.key;

		s->p.key = NULL;		/* a signature would say that this job made it */
		rc = scans_put(s, scan, e->ttl, err);
		s->p.key = key_here;
	}
	t->c->n += rc == 0;
	return rc < 0 ? rc : 0;
}

static int take(void *arg, const uint8_t digest[static CAR_DIGEST_LEN], struct span block, struct err *err)
{
	struct taking *t = arg;
	struct entry *e = entry_of(block);
	char cid[CID_TEXT_LEN + 1], name[SARIF_NAME_MAX];
	struct scan scan;
	int rc = 0;

	if (e == NULL) {
		cid_text(cid, digest);
		snprintf(name, sizeof(name), "%s.sarif", cid);
		rc = file_write(t->s->sarif, name, 0600, false, block.p, block.n, err);
	} else if (scan_parse(e, &scan)) {
		rc = take_entry(t, e, &scan, err);
	}
	entry_unref(e);
	return rc;
}

int carry_in(struct scans *s, int fd, struct carried *c, struct err *err)
{
	struct taking t = { s, c };
	size_t n;
	int rc;

	memset(c, 0, sizeof(*c));
	if (scans_is_read_only(s) || s->sarif < 0)
		return err_set(err, ERR_IO, "the folder %s cannot be written", s->dir);
	rc = carfile_each(fd, true, look, NULL, &n, err);
	return rc != 0 ? rc : carfile_each(fd, false, take, &t, &n, err);
}
