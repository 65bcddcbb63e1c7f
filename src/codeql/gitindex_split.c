#include <stdlib.h>
#include <string.h>

#include "codeql/ewah.h"
#include "codeql/gitindex.h"

/* Of an entry of the shared index. */
enum { KEEP, DELETED, REPLACED = 2 };

static enum gitindex_result bad(const char **why, const char *phrase)
{
	*why = phrase;
	return GITINDEX_DAMAGED;
}

/* link: id, then a bitmap of deleted and one of replaced entries; both may be left out. `fate` has a byte for
 * each shared entry. */
static bool read_fates(const struct gitindex *top, uint8_t *fate, size_t n)
{
	struct span in = top->bitmaps;
	uint8_t *replaced;

	if (in.n == 0)
		return true;
	ssize_t used = ewah_expand(in, fate, n);
	if (used < 0 || (replaced = calloc(n + 1, 1)) == NULL)
		return false;
	in = span_sub(in, (size_t)used, in.n);
	used = ewah_expand(in, replaced, n);
	for (size_t i = 0; i < n; i++)
		if (replaced[i])
			fate[i] |= REPLACED;
	free(replaced);
	return used >= 0 && (size_t)used == in.n;
}

static int cmp(const struct gitindex_entry *a, const struct gitindex_entry *b)
{
	int c = span_cmp(span_make(a->path, a->len), span_make(b->path, b->len));

	return c ? c : (int)gitindex_stage(a) - (int)gitindex_stage(b);
}

/* Merge kept and replaced shared entries with the added ones; of two with one name the added one stays. */
static enum gitindex_result weave(struct gitindex *top, const struct gitindex *base, const uint8_t *fate,
    struct gitindex_entry *out, const char **why)
{
	size_t n = 0, next = 0, added = 0;

	while (added < top->n && top->list[added].len == 0)
		added++;
	size_t nameless = added;
	for (size_t i = 0; i < base->n; i++) {
		struct gitindex_entry e = base->list[i];

		if (fate[i] & REPLACED) {
			if (next == nameless)
				return bad(why, "its link extension replaces more entries than it has");
			e = top->list[next++];
			e.path = base->list[i].path;
			e.len = base->list[i].len;
		}
		if (fate[i] & DELETED)
			continue;
		for (; added < top->n && cmp(&top->list[added], &e) < 0; added++)
			out[n++] = top->list[added];
		if (added < top->n && cmp(&top->list[added], &e) == 0)
			continue;
		out[n++] = e;
	}
	if (next != nameless)
		return bad(why, "it has entries without a path that replace none");
	for (; added < top->n; added++)
		out[n++] = top->list[added];
	free(top->list);
	top->list = out;
	top->n = n;
	return GITINDEX_OK;
}

enum gitindex_result gitindex_merge(struct gitindex *top, const struct gitindex *base, const char **why)
{
	if (base->shared_id || base->format != top->format)
		return bad(why, "its shared index is split itself");
	uint8_t *fate = calloc(base->n + 1, 1);
	struct gitindex_entry *out = malloc((base->n + top->n + 1) * sizeof(*out));
	enum gitindex_result rc = GITINDEX_LIMIT;

	*why = "no memory";
	if (fate && out)
		rc = read_fates(top, fate, base->n) ? weave(top, base, fate, out, why)
						    : bad(why, "its link extension is malformed");
	if (rc == GITINDEX_OK) {
		top->shared_id = NULL;
		top->sparse = top->sparse || base->sparse;
	} else {
		free(out);
	}
	free(fate);
	return rc;
}
