#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "codeql/proof.h"

#define TEXTS_MAX ((size_t)64 << 20)

struct item {
	uint64_t at;			/* for a fill */
	uint32_t number, file, line;
	uint32_t count;			/* of the hash it has; 0: it has none, or none that can be read */
	uint64_t hash;
	bool has, inside, empty, known;
};

struct file {
	uint32_t uri, rule;		/* offsets into texts; the rule of the first result there */
};

struct proof {
	const char *source;
	bool fill;
	struct item *items;
	size_t n, room;
	struct file *files;
	size_t nfiles, files_room;
	uint32_t *slots;		/* of files by address, number + 1; a power of two */
	size_t nslots;
	struct buf texts;
	size_t checked;
};

struct proof *proof_new(const char *source, bool fill)
{
	struct proof *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->source = source;
	p->fill = fill;
	buf_init(&p->texts, TEXTS_MAX);
	return p;
}

void proof_free(struct proof *p)
{
	if (p == NULL)
		return;
	free(p->items);
	free(p->files);
	free(p->slots);
	buf_free(&p->texts);
	free(p);
}

/* ---- collecting ---- */

static const char *text_at(const struct proof *p, uint32_t at)
{
	return (const char *)buf_data(&p->texts) + at;
}

static uint64_t mix(struct span s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3;
	return h ^ h >> 31;
}

static uint32_t *slot_of(const struct proof *p, struct span uri)
{
	size_t i = (size_t)mix(uri) & (p->nslots - 1);

	while (p->slots[i] != 0 && !span_eq(uri, text_at(p, p->files[p->slots[i] - 1].uri)))
		i = (i + 1) & (p->nslots - 1);
	return &p->slots[i];
}

static int more_slots(struct proof *p)
{
	size_t n = p->nslots > 0 ? 4 * p->nslots : 256;
	uint32_t *slots = calloc(n, sizeof(*slots));
	struct file *files = realloc(p->files, n / 2 * sizeof(*files));

	if (files != NULL)
		p->files = files;
	if (slots == NULL || files == NULL) {
		free(slots);
		return ERR_INTERNAL;
	}
	free(p->slots);
	p->slots = slots;
	p->nslots = n;
	for (uint32_t i = 0; i < p->nfiles; i++)
		*slot_of(p, span_of(text_at(p, p->files[i].uri))) = i + 1;
	return 0;
}

static uint32_t keep(struct proof *p, struct span text)
{
	uint32_t at = (uint32_t)buf_len(&p->texts);

	buf_addspan(&p->texts, text);
	buf_addc(&p->texts, '\0');
	return at;
}

/* The number of this address, ERR_INTERNAL. */
static int64_t file_of(struct proof *p, const struct sarif_result *r)
{
	uint32_t *slot;

	if (2 * p->nfiles >= p->nslots && more_slots(p) != 0)
		return ERR_INTERNAL;
	slot = slot_of(p, r->uri);
	if (*slot == 0) {
		struct file f = { .uri = keep(p, r->uri), .rule = keep(p, span_sub(r->rule, 0, 80)) };
		if (p->texts.failed)
			return ERR_INTERNAL;
		p->files[p->nfiles++] = f;
		*slot = (uint32_t)p->nfiles;
	}
	return *slot - 1;
}

static int grow(struct proof *p)
{
	size_t room = p->room > 0 ? 2 * p->room : 256;
	struct item *items;

	if (p->n < p->room)
		return 0;
	items = realloc(p->items, room * sizeof(*items));
	if (items == NULL)
		return ERR_INTERNAL;
	p->items = items;
	p->room = room;
	return 0;
}

int proof_add(void *arg, const struct sarif_result *r, struct err *err)
{
	struct proof *p = arg;
	struct linehash_value v = { 0, 0 };
	bool has = r->hash.p != NULL;

	if (!has && (!p->fill || r->line == 0 || r->uri.n == 0))
		return 0;
	if (p->n == PROOF_RESULTS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d results; GitHub takes 25,000 of a run",
		    PROOF_RESULTS_MAX);
	if (r->uri.n > 0 && memchr(r->uri.p, '\0', r->uri.n) != NULL)
		return err_set(err, ERR_DAMAGED, "result %" PRIu64 " has an address with a NUL", r->number);
	if (has && !linehash_parse(r->hash, &v))
		v.count = 0;
	int64_t file = file_of(p, r);
	if (file < 0 || grow(p) != 0)
		return err_set(err, ERR_INTERNAL, "no memory to prove the results");
	p->items[p->n++] = (struct item){ .at = r->has_prints ? r->prints_at : r->at,
		.number = (uint32_t)r->number,
		.file = (uint32_t)file,
		.line = r->line > 0 ? r->line : 1,	/* an alert on the whole file */
		.count = v.count,
		.hash = v.hash,
		.has = has,
		.inside = r->has_prints,
		.empty = r->prints_empty };
	return 0;
}

