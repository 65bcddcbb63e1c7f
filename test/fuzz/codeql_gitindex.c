/*
 * codeql/gitindex: the first byte chooses the format and where the input is cut into an index and a shared
 * one. What is taken has entries in order whose paths stay below the root, and so has what the two give
 * together. max_len: 8192
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "codeql/gitindex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct span path, bool dir)
{
	struct span part;

	assert(path.n > 0 && path.p[0] != '/' && (path.p[path.n - 1] == '/') == dir);
	if (dir)
		path.n--;
	while (span_cut(&path, '/', &part))
		assert(part.n > 0 && !span_eq(part, ".") && !span_eq(part, "..") && !span_ieq(part, ".git"));
}

static void check(const struct gitindex *ix, bool merged)
{
	struct span before = span_of("");
	unsigned stage = 0;

	for (size_t i = 0; i < ix->n; i++) {
		const struct gitindex_entry *e = &ix->list[i];
		struct span path = span_make(e->path, e->len);
		struct gitindex_stat st;

		gitindex_stat(e, &st);
		(void)gitindex_id(e)[objid_len(ix->format) - 1];
		if (path.n == 0 && !merged && ix->shared_id)
			continue;
		check_path(path, merged ? span_ends(path, "/") : gitindex_mode(e) == GITINDEX_DIR);
		int c = span_cmp(before, path);
		assert(c < 0 || (c == 0 && stage < gitindex_stage(e)));
		before = path;
		stage = gitindex_stage(e);
	}
	assert((ix->root == GITINDEX_ROOT_VALID) == (ix->root_id != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gitindex top, base;
	const char *why = NULL, *why2 = NULL;

	if (size == 0)
		return 0;
	enum objid_format f = data[0] & 1 ? OBJID_SHA256 : OBJID_SHA1;
	size_t cut = 1 + (size - 1) * (data[0] >> 1) / 127;
	struct span first = span_make(data + 1, cut - 1), second = span_make(data + cut, size - cut);

	gitindex_checksum_ok(first, f);
	enum gitindex_result a = gitindex_parse(&top, first, f, &why),
			     b = gitindex_parse(&base, second, f, &why2);
	assert((a == GITINDEX_OK) == (why[0] == '\0'));
	if (a == GITINDEX_OK)
		check(&top, false);
	if (a == GITINDEX_OK && b == GITINDEX_OK && top.shared_id &&
	    gitindex_merge(&top, &base, &why) == GITINDEX_OK)
		check(&top, true);
	gitindex_free(&top);
	gitindex_free(&base);
	return 0;
}
