#include <string.h>

#include "../base/cm.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/opt.h"

struct values {
	bool flag, other;
	const char *text;
	int64_t ttl;
	struct opt_list fields;
	bool deep;
};

#define AT(m) offsetof(struct values, m)

static const struct opt first[] = {
	{ "flag", 'a', OPT_FLAG, NULL, AT(flag), "A flag" },
	{ "text", 't', OPT_TEXT, "TEXT", AT(text), "A text" },
	{ "ttl", 0, OPT_SECONDS, "SECONDS", AT(ttl), "A time" },
	{ "raw-field", 'f', OPT_LIST, "K=V", AT(fields), "A field" },
	{ "field", 'F', OPT_LIST, "K=V", AT(fields), "A typed field" },
	{ "other", 'b', OPT_FLAG, NULL, AT(other), "Another flag" },
	{ NULL, 0, OPT_FLAG, NULL, 0, NULL }
};
static const struct opt second[] = { { "deep", 'a', OPT_FLAG, NULL, AT(deep), "In another set" },
	{ .name = NULL } };

static struct values v, v2;
static struct opt_args args;
static struct err err;

/* Words in `line` are divided by single spaces. */
static int parse(const char *line)
{
	static char copy[2 * OPT_ARGS_MAX + 100];
	static char *argv[OPT_ARGS_MAX + 20];
	struct opt_set sets[] = { { first, &v }, { NULL, NULL }, { second, &v2 } };
	struct span rest = span_make(copy, strlen(line)), word;
	int argc = 0;

	memset(&v, 0, sizeof(v));
	v2 = v;
	v.ttl = v2.ttl = OPT_UNSET;
	args.n = 0;
	err_init(&err);
	strcpy(copy, line);
	while (line[0] != '\0' && span_cut(&rest, ' ', &word)) {
		argv[argc] = copy + (word.p - copy);
		argv[argc++][word.n] = '\0';
	}
	return opt_parse(argc, argv, sets, 3, &args, &err);
}

static void test_forms(void **state)
{
	static const char *const lines[] = { "--text value --ttl 5m -a op",
		"--text=value --ttl=300 --flag op", "op -t value --ttl 300 -a", "-tvalue -a --ttl 5m -- op",
		"-atvalue --ttl=5m op", "-at value op --ttl=5m" };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(parse(lines[i]), 0);
		assert_string_equal(v.text, "value");
		assert_int_equal(v.ttl, 300);
		assert_true(v.flag && !v.other && !v2.deep);
		assert_int_equal(args.n, 1);
		assert_string_equal(args.arg[0], "op");
	}
	assert_int_equal(parse(""), 0);
	assert_true(!v.flag && v.text == NULL && v.ttl == OPT_UNSET && v.fields.n == 0 && args.n == 0);
}

static void test_values(void **state)
{
	(void)state;
	/* a value may look like an option, be empty, or hold a "=" */
	assert_int_equal(parse("--text --flag"), 0);
	assert_string_equal(v.text, "--flag");
	assert_false(v.flag);
	assert_int_equal(parse("--text="), 0);
	assert_string_equal(v.text, "");
	assert_int_equal(parse("-t -- -a"), 0);
	assert_string_equal(v.text, "--");
	assert_true(v.flag);
	assert_int_equal(parse("--text=a=b"), 0);
	assert_string_equal(v.text, "a=b");
	assert_int_equal(parse("-ab"), 0);
	assert_true(v.flag && v.other);
	assert_int_equal(parse("-a --flag -a"), 0);
	assert_int_equal(parse("--ttl 0"), 0);
	assert_int_equal(v.ttl, 0);
}

static void test_operands(void **state)
{
	char line[2 * OPT_ARGS_MAX + 100] = "x";

	(void)state;
	assert_int_equal(parse("- -- -a -- --nothing"), 0);
	assert_int_equal(args.n, 4);
	assert_string_equal(args.arg[0], "-");
	assert_string_equal(args.arg[1], "-a");
	assert_string_equal(args.arg[2], "--");
	assert_string_equal(args.arg[3], "--nothing");
	assert_false(v.flag);
	for (int i = 1; i < OPT_ARGS_MAX; i++)
		strcat(line, " x");
	assert_int_equal(parse(line), 0);
	assert_int_equal(args.n, OPT_ARGS_MAX);
	strcat(line, " x");
	assert_int_equal(parse(line), ERR_USAGE);
	assert_string_equal(err.msg, "more than 1024 operands");
}

/* Rows that share a list keep the order of the command line, and which row it was. */
static void test_list(void **state)
{
	char line[1000] = "-f a=1";

	(void)state;
	assert_int_equal(parse("-f a=1 --field b=2 -Fc=3 --raw-field=d=4"), 0);
	assert_int_equal(v.fields.n, 4);
	assert_ptr_equal(v.fields.item[0].opt, &first[3]);
	assert_ptr_equal(v.fields.item[1].opt, &first[4]);
	assert_ptr_equal(v.fields.item[2].opt, &first[4]);
	assert_ptr_equal(v.fields.item[3].opt, &first[3]);
	assert_string_equal(v.fields.item[0].value, "a=1");
	assert_string_equal(v.fields.item[2].value, "c=3");
	assert_string_equal(v.fields.item[3].value, "d=4");
	for (int i = 1; i < OPT_LIST_MAX; i++)
		strcat(line, " -f a=1");
	assert_int_equal(parse(line), 0);
	strcat(line, " -f a=1");
	assert_int_equal(parse(line), ERR_USAGE);
	assert_string_equal(err.msg, "--raw-field is given more than 64 times");
}

static void test_sets(void **state)
{
	(void)state;
	assert_int_equal(parse("--deep"), 0);
	assert_true(v2.deep && !v.deep);
	/* the first set that has it */
	assert_int_equal(parse("-a"), 0);
	assert_true(v.flag && !v2.deep && !v2.flag);
}

static const struct {
	const char *line, *msg;
} errors[] = {
	{ "--txt x", "unknown option --txt; did you mean --text?" },
	{ "--fleld=x", "unknown option --fleld; did you mean --field?" },
	{ "--deap", "unknown option --deap; did you mean --deep?" },
	{ "--nothing-like-it", "unknown option --nothing-like-it" },
	{ "--nothing-like-it=5", "unknown option --nothing-like-it" },
	{ "--Flag", "unknown option --Flag; did you mean --flag?" },
	{ "-z", "unknown option -z" },
	{ "-az", "unknown option -z" },
	{ "--flag=x", "--flag takes no value" },
	{ "--flag=", "--flag takes no value" },
	{ "--text", "--text needs a value: TEXT" },
	{ "-t", "-t needs a value: TEXT" },
	{ "-at", "-t needs a value: TEXT" },
	{ "-F", "-F needs a value: K=V" },
	{ "--text a --text b", "--text is given twice" },
	{ "-ta --text=b", "--text is given twice" },
	{ "--ttl 5 --ttl 5", "--ttl is given twice" },
	{ "--ttl soon", "--ttl takes seconds or a duration like 5m, not 'soon'" },
	{ "--ttl=-5", "--ttl takes seconds or a duration like 5m, not '-5'" },
	{ "--ttl=", "--ttl takes seconds or a duration like 5m, not ''" }
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		assert_int_equal(parse(errors[i].line), ERR_USAGE);
		assert_string_equal(err.msg, errors[i].msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