/* ---- files ---- */

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool decode(const char *uri, char *out, size_t size)
{
	size_t n = 0;

	for (; *uri != '\0'; uri++) {
		char c = *uri;
		if (c == '%') {
			int hi = hex_of(uri[1]), lo = hi < 0 ? -1 : hex_of(uri[2]);
			if (lo < 0 || (hi | lo) == 0)
				return false;
			c = (char)(hi << 4 | lo);
			uri += 2;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return span_utf8(span_make(out, n));
}

static bool stays_below(const char *path)
{
	struct span rest = span_of(path), part;
	int depth = 0;

	while (span_cut(&rest, '/', &part)) {
		if (span_eq(part, ".."))
			depth--;
		else if (part.n > 0 && !span_eq(part, "."))
			depth++;
		if (depth < 0)
			return false;
	}
	return true;
}

/* The file below the source folder that an address means. */
static bool path_of(const struct proof *p, const char *uri, char out[static PATH_MAX])
{
	char text[PATH_MAX], root[PATH_MAX];
	const char *path = text;

	if (!decode(uri, text, sizeof(text)))
		return false;
	if (strncmp(path, "file://", 7) == 0)
		path += 7;
	if (strstr(path, "://") != NULL)
		return false;
	if (path[0] == '/') {
		size_t n;
		if (realpath(p->source, root) == NULL)
			return false;
		n = strlen(root);
		if (strncmp(path, root, n) != 0 || path[n] != '/')
			return false;
		path += n + 1;
	}
	return stays_below(path) && path[0] != '\0' &&
	    snprintf(out, PATH_MAX, "%s/%s", p->source, path) < PATH_MAX;
}

/* ---- one file's results ---- */

struct group {
	struct item *items;		/* of one file, by line */
	size_t n, next;
	struct item *wrong;
	struct linehash_value found;
	size_t checked;
};

static bool on_line(void *arg, uint32_t line, struct linehash_value v)
{
	struct group *g = arg;

	for (; g->next < g->n && g->items[g->next].line <= line; g->next++) {
		struct item *it = &g->items[g->next];
		if (it->line < line)
			continue;
		if (!it->has) {
			it->known = true;
			it->hash = v.hash;
			it->count = v.count;
			continue;
		}
		g->checked++;
		if (it->hash == v.hash && it->count == v.count) {
			it->known = true;
			continue;
		}
		g->wrong = it;
		g->found = v;
		return false;
	}
	return g->next < g->n;
}

static int by_place(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int fault(const struct proof *p, const struct item *it, struct proof_fault *f, const char *why)
{
	const struct file *file = &p->files[it->file];

	f->number = it->number;
	snprintf(f->text, sizeof(f->text), "result %" PRIu32 " (%s, %.80s:%" PRIu32 ") %s", it->number,
	    text_at(p, file->rule), text_at(p, file->uri), it->line, why);
	return 0;
}

/* The first that has a hash and was not met on its line: there is no such line, or no such file. */
static const struct item *unmet(const struct group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i].has && !g->items[i].known)
			return &g->items[i];
	return NULL;
}

static int check_group(struct proof *p, struct group *g, struct proof_fault *f, struct err *err)
{
	char path[PATH_MAX], found[LINEHASH_TEXT_MAX], why[96];
	struct buf text;
	const struct item *it;
	int rc = ERR_NOTFOUND;

	buf_init(&text, PROOF_FILE_MAX);
	if (path_of(p, text_at(p, p->files[g->items[0].file].uri), path))
		rc = file_read(path, PROOF_FILE_MAX, true, &text, NULL);
	if (rc == 0)
		rc = linehash_walk(buf_span(&text), on_line, g);
	buf_free(&text);
	if (rc == ERR_INTERNAL)
		return err_set(err, rc, "no memory to prove the results");
	p->checked += g->checked;
	if (g->wrong != NULL) {
		linehash_text(g->found, found);
		snprintf(why, sizeof(why), "has another fingerprint than this line, %s", found);
		return fault(p, g->wrong, f, why);
	}
	it = unmet(g);
	if (it == NULL)
		return 1;
	return fault(p, it, f,
	    rc != 0		 ? "is in a file that this tree does not have"
		: it->count == 0 ? "has a fingerprint of another form"
				 : "is on a line that this file does not have");
}

int proof_run(struct proof *p, struct proof_fault *f, struct err *err)
{
	int rc = 1;

	if (p->n > 1)
		qsort(p->items, p->n, sizeof(p->items[0]), by_place);
	for (size_t i = 0, k; i < p->n && rc == 1; i = k) {
		for (k = i + 1; k < p->n && p->items[k].file == p->items[i].file; k++)
			;
		struct group g = { .items = &p->items[i], .n = k - i };
		rc = check_group(p, &g, f, err);
	}
	return rc;
}

size_t proof_checked(const struct proof *p)
{
	return p->checked;
}

bool proof_next(const struct proof *p, size_t *i, struct proof_fill *out)
{
	for (; *i < p->n; (*i)++) {
		const struct item *it = &p->items[*i];
		if (it->has || !it->known)
			continue;
		*out = (struct proof_fill){ .at = it->at, .inside = it->inside, .empty = it->empty,
			.value = { it->hash, it->count } };
		(*i)++;
		return true;
	}
	return false;
}
