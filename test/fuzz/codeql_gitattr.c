/*
 * codeql/gitattr and codeql/wild: up to the first NUL a path, behind it a file of attributes. A value lies in
 * the text, and the same question has the same answer.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "codeql/gitattr.h"
#include "codeql/wild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make(data, size), path = span_before(text, '\0');
	struct gitattr a, b;
	struct wild w;

	text = span_sub(text, path.n + 1, text.n);
	struct gitattr_file *outer = gitattr_parse(span_of("* text=auto\n"), span_of(""), NULL);
	struct gitattr_file *f = gitattr_parse(text, span_of("d/"), outer);
	gitattr_look(NULL, f, path, &a);
	gitattr_look(f, outer, path, &b);
	for (int i = 0; i < GITATTR_COUNT; i++) {
		assert(a.state[i] == b.state[i] && span_same(a.value[i], b.value[i]));
		assert(a.state[i] == GITATTR_VALUE || a.value[i].n == 0);
	}
	assert(a.unsure == b.unsure);
	gitattr_free(f);
	gitattr_free(outer);
	/* a path without special characters is a pattern that it matches */
	if (wild_init(&w, text))
		wild_match(&w, path);
	bool plain = path.n > 0 && span_chr(path, '/') < 0;
	for (size_t i = 0; i < path.n; i++)
		plain = plain && !strchr("*?[\\", path.p[i]);
	if (plain && wild_init(&w, path))
		assert(wild_match(&w, path) == WILD_YES);
	return 0;
}
