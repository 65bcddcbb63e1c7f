#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "actions/redact.h"
#include "base/buf.h"

static const char *filter(const char *const *texts, const char *in, size_t piece)
{
	static struct buf out;
	struct redact *r = redact_new();
	size_t n = strlen(in);

	buf_free(&out);
	buf_init(&out, 65536);
	for (size_t i = 0; texts[i] != NULL; i++)
		assert_int_equal(redact_hide(r, span_of(texts[i])), 0);
	for (size_t at = 0; at < n; at += piece)
		redact_feed(r, span_sub(span_of(in), at, piece), &out);
	redact_end(r, &out);
	redact_free(r);
	return buf_cstr(&out);
}

static void test_pieces(void **state)
{
	static const char *const texts[] = { "secret", "secretary", "cret-x", "", NULL };
	static const struct {
		const char *in, *want;
	} cases[] = { { "no s here", "no s here" }, { "a secret b", "a *** b" }, { "secretary", "***" },
		{ "secretar", "***ar" }, { "secre", "secre" }, { "secret-x!", "***!" },
		{ "secretsecret", "******" }, { "ssecret", "s***" }, { "", "" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t piece = 1; piece <= 12; piece++)
			assert_string_equal(filter(texts, cases[i].in, piece), cases[i].want);
}

/* Against a filter that sees all at once: each byte that is in an occurrence is hidden, all others are there.
 */
static void test_oracle(void **state)
{
	static const char *const texts[] = { "aba", "bb", "abab", NULL };
	char in[41], want[200];

	(void)state;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		bool hidden[40] = { false };
		size_t n = (size_t)(rand() % 40), k = 0;

		for (size_t i = 0; i < n; i++)
			in[i] = "abc"[rand() % 3];
		in[n] = '\0';
		for (size_t t = 0; texts[t] != NULL; t++)
			for (const char *p = in; (p = strstr(p, texts[t])) != NULL; p++)
				memset(hidden + (p - in), true, strlen(texts[t]));
		const char *got = filter(texts, in, 1 + (size_t)rand() % 7);

		/* runs of *** are one: how many there are is the filter's business */
		for (size_t i = 0; got[i] != '\0'; i++)
			if (got[i] != '*' || k == 0 || want[k - 1] != '*')
				want[k++] = got[i];
		want[k] = '\0';
		k = 0;
		for (size_t i = 0; i < n; i++) {
			if (hidden[i] && i > 0 && hidden[i - 1])
				continue;
			assert_int_equal(want[k++], hidden[i] ? '*' : in[i]);
		}
		assert_int_equal(want[k], '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pieces), cmocka_unit_test(test_oracle) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
