#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "codeql/scans_inner.h"
#include "store/entry.h"
#include "store/store.h"

/* Younger than this, a file may belong to a scan that is under way, whose check left the manifest. */
#define ORPHAN_S 86400

struct sweep {
	struct scans *s;
	int64_t now, keep_s, removed;
	char (*names)[72]; /* of SARIF files and manifests that are named, without their endings */
	size_t n, room;
	bool failed;
};

static void remember(struct sweep *w, const char *name)
{
	if (name[0] == '\0' || strlen(name) >= sizeof(w->names[0]))
		return;
	if (w->n == w->room) {
		size_t room = w->room > 0 ? 2 * w->room : 256;
		void *more = realloc(w->names, room * sizeof(w->names[0]));
		if (more == NULL) {
			w->failed = true;
			return;
		}
		w->names = more;
		w->room = room;
	}
	strcpy(w->names[w->n++], name);
}

static int sweep_entry(void *arg, const struct scan_row *row)
{
	struct sweep *w = arg;

	if (row->scan == NULL)		/* not ours to judge */
		return 0;
	if ((w->now - row->entry->timestamp) / CLOCK_SEC > w->keep_s) {
		w->removed += scans_remove(w->s, row->name, NULL) == 0;
		return 0;
	}
	remember(w, row->scan->cid);
	remember(w, row->scan->manifest);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_named(const struct sweep *w, const char *file)
{
	char stem[72];
	size_t n = strcspn(file, ".");

	if (n >= sizeof(stem))
		return false;
	memcpy(stem, file, n);
	stem[n] = '\0';
	return w->n > 0 && bsearch(stem, w->names, w->n, sizeof(w->names[0]), by_text) != NULL;
}

/* Files of a folder that nobody names (`w` NULL: all), older than `age_s`. */
static void empty_folder(const struct sweep *w, int folder, int64_t age_s, int64_t now)
{
	int fd = folder >= 0 ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	struct stat st;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((de = readdir(d)) != NULL)
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
		    now / CLOCK_SEC - st.st_mtime >= age_s && (w == NULL || !is_named(w, de->d_name)))
			unlinkat(fd, de->d_name, 0);
	closedir(d);
}

int64_t scans_sweep(struct scans *s, int64_t now, int64_t keep_s)
{
	struct sweep w = { .s = s, .now = now, .keep_s = keep_s };

	if (store_is_read_only(s->store))
		return 0;
	if (scans_each(s, now, keep_s, sweep_entry, &w, NULL) == 0 && !w.failed) {
		if (w.n > 1)
			qsort(w.names, w.n, sizeof(w.names[0]), by_text);
		empty_folder(&w, s->sarif, ORPHAN_S, now);
		empty_folder(&w, s->trees, ORPHAN_S, now);
		empty_folder(NULL, s->counted, keep_s, now);
	}
	free(w.names);
	return w.removed;
}

struct clearing {
	struct scans *s;
	int64_t removed;
	struct err *err;
};

static int clear_one(void *arg, const char *name)
{
	struct clearing *c = arg;
	int rc = store_remove(c->s->store, name, c->err);

	c->removed += rc == 0;
	return rc;
}

int64_t scans_clear(struct scans *s, struct err *err)
{
	struct clearing c = { s, 0, err };
	int64_t forever = INT64_MIN / 2;
	int rc;

	if (store_is_read_only(s->store))
		return err_set(err, ERR_IO, "the folder %s cannot be written", s->dir);
	rc = store_each_name(s->store, clear_one, &c, err);
	if (rc != 0)
		return rc;
	empty_folder(NULL, s->sarif, forever, 0);
	empty_folder(NULL, s->trees, forever, 0);
	empty_folder(NULL, s->counted, forever, 0);
	return c.removed;
}
