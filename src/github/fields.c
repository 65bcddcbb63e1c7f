#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jcanon.h"
#include "base/jscan.h"
#include "github/fields.h"

/* How a field's value comes from the members that may hold it. */
enum how {
	PRESENT, /* the first that is there */
	TRUE_OR, /* Python's `a or b`: the first that is neither null, false, 0 nor empty, else the second */
	AS_STR,	 /* Python's str() of the first that is there */
	LENGTH	 /* characters of the text */
};

struct field {
	const char *name;	/* in the fields; NULL ends the list */
	const char *from[2];	/* members, by path */
	enum how how;
	const char *absent;	/* JSON for a member that is not there */
};

#define FIELDS_MAX 4
#define ROOTS_MAX 12

/*
 * One kind of operation. Its words are looked for in the operation's name (`=` at the front: is the name,
 * `^`: begins it). What identifies an item of a list is a field of its own.
 */
struct kind {
	const char *words[3];
	struct field id;
	struct field fields[FIELDS_MAX + 1];
	const char *wrapped[4];	/* REST: {"total_count": …, "runners": […]} */
};

#define UPDATED { "updatedAt", { "updatedAt", "updated_at" }, PRESENT, "null" }
#define UPDATED_OR { "updatedAt", { "updatedAt", "updated_at" }, TRUE_OR, "null" }
#define PLAIN(name) { name, { name, NULL }, PRESENT, "null" }
#define NO_FIELD { NULL, { NULL, NULL }, PRESENT, NULL }

/* In the reference's order: the first that fits is taken. */
static const struct kind kinds[] = {
	{ { "^copilot_" }, NO_FIELD, { NO_FIELD }, { NULL } },
	{ { "^list_repos", "=get_repo_info" }, { "", { "name", "url" }, TRUE_OR, "\"\"" },
	    { UPDATED, { "pushedAt", { "pushedAt", "pushed_at" }, PRESENT, "null" }, NO_FIELD },
	    { "repositories" } },
	{ { "issue" }, { "", { "number", "id" }, AS_STR, "\"\"" },
	    { PLAIN("state"), UPDATED_OR, { "comments", { "comments", NULL }, PRESENT, "0" }, NO_FIELD },
	    { NULL } },
	{ { "pull", "pr" }, { "", { "number", "id" }, AS_STR, "\"\"" },
	    { PLAIN("state"), UPDATED_OR, { "mergeable", { "mergeable", "mergeableState" }, TRUE_OR, "null" },
		{ "reviews", { "reviews.totalCount", NULL }, PRESENT, "0" }, NO_FIELD },
	    { NULL } },
	{ { "comment" }, { "", { "id", NULL }, AS_STR, "\"\"" },
	    { UPDATED_OR, { "bodyLength", { "body", NULL }, LENGTH, "0" }, NO_FIELD }, { NULL } },
	{ { "commit" }, { "", { "sha", "oid" }, TRUE_OR, "\"\"" },
	    { { "sha", { "sha", "oid" }, TRUE_OR, "\"\"" },
		{ "date", { "committedDate", "commit.committer.date" }, TRUE_OR, "null" }, NO_FIELD },
	    { NULL } },
	{ { "release" }, { "", { "id", "tagName" }, AS_STR, "\"\"" },
	    { { "tagName", { "tagName", "tag_name" }, TRUE_OR, "null" },
		{ "publishedAt", { "publishedAt", "published_at" }, TRUE_OR, "null" }, NO_FIELD },
	    { NULL } },
	{ { "workflow" }, { "", { "databaseId", "id" }, AS_STR, "\"\"" },
	    { PLAIN("status"), PLAIN("conclusion"), UPDATED, NO_FIELD },
	    { "workflow_runs", "workflows", "jobs" } },
	{ { "runner" }, { "", { "id", "name" }, AS_STR, "\"\"" },
	    { PLAIN("status"), PLAIN("busy"), NO_FIELD }, { "runners" } },
	{ { "branch" }, { "", { "name", NULL }, PRESENT, "\"\"" },
	    { { "name", { "name", NULL }, PRESENT, "\"\"" },
		{ "protected", { "protected", NULL }, PRESENT, "false" },
		{ "sha", { "commit.sha", NULL }, PRESENT, "\"\"" }, NO_FIELD },
	    { NULL } },
	{ { "tag" }, { "", { "name", NULL }, PRESENT, "\"\"" },
	    { { "name", { "name", NULL }, PRESENT, "\"\"" },
		{ "sha", { "commit.sha", NULL }, PRESENT, "\"\"" }, NO_FIELD },
	    { NULL } },
	{ { "deployment" }, { "", { "id", NULL }, AS_STR, "\"\"" },
	    { { "id", { "id", NULL }, AS_STR, "\"\"" }, PLAIN("state"), UPDATED_OR, NO_FIELD }, { NULL } },
	{ { "check", "status" }, { "", { "id", "name" }, AS_STR, "\"\"" },
	    { PLAIN("status"), PLAIN("conclusion"),
		{ "completedAt", { "completedAt", "completed_at" }, TRUE_OR, "null" }, NO_FIELD },
	    { NULL } },
};

