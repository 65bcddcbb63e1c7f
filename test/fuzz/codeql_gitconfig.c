/*
 * codeql/gitconfig: the input is a file of settings. Keys are of letters, digits and '-'; a value is whole or
 * absent.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "codeql/gitconfig.h"
#include "codeql/gitrefs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *ctx, const struct gitconfig_var *v)
{
	size_t *n = ctx;

	assert(v->key.n > 0 && v->value.n <= GITCONFIG_VALUE_MAX);
	for (size_t i = 0; i < v->key.n; i++)
		assert(v->key.p[i] == '-' || (v->key.p[i] >= '0' && v->key.p[i] <= 'z'));
	gitconfig_bool(v->value, true);
	++*n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[OBJID_HEX_MAX];
	size_t n = 0, again = 0;
	bool ok = gitconfig_each(span_make(data, size), check, &n);

	assert(gitconfig_each(span_make(data, size), check, &again) == ok && n == again);
	assert(n <= size);
	if (gitrefs_packed(span_make(data, size), span_of("refs/heads/main"), OBJID_SHA1, id))
		assert(strlen(id) == 40);
	return 0;
}
