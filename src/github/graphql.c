#include <stdint.h>

#include "base/buf.h"
#include "base/jscan.h"
#include "github/graphql.h"

#define DOCUMENT_MAX ((size_t)1 << 20)

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Past a string or block string that begins here (§2.9.4); 0: it does not end. */
static size_t skip_string(struct span d, size_t at)
{
	struct span rest = span_sub(d, at, d.n);

	if (span_starts(rest, "\"\"\"")) {
		for (at += 3; at + 3 <= d.n; at++) {
			if (d.p[at] == '\\' && span_starts(span_sub(d, at, d.n), "\\\"\"\""))
				at += 3;
			else if (span_starts(span_sub(d, at, d.n), "\"\"\""))
				return at + 3;
		}
		return 0;
	}
	for (at++; at < d.n && d.p[at] != '\n' && d.p[at] != '\r'; at++) {
		if (d.p[at] == '"')
			return at + 1;
		if (d.p[at] == '\\')
			at++;
	}
	return 0;
}

static size_t skip_comment(struct span d, size_t at)
{
	while (at < d.n && d.p[at] != '\n' && d.p[at] != '\r')
		at++;
	return at;
}

static struct span name_at(struct span d, size_t at)
{
	size_t end = at;

	while (end < d.n && is_name(d.p[end]))
		end++;
	return span_sub(d, at, end - at);
}

struct document {
	unsigned depth;			/* open (, [ and { */
	bool heading;			/* between a definition's keyword and its selection set */
	bool bad;
};

/* A name outside all brackets: a definition's keyword, or part of its heading (its name, a fragment's "on
 * Type"). */
static void on_name(struct document *doc, struct span name)
{
	if (doc->depth > 0 || doc->heading)
		return;
	doc->heading = span_eq(name, "query") || span_eq(name, "fragment");
	doc->bad = doc->bad || !doc->heading;
}

static void on_punctuator(struct document *doc, char c)
{
	if (c == '{' || c == '(' || c == '[') {
		doc->depth++;
	} else if (c == '}' || c == ')' || c == ']') {
		doc->bad = doc->bad || doc->depth == 0;
		doc->depth -= doc->depth > 0;
		if (c == '}' && doc->depth == 0)
			doc->heading = false;
	}
}

static bool only_queries(struct span d)
{
	struct document doc = { 0, false, false };
	bool any = false;

	for (size_t at = 0; at < d.n && !doc.bad;) {
		if (d.p[at] == '"') {
			at = skip_string(d, at);
			doc.bad = doc.bad || at == 0 || doc.depth == 0;
		} else if (d.p[at] == '#') {
			at = skip_comment(d, at);
		} else if (is_name(d.p[at])) {
			struct span name = name_at(d, at);

			on_name(&doc, name);
			at += name.n;
		} else {
			any = any || d.p[at] == '{';
			on_punctuator(&doc, d.p[at++]);
		}
	}
	return any && !doc.bad && doc.depth == 0 && !doc.heading;
}

/* The one member `query`; a second one of that name, however it is written, is a doubt. */
static bool find_query(struct span body, struct span *raw)
{
	struct span key, value;
	size_t at = 0;
	unsigned found = 0;
	int rc;

	while ((rc = jscan_next(body, &at, &key, &value)) == 1) {
		if (key.n == 0)
			return false;
		if (!jscan_str_eq(key, "query"))
			continue;
		*raw = value;
		found++;
	}
	return rc == 0 && found == 1 && raw->p[0] == '"';
}

bool graphql_is_query(struct span body)
{
	struct span raw;
	struct buf document;
	bool yes;

	if (!jscan_valid(body) || !find_query(body, &raw))
		return false;
	buf_init(&document, DOCUMENT_MAX);
	yes = jscan_unescape(raw, &document) == 0 && !document.failed && only_queries(buf_span(&document));
	buf_free(&document);
	return yes;
}
