#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cache_sub.h"
#include "cli/cli.h"
#include "store/carfile.h"
#include "store/entry.h"
#include "store/store.h"

#define PROGRESS_EVERY 64

struct packer {
	const struct app *app;
	struct carfile_writer out;
	uint64_t max;			/* bytes of the archive; 0: any */
	char **name;
	size_t n, cap, left_out;
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

static int pack_entries(struct packer *p, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct entry *e = NULL;
		int got = cache_sub_load(p->app->store, p->name[i], &e);
		bool good =
		    got == 1 && cache_sub_is_sound(e, p->name[i]) && buf_len(&e->image) <= CAR_BLOCK_MAX;

		if (good && p->max > 0 && p->out.size + buf_len(&e->image) > p->max)
			p->left_out++;
		else if (good)
			rc = carfile_add(&p->out, p->name[i], buf_span(&e->image), err);
		else if (got != 0)
			log_warn("%s is left out: it is damaged or too large", p->name[i]);
		entry_unref(e);
		if ((i + 1) % PROGRESS_EVERY == 0)
			app_progress("entries exported:", i + 1, p->n, i + 1 == p->n);
	}
	return rc;
}

int cache_export_to(const struct app *a, int fd, uint64_t max, size_t *packed, struct err *err)
{
	struct packer p = { .app = a, .max = max };
	int rc = carfile_begin(&p.out, fd, err);

	if (rc == 0 && store_each_name(a->store, note_name, &p, err) != 0)
		rc = err_set(err, ERR_INTERNAL, "no memory to list the entries");
	if (p.n > 0)
		qsort(p.name, p.n, sizeof(p.name[0]), by_text);
	if (rc == 0)
		rc = pack_entries(&p, err);
	if (rc == 0)
		rc = carfile_end(&p.out, err);
	if (p.left_out > 0)
		log_warn("%zu entries are left out of an archive of %" PRIu64 " MiB; lower cache.max_size",
		    p.left_out, max >> 20);
	*packed = p.out.n;
	for (size_t i = 0; i < p.n; i++)
		free(p.name[i]);
	free(p.name);
	carfile_writer_free(&p.out);
	return rc;
}

static int to_stdout(struct file_hold *h, struct err *err)
{
	int fd = cache_sub_reopen(h, err), rc;

	if (fd < 0)
		return fd;
	rc = cache_sub_copy(fd, STDOUT_FILENO, "writing the archive to standard output", err);
	close(fd);
	return rc;
}

static int export(const struct app *a, const char *file, size_t *packed, struct err *err)
{
	bool dash = cache_sub_is_dash(file);
	struct file_hold h;
	int rc = dash ? file_hold(&h, store_dirfd(a->store), "export", err) :
			file_hold(&h, AT_FDCWD, file, err);

	if (rc != 0)
		return rc;
	rc = cache_export_to(a, h.fd, 0, packed, err);
	if (rc == 0 && dash)
		rc = to_stdout(&h, err);
	else if (rc == 0)
		return file_commit(&h, file, 0600, true, err);
	file_rollback(&h);
	return rc;
}

int cache_export_run(const struct cache_sub *c, struct err *err)
{
	size_t packed = 0;
	int rc;

	if (cache_sub_is_dash(c->arg[0]) && isatty(STDOUT_FILENO)) {
		err_set(err, ERR_USAGE,
		    "an archive is nothing for a terminal; name a file, or send it into a pipe");
		return XC_USAGE;
	}
	rc = export(c->app, c->arg[0], &packed, err);
	if (rc == 0 && c->json && !cache_sub_is_dash(c->arg[0]))
		printf("{\"exported\":%zu}\n", packed);
	else if (rc == 0 && !cache_sub_is_dash(c->arg[0]))
		printf("%zu entr%s exported to %s; who can read the file can read the answers\n", packed,
		    packed == 1 ? "y" : "ies", c->arg[0]);
	return rc != 0 ? cli_exit_code(err) : XC_OK;
}
