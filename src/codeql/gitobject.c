#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/inflate.h"
#include "codeql/gitobject.h"
#include "codeql/gitpack.h"

#define ALTERNATES_DEPTH 5	/* git's own limit */
#define FOLDERS_MAX 32		/* that are looked into, with those that are named twice */
#define DELTA_DEPTH 64		/* git makes chains of 50 */
#define LOOSE_MAX ((size_t)4 << 20)

struct wanted {
	enum objid_format format;
	const char *hex, *type;
	uint8_t id[OBJID_MAX];
	struct buf *out;
	unsigned *folders;
};

static const char *const types[] = { [GITPACK_COMMIT] = "commit", [GITPACK_TREE] = "tree",
	[GITPACK_BLOB] = "blob", [GITPACK_TAG] = "tag" };

/* Is it the object that was asked for? */
static bool is_it(const struct wanted *w, struct span body)
{
	uint8_t id[OBJID_MAX];
	struct objid_hash h;
	char head[64];
	int n = snprintf(head, sizeof(head), "%s %zu", w->type, body.n);

	objid_start(&h, w->format);
	objid_add(&h, head, (size_t)n + 1);
	objid_add(&h, body.p, body.n);
	objid_out(&h, id);
	return memcmp(id, w->id, objid_len(w->format)) == 0;
}

static bool take(const struct wanted *w, struct span body)
{
	if (!is_it(w, body))
		return false;
	buf_addspan(w->out, body);
	return !w->out->failed;
}

/* ---- a file of its own: "<type> <size>" NUL and the bytes, packed ---- */

static bool read_loose(const struct wanted *w, const char *objects)
{
	char path[PATH_MAX];
	struct buf packed, plain;
	struct span body;
	bool ok = false;

	buf_init(&packed, LOOSE_MAX);
	buf_init(&plain, GITOBJECT_MAX);
	if (snprintf(path, sizeof(path), "%s/%.2s/%s", objects, w->hex, w->hex + 2) < (int)sizeof(path) &&
	    file_read(path, LOOSE_MAX, true, &packed, NULL) == 0 &&
	    inflate_zlib(buf_span(&packed), &plain) == 0) {
		ptrdiff_t nul = span_chr(buf_span(&plain), '\0');
		body = span_sub(buf_span(&plain), (size_t)nul + 1, buf_len(&plain));
		ok = nul > 0 && take(w, body);
	}
	buf_free(&packed);
	buf_free(&plain);
	return ok;
}

/* ---- packs ---- */

struct pack {
	enum objid_format format;
	struct span idx, bytes;
};

static struct span map(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct span s = { NULL, 0 };
	struct stat st;

	if (fd < 0)
		return s;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p != MAP_FAILED)
			s = span_make(p, (size_t)st.st_size);
	}
	close(fd);
	return s;
}

static void unmap(struct span s)
{
	if (s.p != NULL)
		munmap((void *)(uintptr_t)s.p, s.n);
}

/* The type, or 0. A delta's is that of what it stands on. */
static unsigned read_entry(const struct pack *p, uint64_t at, unsigned depth, struct buf *out)
{
	struct gitpack_entry e;
	struct buf base, delta;
	unsigned type = 0;

	if (depth > DELTA_DEPTH || !gitpack_entry(p->bytes, p->format, at, &e) || e.size > GITOBJECT_MAX)
		return 0;
	if (e.type != GITPACK_NEAR && e.type != GITPACK_FAR)
		return inflate_zlib(e.data, out) == 0 && buf_len(out) == e.size ? e.type : 0;
	if (e.type == GITPACK_FAR && !gitpack_find(p->idx, p->format, e.base_id, &e.base_at))
		return 0;
	buf_init(&base, GITOBJECT_MAX);
	buf_init(&delta, GITOBJECT_MAX);
	type = read_entry(p, e.base_at, depth + 1, &base);
	if (inflate_zlib(e.data, &delta) != 0 || buf_len(&delta) != e.size ||
	    !gitpack_delta(buf_span(&base), buf_span(&delta), out))
		type = 0;
	buf_free(&base);
	buf_free(&delta);
	return type;
}

