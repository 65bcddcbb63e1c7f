#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codeql/deny.h"
#include "codeql/manifest.h"

enum { ACTIONS = 1, CSHARP = 2, JAVA = 4, SCRIPT = 8, PYTHON = 16, RUBY = 32, OTHER = 64 };
#define ALL (ACTIONS | CSHARP | JAVA | SCRIPT | PYTHON | RUBY)

/* codeql-action src/languages/builtin.json: names and aliases. OTHER: nothing is denied. */
static const struct language {
	const char *alias, *name;
	uint32_t bit;
} languages[] = { { "actions", "actions", ACTIONS }, { "c", "cpp", OTHER }, { "c#", "csharp", CSHARP },
	{ "c++", "cpp", OTHER }, { "c-cpp", "cpp", OTHER }, { "cpp", "cpp", OTHER },
	{ "csharp", "csharp", CSHARP }, { "go", "go", OTHER }, { "java", "java", JAVA },
	{ "java-kotlin", "java", JAVA }, { "javascript", "javascript", SCRIPT },
	{ "javascript-typescript", "javascript", SCRIPT }, { "kotlin", "java", JAVA },
	{ "python", "python", PYTHON }, { "ruby", "ruby", RUBY }, { "rust", "rust", OTHER },
	{ "swift", "swift", OTHER }, { "typescript", "javascript", SCRIPT } };

/* Endings in lower case: to whom such a file is irrelevant. .svg, .html, .json, .xml, .yml, .mdx count for
 * all. */
static const struct kind {
	const char *endings;
	uint32_t irrelevant;
} kinds[] = {
	{ " md rst adoc ", ALL },
	{ " txt ", ACTIONS | SCRIPT | PYTHON | RUBY },
	{ " png jpg jpeg gif bmp ico webp tiff psd avif ", ALL },
	{ " ttf otf woff woff2 eot ", ALL },
	{ " mp3 wav ogg flac mp4 avi mov webm mkv ", ALL },
	{ " pdf ", ALL },
	{ " py pyi ", ALL & ~PYTHON },
	{ " rb ", ALL & ~RUBY },
	{ " java kt ", ALL & ~JAVA },
	{ " cs ", ALL & ~CSHARP },
	{ " js jsx mjs cjs ts tsx mts cts ", ACTIONS | PYTHON | RUBY },
	{ " go rs swift c cc cpp cxx c++ h hh hpp hxx h++ ", ALL },
};

static const struct language *language_of(struct span s)
{
	for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++)
		if (span_ieq(s, languages[i].alias))
			return &languages[i];
	return NULL;
}

int deny_language(struct span name)
{
	const struct language *l = language_of(name);

	for (int i = 0; l != NULL; i++)
		if (strcmp(languages[i].name, l->name) == 0)
			return i;
	return -1;
}

void deny_init(struct deny *d, const struct span *names, size_t n, bool built)
{
	*d = (struct deny){ .nothing = built || n == 0 };
	for (size_t i = 0; i < n; i++) {
		const struct language *l = language_of(span_trim(names[i]));

		d->nothing = d->nothing || l == NULL || l->bit == OTHER;
		d->languages |= l ? l->bit : OTHER;
	}
}

static struct span last_part(struct span path, char mark)
{
	for (size_t i = path.n; i > 0; i--)
		if (path.p[i - 1] == mark)
			return span_sub(path, i, path.n);
	return span_sub(path, path.n, 0);
}

/* Names that a tool reads whatever they end with. */
static bool has_meaning(struct span name)
{
	static const char *const words[] = { "requirement", "constraint", "cmakelists", "conanfile",
		"version", "depend", "package", "gemfile" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_ifind(name, words[i]) >= 0)
			return true;
	return false;
}

bool deny_path(const struct deny *d, struct span path, uint32_t mode)
{
	char word[16] = " ";
	struct span name = span_chr(path, '/') >= 0 ? last_part(path, '/') : path,
		    ending = last_part(name, '.');

	if (d->nothing || mode != MANIFEST_FILE || ending.n == 0 || ending.n > sizeof(word) - 3)
		return false;
	if (span_starts(path, ".github/") || span_find(path, "/.github/") >= 0 || span_chr(ending, ' ') >= 0)
		return false;
	memcpy(word + 1, ending.p, ending.n);
	word[ending.n + 1] = ' ';
	word[ending.n + 2] = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(kinds[i].endings, word))
			return (kinds[i].irrelevant & d->languages) == d->languages && !has_meaning(name);
	return false;
}

static int by_bytes(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

void deny_names(const struct span *names, size_t n, struct buf *out)
{
	struct span *list = calloc(n + 1, sizeof(*list)), before = span_of("");

	if (list == NULL) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct language *l = language_of(span_trim(names[i]));

		list[i] = l ? span_of(l->name) : span_trim(names[i]);
	}
	qsort(list, n, sizeof(*list), by_bytes);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && span_same(list[i], before))
			continue;
		if (i > 0)
			buf_addc(out, ',');
		buf_addspan(out, list[i]);
		before = list[i];
	}
	free(list);
}
