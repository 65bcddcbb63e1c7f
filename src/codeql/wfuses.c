#include <string.h>

#include "base/hex.h"
#include "codeql/wfuses.h"

#define FOLDER ".github/workflows/"

static bool ends_word(char c)
{
	return c <= ' ' || strchr("\"',{}[]", c) != NULL;
}

static bool tell(struct span word, wfuses_fn *fn, void *arg)
{
	if (span_starts(word, "./" FOLDER) && (span_ends(word, ".yml") || span_ends(word, ".yaml")))
		fn(arg, span_sub(word, 2, word.n), true);
	else if (span_find(word, "/" FOLDER) > 0 && span_chr(word, '@') > 0)
		fn(arg, word, false);
	else
		return false;
	return true;
}

static void walk_line(struct span line, wfuses_fn *fn, void *arg)
{
	bool told = false;

	for (size_t at = 0, n; at < line.n; at += n + 1) {
		if (line.p[at] == '#' && (at == 0 || line.p[at - 1] == ' ' || line.p[at - 1] == '\t'))
			line.n = at;
		for (n = 0; at + n < line.n && !ends_word(line.p[at + n]); n++)
			;
		told |= tell(span_sub(line, at, n), fn, arg);
	}
	/* a name with a space or a comma in it */
	if (!told && span_find(line, "uses") >= 0 && span_find(line, "/" FOLDER) > 0)
		fn(arg, span_trim(line), false);
}

void wfuses_walk(struct span file, wfuses_fn *fn, void *arg)
{
	struct span line;

	while (span_cut_line(&file, &line))
		walk_line(line, fn, arg);
}

bool wfuses_pinned(struct span word)
{
	struct span ref = span_sub(word, (size_t)span_chr(word, '@') + 1, word.n);

	return (ref.n == 40 || ref.n == 64) && hex_is(ref, true);
}
