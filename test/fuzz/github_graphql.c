/*
 * github/graphql: the input is a document, or with a leading '{"' a whole body. A second definition behind a
 * document decides: what was a query stays one with a query behind it, and is none with a mutation.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jscan.h"
#include "github/graphql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool with(struct span document, const char *more)
{
	struct buf text, body;
	bool yes;

	buf_init(&text, BUF_MAX_ANY);
	buf_init(&body, BUF_MAX_ANY);
	buf_addspan(&text, document);
	buf_adds(&text, more);
	buf_adds(&body, "{\"query\":");
	json_quote(&body, buf_span(&text), false);
	buf_adds(&body, "}");
	yes = graphql_is_query(buf_span(&body));
	buf_free(&text);
	buf_free(&body);
	return yes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);

	if (span_starts(in, "{\"")) {
		if (graphql_is_query(in))
			assert(jscan_valid(in) && in.p[0] == '{');
		return 0;
	}
	if (!with(in, ""))
		return 0;
	assert(span_chr(in, '{') >= 0);
	/* on a new line: the document may end in a comment */
	assert(with(in, "\nquery Q{a}"));
	assert(with(in, "\n{a}"));
	assert(!with(in, "\nmutation M{a}"));
	assert(!with(in, "\nsubscription{a}"));
	assert(!with(in, "\n}"));
	assert(!with(in, "\n\"x\""));
	return 0;
}
