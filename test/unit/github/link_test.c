#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/buf.h"
#include "github/link.h"

#define O "https://api.github.com"
#define NEXT "<" O "/repositories/42/issues?page=2>; rel=\"next\""
#define LAST "<" O "/repositories/42/issues?page=9>; rel=\"last\""

static struct span guarded(const char *text)
{
	return span_make(guard_put(text, strlen(text)), strlen(text));
}

static void test_next(void **state)
{
	struct span rest = guarded(NEXT ", " LAST), url, params;

	(void)state;
	assert_true(link_next(&rest, &url, &params));
	assert_true(span_eq(url, O "/repositories/42/issues?page=2"));
	assert_true(span_find(params, "rel=\"next\"") >= 0 && span_find(params, "last") < 0);
	assert_true(link_next(&rest, &url, &params));
	assert_true(span_eq(url, O "/repositories/42/issues?page=9"));
	assert_true(span_find(params, "rel=\"last\"") >= 0);
	assert_false(link_next(&rest, &url, &params));
	rest = guarded("");
	assert_false(link_next(&rest, &url, &params));
	rest = guarded("<a,b>;x=1,<>");		/* a comma inside the brackets; an empty target */
	assert_true(link_next(&rest, &url, &params));
	assert_true(span_eq(url, "a,b"));
	assert_true(link_next(&rest, &url, &params));
	assert_int_equal(url.n, 0);
	assert_false(link_next(&rest, &url, &params));
}

static const struct {
	const char *link, *rel, *url;		/* url NULL: none */
} rels[] = {
	{ NEXT ", " LAST, "next", O "/repositories/42/issues?page=2" },
	{ NEXT ", " LAST, "last", O "/repositories/42/issues?page=9" },
	{ NEXT ", " LAST, "prev", NULL },
	{ NEXT ", " LAST, "nex", NULL },
	{ NEXT ", " LAST, "nextx", NULL },
	{ "<u>; rel=next", "next", "u" },
	{ "<u>;rel=\"next\"", "next", "u" },
	{ "<u>; REL=\"Next\"", "next", "u" },
	{ "<u>; title=\"x\"; rel=\"next\"", "next", "u" },
	{ "<u>; rel=\"next\"; title=\"x\"", "next", "u" },
	{ "<u>; rel=\"prev next\"", "next", "u" },	/* RFC 8288 §3.3: a list */
	{ "<u>; rel=\"next last\"", "next", "u" },
	{ "<u>; rel=\"next last\"", "last", "u" },
	{ "<u>; rel = \"next\"", "next", "u" },		/* §3: white space around the "=" */
	{ "<a>; rel=\"prev\",<b>; rel=\"next\"", "next", "b" },
	{ "<u>; rev=\"next\"", "next", NULL },
	{ "<u>", "next", NULL },
	{ "<u; rel=\"next\"", "next", NULL },
	{ "", "next", NULL }
};

static void test_rel(void **state)
{
	struct span url;

	(void)state;
	for (size_t i = 0; i < COUNT(rels); i++) {
		bool found = link_rel(guarded(rels[i].link), rels[i].rel, &url);

		assert_int_equal(found, rels[i].url != NULL);
		if (found)
			assert_true(span_eq(url, rels[i].url));
	}
}

static void test_within(void **state)
{
	static const char *const in[] = { "", NEXT, NEXT ", " LAST,
		"<HTTPS://API.github.com:443/x>; rel=next" };
	static const char *const out[] = { "<http://api.github.com/x>; rel=next",
		"<https://api.github.com.evil/x>; rel=next", "<https://api.github.com@evil/x>; rel=next",
		"<https://evil/api.github.com>; rel=next", "<https://api.github.com:444/x>; rel=next",
		"</x>; rel=next", "<//evil/x>; rel=next", NEXT ", <https://evil/>; rel=last",
		"<https://evil/>; rel=last, " NEXT, "<>; rel=next", NEXT ", <https://evil/" };

	(void)state;
	for (size_t i = 0; i < COUNT(in); i++)
		assert_true(link_within(guarded(in[i]), O));
	for (size_t i = 0; i < COUNT(out); i++)
		assert_false(link_within(guarded(out[i]), O));
}

static const struct {
	const char *link, *base, *target, *want;
} beliefs[] = { { NEXT ", " LAST, "", "/repos/o/r/issues?state=all", NEXT },
	{ NEXT ", " LAST, "", "/repositories/42/issues", NEXT },
	{ LAST ", " NEXT, "", "/repos/o/r/issues", NEXT }, { LAST, "", "/repos/o/r/issues", "" },
	{ "", "", "/repos/o/r/issues", "" },
	{ "<" O "/repos/o/r/issues?page=2>; rel=\"next\"", "", "/repos/o/r/issues",
	    "<" O "/repos/o/r/issues?page=2>; rel=\"next\"" },
	/* another list, another repository, another host: nothing */
	{ NEXT, "", "/repos/o/r/pulls", "" }, { NEXT, "", "/repositories/43/issues", "" },
	{ "<" O "/repos/o/x/issues>; rel=\"next\"", "", "/repos/o/r/issues", "" },
	{ "<" O "/repos/o/r/issues/1>; rel=\"next\"", "", "/repos/o/r/issues", "" },
	{ NEXT ", <https://evil/repos/o/r/issues>; rel=\"prev\"", "", "/repos/o/r/issues", "" },
	{ "<https://evil/repos/o/r/issues>; rel=\"last\", " NEXT, "", "/repos/o/r/issues", "" },
	{ "<https://api.github.com.evil/repositories/42/issues>; rel=\"next\"", "", "/repos/o/r/issues", "" },
	/* what could not stand in a field */
	{ NEXT "\r\nSet-Cookie: x", "", "/repos/o/r/issues", "" },
	{ NEXT "; x=\x01", "", "/repos/o/r/issues", "" },
	/* last, however it is written */
	{ NEXT ", <" O "/repositories/42/issues?page=9>; rel=last", "", "/repos/o/r/issues", NEXT },
	{ NEXT ", <" O "/repositories/42/issues?page=9>; rel = \"last\"", "", "/repos/o/r/issues", NEXT },
	{ NEXT ", <" O "/repositories/42/issues?page=9>; rel=\"x last\"", "", "/repos/o/r/issues", NEXT },
	/* behind a base path */
	{ "<" O "/api/v3/user/repos?page=2>; rel=\"next\"", "/api/v3", "/user/repos",
	    "<" O "/api/v3/user/repos?page=2>; rel=\"next\"" },
	{ "<" O "/user/repos?page=2>; rel=\"next\"", "/api/v3", "/user/repos", "" },
	{ "<" O "/user/repos?page=2>; rel=\"next\", <" O "/user/repos?page=1>; rel=\"prev\"", "",
	    "/user/repos",
	    "<" O "/user/repos?page=2>; rel=\"next\", <" O "/user/repos?page=1>; rel=\"prev\"" } };

static void test_believable(void **state)
{
	struct buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(beliefs); i++) {
		buf_init(&b, BUF_MAX_ANY);
		link_believable(guarded(beliefs[i].link), O, beliefs[i].base, span_of(beliefs[i].target), &b);
		assert_string_equal(buf_cstr(&b), beliefs[i].want);
		/* what stood there before stays */
		buf_clear(&b);
		buf_adds(&b, "before");
		link_believable(guarded(beliefs[i].link), O, beliefs[i].base, span_of(beliefs[i].target), &b);
		assert_true(span_starts(buf_span(&b), "before"));
		assert_string_equal(buf_cstr(&b) + 6, beliefs[i].want);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_rel),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_believable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
