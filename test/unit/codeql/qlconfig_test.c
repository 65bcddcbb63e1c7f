#include <stdlib.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "codeql/qlconfig.h"

static void test_pins(void **state)
{
	static const struct {
		const char *word;
		enum qlconfig_pin query, pack;
	} table[] = { { "security-extended", QL_PINNED, QL_UNPINNED },
		{ "+security-and-quality", QL_PINNED, QL_UNPINNED }, { "./queries", QL_LOCAL, QL_LOCAL },
		{ "+ ./queries", QL_LOCAL, QL_LOCAL }, { "o/r/x.ql@main", QL_UNPINNED, QL_UNPINNED },
		{ "o/r", QL_UNPINNED, QL_UNPINNED },
		{ "o/r/x@0123456789012345678901234567890123456789", QL_PINNED, QL_UNPINNED },
		{ "s/n@1.2.3", QL_UNPINNED, QL_PINNED }, { "s/n@1.2.3:path/x.qls", QL_UNPINNED, QL_PINNED },
		{ "s/n@1.2.3-dev.1", QL_UNPINNED, QL_PINNED }, { "s/n@^1.2.3", QL_UNPINNED, QL_UNPINNED },
		{ "s/n@1.2", QL_UNPINNED, QL_UNPINNED }, { "s/n@1.2.x", QL_UNPINNED, QL_UNPINNED },
		{ "s/n@1.2.3 - 1.3.0", QL_UNPINNED, QL_UNPINNED }, { "s/n@*", QL_UNPINNED, QL_UNPINNED },
		{ "s/n", QL_UNPINNED, QL_UNPINNED }, { "", QL_UNPINNED, QL_UNPINNED },
		{ "|", QL_UNPINNED, QL_UNPINNED } };

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_int_equal(qlconfig_query(span_of(table[i].word)), table[i].query);
		assert_int_equal(qlconfig_pack(span_of(table[i].word)), table[i].pack);
	}
	assert_int_equal(qlconfig_file(span_of("./x.yml")), QL_LOCAL);
	assert_int_equal(qlconfig_file(span_of(".github/codeql/x.yml")), QL_LOCAL);
	assert_int_equal(qlconfig_file(span_of("o/r/x.yml@v1")), QL_UNPINNED);
	assert_int_equal(qlconfig_file(span_of("o/r/x.yml@0123456789012345678901234567890123456789")),
	    QL_PINNED);
}

static void note(void *arg, enum qlconfig_what what, struct span name, struct span text)
{
	static const char *const words[] = { "block", "uses", "pack" };

	if (what == QL_BLOCK)
		buf_addf(arg, "%s %.*s; ", words[what], (int)name.n, name.p);
	else
		buf_addf(arg, "%s %.*s; ", words[what], (int)text.n, text.p);
}

static void expect(const char *file, const char *want)
{
	struct buf got;

	buf_init(&got, 65536);
	qlconfig_walk(span_of(file), note, &got);
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
}

static void test_files(void **state)
{
	(void)state;
	expect("", "");
	/* a carriage return alone ends a line, too */
	expect("name: x # y\rpacks:\r  - o/p\rqueries:\r\n  - uses: a\r  - uses: b\r",
	    "block name; block packs; pack o/p; block queries; uses a; uses b; ");
	expect("# only a comment\n---\n", "");
	expect("name: x\nqueries:\n  - uses: ./a.ql # why\n  - name: n\n    uses: 'security-extended'\n",
	    "block name; block queries; uses ./a.ql; uses security-extended; ");
	expect("queries: [{uses: ./a}, {\"uses\": \"o/r@main\"}]\r\n",
	    "block queries; uses ./a; uses o/r@main; ");
	expect("packs:\n- a/b@1.2.3\n- c/d\npaths: [src]\n",
	    "block packs; pack a/b@1.2.3; pack c/d; block paths; ");
	expect("packs:\n  python:\n    - a/b\n    - c/d@~1\n  go: [e/f, 'g/h@1.0.0']\n",
	    "block packs; pack a/b; pack c/d@~1; pack e/f; pack g/h@1.0.0; ");
	expect("\"packs\": [a/b]\n", "block packs; pack a/b; ");
}

/* What is not of the usual form could name anything. */
static void test_what_is_not_understood(void **state)
{
	(void)state;
	expect("{\"packs\": [\"a/b\"]}\n", "pack {\"packs\": [\"a/b\"]}; ");
	expect("  packs:\n  - a/b\n", "pack packs:; pack - a/b; ");
	expect("? packs\n: [a/b]\n", "pack ? packs; pack : [a/b]; ");
	expect("packs: *all\n", "block packs; pack *all; ");
	expect("<<: {packs: [a/b]}\n", "pack <<: {packs: [a/b]}; ");
	expect("queries:\n  - uses:\n      o/r@main\n", "block queries; uses of the next line; ");
	expect("queries:\n  - uses\t: o/r@main\n", "block queries; uses o/r@main; ");
	expect("queries:\n  - ? uses\n    : o/r@main\n", "block queries; pack - ? uses; ");
	expect("name: x\n? packs\n: - a/b\n", "block name; pack ? packs; ");
	expect("queries:\n  - \"\\x75ses\": o/r@main\n", "block queries; pack - \"\\x75ses\": o/r@main; ");
	expect("queries: [{name: 'a #', uses: o/r@main}]\n", "block queries; uses o/r@main; ");
	expect("packs: [\"a/b@1.2.3 #\", c/d]  # why\n", "block packs; pack a/b@1.2.3 #; pack c/d; ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_pins), cmocka_unit_test(test_files),
		cmocka_unit_test(test_what_is_not_understood) };

	return cmocka_run_group_tests_name("codeql/qlconfig", tests, NULL, NULL);
}