static bool read_pack(const struct wanted *w, const char *folder, const char *name)
{
	size_t n = strlen(name) - strlen(".idx");
	struct pack p = { .format = w->format };
	char path[PATH_MAX];
	struct buf plain;
	uint64_t at;
	bool ok = false;

	if (snprintf(path, sizeof(path), "%s/%.*s.pack", folder, (int)n, name) >= (int)sizeof(path))
		return false;
	n = strlen(path) - strlen(".pack");
	memcpy(path + n, ".idx", sizeof(".idx"));
	p.idx = map(path);
	if (p.idx.p != NULL && gitpack_find(p.idx, w->format, w->id, &at)) {
		memcpy(path + n, ".pack", sizeof(".pack"));
		p.bytes = map(path);
		buf_init(&plain, GITOBJECT_MAX);
		unsigned type = p.bytes.p != NULL ? read_entry(&p, at, 0, &plain) : 0;
		ok = type != 0 && strcmp(types[type], w->type) == 0 && take(w, buf_span(&plain));
		buf_free(&plain);
		unmap(p.bytes);
	}
	unmap(p.idx);
	return ok;
}

static bool read_packs(const struct wanted *w, const char *objects)
{
	char folder[PATH_MAX];
	struct dirent *de;
	bool ok = false;
	DIR *d;

	if (snprintf(folder, sizeof(folder), "%s/pack", objects) >= (int)sizeof(folder) ||
	    (d = opendir(folder)) == NULL)
		return false;
	while (!ok && (de = readdir(d)) != NULL)
		ok = span_ends(span_of(de->d_name), ".idx") && read_pack(w, folder, de->d_name);
	closedir(d);
	return ok;
}

/* ---- everywhere ---- */

static bool read_from(const struct wanted *w, const char *objects, unsigned depth)
{
	char path[PATH_MAX];
	struct span rest, line;
	struct buf text;
	bool ok = read_loose(w, objects) || read_packs(w, objects);

	if (ok || depth > ALTERNATES_DEPTH || ++*w->folders > FOLDERS_MAX)
		return ok;
	buf_init(&text, 65536);
	if (snprintf(path, sizeof(path), "%s/info/alternates", objects) < (int)sizeof(path) &&
	    file_read(path, 65536, true, &text, NULL) == 0)
		for (rest = buf_span(&text); !ok && span_cut(&rest, '\n', &line);) {
			bool absolute = span_starts(line, "/");
			int n = snprintf(path, sizeof(path), "%s%s%.*s", absolute ? "" : objects,
			    absolute ? "" : "/", (int)line.n, line.p);
			ok = line.n > 0 && line.p[0] != '#' && n < (int)sizeof(path) &&
			    read_from(w, path, depth + 1);
		}
	buf_free(&text);
	return ok;
}

bool gitobject_read(const char *objects, enum objid_format f, const char *hex, const char *type,
    struct buf *out)
{
	unsigned folders = 0;
	struct wanted w = { .format = f, .hex = hex, .type = type, .out = out, .folders = &folders };

	return objects[0] != '\0' && hex_decode(w.id, objid_len(f), span_of(hex)) &&
	    read_from(&w, objects, 0);
}

bool gitobject_tree(const char *objects, enum objid_format f, const char *commit,
    char tree[static OBJID_HEX_MAX])
{
	struct buf text;
	struct span line = span_of("");
	bool ok;

	tree[0] = '\0';
	buf_init(&text, GITOBJECT_MAX);
	ok = gitobject_read(objects, f, commit, "commit", &text);
	line = span_before(buf_span(&text), '\n');
	ok = ok && span_starts(line, "tree ") && line.n == 5 + 2 * objid_len(f) &&
	    span_copy(tree, OBJID_HEX_MAX, span_sub(line, 5, line.n));
	buf_free(&text);
	return ok;
}

/* "<mode> <name>" NUL id, again and again. */
static bool find_name(struct span tree, enum objid_format f, struct span name, char hex[static OBJID_HEX_MAX])
{
	size_t len = objid_len(f);
	ptrdiff_t space, nul;

	while ((space = span_chr(tree, ' ')) > 0 && (nul = span_chr(tree, '\0')) > space &&
	    tree.n - (size_t)nul > len) {
		if (span_same(span_sub(tree, (size_t)space + 1, (size_t)(nul - space - 1)), name)) {
			hex_encode(hex, (const uint8_t *)tree.p + nul + 1, len);
			return true;
		}
		tree = span_sub(tree, (size_t)nul + 1 + len, tree.n);
	}
	return false;
}

bool gitobject_file(const char *objects, enum objid_format f, const char *tree, struct span path,
    struct buf *out)
{
	char hex[OBJID_HEX_MAX];
	struct span name;
	struct buf text;
	bool ok = span_copy(hex, sizeof(hex), span_of(tree));

	while (ok && span_cut(&path, '/', &name)) {
		buf_init(&text, GITOBJECT_MAX);
		ok = gitobject_read(objects, f, hex, "tree", &text) &&
		    find_name(buf_span(&text), f, name, hex);
		buf_free(&text);
	}
	return ok && gitobject_read(objects, f, hex, "blob", out);
}