static bool word_fits(const char *word, struct span op)
{
	if (word[0] == '=')
		return span_eq(op, word + 1);
	if (word[0] == '^')
		return span_starts(op, word + 1);
	return span_find(op, word) >= 0;
}

static const struct kind *kind_of(struct span op)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (size_t w = 0; w < 3 && kinds[i].words[w]; w++)
			if (word_fits(kinds[i].words[w], op))
				return kinds[i].fields[0].name ? &kinds[i] : NULL;
	return NULL;
}

/* ---- one object ---- */

/* The members of an object that a kind looks at, from one walk. */
struct members {
	const char *paths[ROOTS_MAX];
	struct span values[ROOTS_MAX];	/* p == NULL: not there */
	size_t n;
};

static void want(struct members *m, const struct field *f)
{
	for (size_t k = 0; k < 2 && f->from[k]; k++)
		m->paths[m->n++] = f->from[k];
}

static bool key_is(struct span raw, const char *path)
{
	size_t n = strcspn(path, ".");

	/* Raw and with quotes; an escape in a key of ours is one that nobody writes, but it is the same key.
	 */
	if (raw.n == n + 2 && memcmp(raw.p + 1, path, n) == 0)
		return true;
	if (!memchr(raw.p, '\\', raw.n))
		return false;
	char name[32];
	return span_copy(name, sizeof name, span_make(path, n)) && jscan_str_eq(raw, name);
}

/* The last of duplicate keys counts, as in Python's dict. */
static int members_find(struct span object, const struct kind *kind, struct members *m)
{
	struct span key, value;
	size_t at = 0;
	int r;

	*m = (struct members){ 0 };
	want(m, &kind->id);
	for (const struct field *f = kind->fields; f->name; f++)
		want(m, f);
	while ((r = jscan_next(object, &at, &key, &value)) > 0)
		for (size_t i = 0; i < m->n; i++)
			if (key_is(key, m->paths[i]))
				m->values[i] = value;
	if (r < 0)
		return ERR_PROTO;
	for (size_t i = 0; i < m->n; i++) {
		const char *below = strchr(m->paths[i], '.');
		if (below && m->values[i].p && jscan_path(m->values[i], below + 1, &value) == 1)
			m->values[i] = value;
		else if (below)
			m->values[i].p = NULL;
	}
	return 0;
}

static struct span member(const struct members *m, const char *path)
{
	for (size_t i = 0; path && i < m->n; i++)
		if (strcmp(m->paths[i], path) == 0)
			return m->values[i];
	return (struct span){ NULL, 0 };
}

static bool is_zero(struct span number)
{
	for (size_t i = 0; i < number.n && number.p[i] != 'e' && number.p[i] != 'E'; i++)
		if (number.p[i] >= '1' && number.p[i] <= '9')
			return false;
	return true;
}

/* What Python takes for false. */
static bool is_empty(struct span value)
{
	struct span key, item;
	size_t at = 0;

	switch (value.n ? value.p[0] : 'n') {
	case 'n':
	case 'f':
		return true;
	case 't':
		return false;
	case '"':
		return value.n == 2;
	case '{':
	case '[':
		return jscan_next(value, &at, &key, &item) == 0;
	}
	return is_zero(value);
}

/* Characters, as Python's len() counts them. */
static void put_length(struct buf *out, struct span raw)
{
	struct buf text;
	size_t n = 0;

	buf_init(&text, BUF_MAX_ANY);
	if (jscan_unescape(raw, &text) == 0)
		for (size_t i = 0; i < buf_len(&text); i++)
			n += (buf_data(&text)[i] & 0xc0) != 0x80;
	buf_free(&text);
	buf_addf(out, "%zu", n);
}

