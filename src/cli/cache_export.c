#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "crypto/cid.h"
#include "crypto/hash.h"
#include "store/car.h"
#include "store/entry.h"
#include "store/store.h"

#define PROGRESS_EVERY 64

/* The root is the list, whose CID is known when all blocks are out: it goes last, and the header, of fixed
 * length, is written again. */
struct packer {
	const struct cache_sub *sub;
	struct file_hold hold;
	struct buf block, list;
	char **name;
	size_t n, cap, packed;
};

static int note_name(void *arg, const char *name)
{
	struct packer *p = arg;

	if (p->n == p->cap) {
		size_t cap = p->cap == 0 ? 256 : p->cap * 2;
		char **list = realloc(p->name, cap * sizeof(*list));

		if (list == NULL)
			return ERR_INTERNAL;
		p->name = list;
		p->cap = cap;
	}
	p->name[p->n] = str_dup(name);
	return p->name[p->n] != NULL ? (int)(p->n++ > 0) : ERR_INTERNAL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int pack_header(struct packer *p, const uint8_t root[static SHA256_LEN], struct err *err)
{
	buf_clear(&p->block);
	car_put_header(&p->block, root);
	return file_hold_write(&p->hold, buf_data(&p->block), buf_len(&p->block), err);
}

static int pack_block(struct packer *p, struct span bytes, uint8_t digest[static SHA256_LEN], struct err *err)
{
	buf_clear(&p->block);
	hash_sha256(digest, bytes.p, bytes.n);
	car_put_block(&p->block, digest, bytes.p, bytes.n);
	if (p->block.failed)
		return err_set(err, ERR_INTERNAL, "no memory to export an entry of %zu bytes", bytes.n);
	return file_hold_write(&p->hold, buf_data(&p->block), buf_len(&p->block), err);
}

static int pack_entry(struct packer *p, const char *name, const struct entry *e, struct err *err)
{
	uint8_t digest[SHA256_LEN];
	char cid[CID_TEXT_LEN + 1];
	int rc = pack_block(p, buf_span(&e->image), digest, err);

	if (rc != 0)
		return rc;
	cid_text(cid, digest);
	buf_adds(&p->list, p->packed++ > 0 ? ",\n{\"name\":" : "\n{\"name\":");
	json_quote(&p->list, span_of(name), false);
	buf_addf(&p->list, ",\"cid\":\"%s\"}", cid);
	return 0;
}

static int pack_entries(struct packer *p, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct entry *e = NULL;
		int got = cache_sub_load(p->sub->app->store, p->name[i], &e);

		if (got == 1 && cache_sub_is_sound(e, p->name[i]) && buf_len(&e->image) <= CAR_BLOCK_MAX)
			rc = pack_entry(p, p->name[i], e, err);
		else if (got != 0)
			log_warn("%s is left out: it is damaged or too large", p->name[i]);
		entry_unref(e);
		if ((i + 1) % PROGRESS_EVERY == 0)
			app_progress("entries exported:", i + 1, p->n, i + 1 == p->n);
	}
	return rc;
}

static int pack(struct packer *p, struct err *err)
{
	uint8_t root[SHA256_LEN] = { 0 };
	int rc = store_each_name(p->sub->app->store, note_name, p, err);

	if (rc != 0)
		return err_set(err, rc, "no memory to list the entries");
	if (p->n > 0)
		qsort(p->name, p->n, sizeof(p->name[0]), by_text);
	rc = pack_header(p, root, err);
	buf_addc(&p->list, '[');
	if (rc == 0)
		rc = pack_entries(p, err);
	buf_adds(&p->list, "]\n");
	if (rc == 0 && (p->list.failed || buf_len(&p->list) > CAR_BLOCK_MAX))
		rc = err_set(err, ERR_LIMIT,
		    "there are too many entries for one archive; 'ghoard cache rm --prefix' some");
	if (rc == 0)
		rc = pack_block(p, buf_span(&p->list), root, err);
	if (rc == 0 && lseek(p->hold.fd, 0, SEEK_SET) != 0)
		rc = err_sys(err, ERR_IO, "going back to the archive's start");
	return rc != 0 ? rc : pack_header(p, root, err);
}

static int to_stdout(struct packer *p, struct err *err)
{
	int fd = cache_sub_reopen(&p->hold, err), rc;

	if (fd < 0)
		return fd;
	rc = cache_sub_copy(fd, STDOUT_FILENO, "writing the archive to standard output", err);
	close(fd);
	return rc;
}

static int export(struct packer *p, const char *file, struct err *err)
{
	bool dash = cache_sub_is_dash(file);
	int rc = dash ? file_hold(&p->hold, store_dirfd(p->sub->app->store), "export", err) :
	    file_hold(&p->hold, AT_FDCWD, file, err);

	if (rc != 0)
		return rc;
	rc = pack(p, err);
	if (rc == 0 && dash)
		rc = to_stdout(p, err);
	else if (rc == 0)
		return file_commit(&p->hold, file, 0600, true, err);
	file_rollback(&p->hold);
	return rc;
}

int cache_export_run(const struct cache_sub *c, struct err *err)
{
	struct packer p = { .sub = c };
	int rc;

	if (cache_sub_is_dash(c->arg[0]) && isatty(STDOUT_FILENO)) {
		err_set(err, ERR_USAGE,
		    "an archive is nothing for a terminal; name a file, or send it into a pipe");
		return XC_USAGE;
	}
	buf_init(&p.block, CAR_BLOCK_MAX + 4096);
	buf_init(&p.list, CAR_BLOCK_MAX + 4096);
	rc = export(&p, c->arg[0], err);
	if (rc == 0 && c->json && !cache_sub_is_dash(c->arg[0]))
		printf("{\"exported\":%zu}\n", p.packed);
	else if (rc == 0 && !cache_sub_is_dash(c->arg[0]))
		printf("%zu entr%s exported to %s; who can read the file can read the answers\n", p.packed,
		    p.packed == 1 ? "y" : "ies", c->arg[0]);
	for (size_t i = 0; i < p.n; i++)
		free(p.name[i]);
	free(p.name);
	buf_free(&p.block);
	buf_free(&p.list);
	return rc != 0 ? cli_exit_code(err) : XC_OK;
}