/* As str() or, with `key`, as json.dumps writes a key. False: a container, which neither can be. */
static bool put_text(struct buf *out, struct span value, bool key)
{
	char c = value.p[0];

	if (c == '{' || c == '[')
		return false;
	if (c == '"')
		buf_addspan(out, value);
	else if (c == 'n')
		buf_adds(out, key ? "\"null\"" : "\"None\"");
	else if (c == 't')
		buf_adds(out, key ? "\"true\"" : "\"True\"");
	else if (c == 'f')
		buf_adds(out, key ? "\"false\"" : "\"False\"");
	else {
		buf_addc(out, '"');
		bool ok = jcanon(value, out) == 0;
		buf_addc(out, '"');
		return ok;
	}
	return true;
}

static struct span pick(const struct members *m, const struct field *f)
{
	struct span first = member(m, f->from[0]), second = member(m, f->from[1]);

	if (first.p && (f->how != TRUE_OR || !f->from[1] || !is_empty(first)))
		return first;
	return second.p ? second : span_of(f->absent);
}

static void put_field(struct buf *out, const struct members *m, const struct field *f)
{
	struct span value = pick(m, f);

	buf_addf(out, "\"%s\": ", f->name);
	if (f->how == LENGTH)
		put_length(out, value);
	else if (f->how != AS_STR)
		buf_addspan(out, value);
	else if (!put_text(out, value, false))
		buf_adds(out, "null");
}

static void put_fields(struct buf *out, const struct members *m, const struct kind *kind)
{
	for (const struct field *f = kind->fields; f->name; f++) {
		buf_adds(out, f != kind->fields ? ", " : "");
		put_field(out, m, f);
	}
}

/* ---- the body ---- */

static int put_item(struct buf *out, struct span item, const struct kind *kind)
{
	struct members m;
	size_t before = buf_len(out);

	if (item.p[0] != '{')
		return 0;
	if (members_find(item, kind, &m) < 0)
		return ERR_PROTO;
	buf_adds(out, before > 1 ? ", " : "");
	/* An item without a usable name makes the reference fail; without it the rest is still worth
	 * comparing. */
	if (!put_text(out, pick(&m, &kind->id), kind->id.how != AS_STR)) {
		buf_truncate(out, before);
		return 0;
	}
	buf_adds(out, ": {");
	put_fields(out, &m, kind);
	buf_addc(out, '}');
	return 0;
}

static int put_list(struct buf *out, struct span list, const struct kind *kind)
{
	struct span key, item;
	size_t at = 0;
	int r;

	while ((r = jscan_next(list, &at, &key, &item)) > 0)
		if ((r = put_item(out, item, kind)) < 0)
			return r;
	return r < 0 ? ERR_PROTO : 0;
}

/* REST wraps lists where `gh` shows them bare. */
static struct span unwrap(struct span body, const struct kind *kind)
{
	struct span list;

	if (body.p[0] != '{' || jscan_member(body, "total_count", &list) != 1)
		return body;
	for (size_t i = 0; i < 4 && kind->wrapped[i]; i++)
		if (jscan_member(body, kind->wrapped[i], &list) == 1 && list.p[0] == '[')
			return list;
	return body;
}

static int put_body(struct buf *out, struct span body, const struct kind *kind)
{
	struct members m;

	buf_addc(out, '{');
	if (body.p[0] == '[') {
		int r = put_list(out, body, kind);
		if (r < 0)
			return r;
	} else if (body.p[0] == '{') {
		if (members_find(body, kind, &m) < 0)
			return ERR_PROTO;
		put_fields(out, &m, kind);
	}
	buf_addc(out, '}');
	return out->failed ? ERR_LIMIT : 0;
}

static struct span trim_json(struct span s)
{
	while (s.n && memchr(" \t\r\n", s.p[0], 4))
		s = span_sub(s, 1, s.n);
	while (s.n && memchr(" \t\r\n", s.p[s.n - 1], 4))
		s.n--;
	return s;
}

#define FIELDS_TEXT_MAX ((size_t)1 << 20)	/* what jcanon takes */

int fields_of(struct span op, struct span body, struct buf *out)
{
	const struct kind *kind = kind_of(op);
	struct buf raw;

	if (!kind)
		return 0;
	if (!jscan_valid(body))
		return ERR_PROTO;
	body = unwrap(trim_json(body), kind);
	if (is_empty(body))
		return 0;
	buf_init(&raw, FIELDS_TEXT_MAX);
	int r = put_body(&raw, body, kind);
	if (r == 0 && buf_len(&raw) > 2 && (r = jcanon(buf_span(&raw), out)) == 0)
		r = 1;
	buf_free(&raw);
	return r;
}
