#include <stdlib.h>

#include "../cache/asked.h"
#include "github/governor.h"
#include "github/ratelimit.h"

#define NOW 1700000040		/* the 20th second of a minute */
#define MINUTE 60
#define RESET (NOW + 1000)

struct fixture {
	struct governor g;
	struct asked a, b, search, code, graphql, limit, write;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	governor_init(&f->g, 500, 100);
	asked_get(&f->a, TOKEN_A, "/repos/o/r");
	asked_get(&f->b, TOKEN_B, "/repos/o/r");
	asked_get(&f->search, TOKEN_A, "/search/issues?q=x");
	asked_get(&f->code, TOKEN_A, "/search/code?q=x");
	asked_get(&f->limit, TOKEN_A, "/rate_limit");
	asked_with(&f->graphql, TOKEN_A, "POST", "/graphql", "{}");
	asked_with(&f->write, TOKEN_A, "POST", "/repos/o/r/issues", "{}");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct asked *all[] = { &f->a, &f->b, &f->search, &f->code, &f->graphql, &f->limit, &f->write };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		asked_wipe(all[i]);
	free(f);
	return 0;
}

static bool note(struct fixture *f, const struct asked *q, const char *resource, int64_t remaining,
    int64_t reset)
{
	struct ratelimit l = { .known = true, .limit = 5000, .remaining = remaining, .reset = reset };

	snprintf(l.resource, sizeof(l.resource), "%s", resource);
	return governor_note(&f->g, &q->req, &l, NOW);
}

static void says(struct fixture *f, const struct asked *q, int64_t now, enum governor_word want, int64_t when)
{
	int64_t until = -1;
	enum governor_word got = governor_ask(&f->g, &q->req, now, &until);

	if (got != want || until != when)
		fail_msg("%s: %d until %lld, not %d until %lld", (const char *)buf_data(&q->req.target), got,
		    (long long)until, want, (long long)when);
}

static void goes_where_nothing_is_known(void **state)
{
	struct fixture *f = *state;

	says(f, &f->a, NOW, GOVERNOR_GO, 0);
	assert_null(governor_limits(&f->g, &f->a.req));
}

static void stops_at_zero_until_the_reset(void **state)
{
	struct fixture *f = *state;

	note(f, &f->a, "core", 0, RESET);
	says(f, &f->a, NOW, GOVERNOR_STOP, RESET);
	says(f, &f->write, NOW, GOVERNOR_STOP, RESET);
	says(f, &f->a, RESET - 1, GOVERNOR_STOP, RESET);
	says(f, &f->a, RESET, GOVERNOR_GO, 0);
	says(f, &f->b, NOW, GOVERNOR_GO, 0);		/* another token has its own */
	note(f, &f->a, "core", 4000, RESET);		/* GitHub changed its mind */
	says(f, &f->a, NOW, GOVERNOR_GO, 0);
}

static void keeps_resources_apart(void **state)
{
	struct fixture *f = *state;
	const struct asked *all[] = { &f->a, &f->search, &f->code, &f->graphql };
	static const char *const names[] = { "core", "search", "code_search", "graphql" };

	for (size_t i = 0; i < 4; i++) {
		governor_init(&f->g, 500, 100);
		note(f, &f->a, names[i], 0, RESET);
		for (size_t k = 0; k < 4; k++)
			says(f, all[k], NOW, k == i ? GOVERNOR_STOP : GOVERNOR_GO, k == i ? RESET : 0);
		says(f, &f->limit, NOW, GOVERNOR_GO, 0);	/* a look at the limits is free */
	}
}

static void spares_below_the_aggressive_threshold(void **state)
{
	struct fixture *f = *state;

	note(f, &f->a, "core", 100, RESET);
	says(f, &f->a, NOW, GOVERNOR_GO, 0);
	note(f, &f->a, "core", 99, RESET);
	says(f, &f->a, NOW, GOVERNOR_SPARE, 0);
	note(f, &f->a, "core", 1, RESET);
	says(f, &f->a, NOW, GOVERNOR_SPARE, 0);
	says(f, &f->a, RESET, GOVERNOR_GO, 0);
}

static void warns_once_a_window(void **state)
{
	struct fixture *f = *state;

	assert_false(note(f, &f->a, "core", 500, RESET));
	assert_true(note(f, &f->a, "core", 499, RESET));
	assert_false(note(f, &f->a, "core", 498, RESET));
	assert_true(note(f, &f->b, "core", 3, RESET));
	assert_true(note(f, &f->a, "search", 3, RESET));
	assert_false(note(f, &f->a, "core", 4999, RESET + 3600));
	assert_true(note(f, &f->a, "core", 0, RESET + 3600));
}

static void learns_nothing_from_answers_without_fields(void **state)
{
	struct fixture *f = *state;
	struct ratelimit none = { .known = false };

	note(f, &f->a, "core", 42, RESET);
	assert_false(governor_note(&f->g, &f->a.req, &none, NOW));
	assert_int_equal(governor_limits(&f->g, &f->a.req)->remaining, 42);
	assert_int_equal(governor_limits(&f->g, &f->write.req)->remaining, 42);
	assert_null(governor_limits(&f->g, &f->search.req));
	assert_null(governor_limits(&f->g, &f->b.req));
}

static void freezes_as_long_as_github_says(void **state)
{
	struct fixture *f = *state;

	governor_freeze(&f->g, &f->a.req, NOW + 30, NOW);
	says(f, &f->a, NOW, GOVERNOR_STOP, NOW + 30);
	says(f, &f->a, NOW + 29, GOVERNOR_STOP, NOW + 30);
	says(f, &f->a, NOW + 30, GOVERNOR_GO, 0);
	says(f, &f->b, NOW, GOVERNOR_GO, 0);
	assert_null(governor_limits(&f->g, &f->a.req));
	note(f, &f->a, "core", 4000, RESET);		/* plenty remain, and it is frozen all the same */
	says(f, &f->a, NOW, GOVERNOR_STOP, NOW + 30);
}

static void lets_so_many_out_at_once(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < GOVERNOR_CONCURRENT; i++) {
		says(f, i % 2 ? &f->a : &f->b, NOW, GOVERNOR_GO, 0);
		governor_leave(&f->g, i % 2 ? &f->a.req : &f->b.req, NOW);
	}
	says(f, &f->a, NOW, GOVERNOR_LATER, 0);
	says(f, &f->search, NOW + MINUTE, GOVERNOR_LATER, 0);
	governor_back(&f->g, &f->a.req);
	says(f, &f->a, NOW, GOVERNOR_GO, 0);
}

/* One token never takes all the places. */
static void leaves_places_to_others(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < GOVERNOR_TOKEN; i++)
		governor_leave(&f->g, &f->a.req, NOW);
	assert_int_equal(governor_away(&f->g, f->a.req.id->tag), GOVERNOR_TOKEN);
	assert_int_equal(governor_away(&f->g, f->b.req.id->tag), 0);
	says(f, &f->a, NOW, GOVERNOR_LATER, 0);
	for (unsigned i = GOVERNOR_TOKEN; i < GOVERNOR_CONCURRENT; i++) {
		says(f, &f->b, NOW, GOVERNOR_GO, 0);
		governor_leave(&f->g, &f->b.req, NOW);
	}
	says(f, &f->b, NOW, GOVERNOR_LATER, 0);
	governor_back(&f->g, &f->b.req);
	says(f, &f->a, NOW, GOVERNOR_LATER, 0);
	says(f, &f->b, NOW, GOVERNOR_GO, 0);
	governor_back(&f->g, &f->a.req);
	says(f, &f->a, NOW, GOVERNOR_GO, 0);
}

static void leave_and_return(struct fixture *f, const struct asked *q, unsigned times)
{
	while (times-- > 0) {
		governor_leave(&f->g, &q->req, NOW);
		governor_back(&f->g, &q->req);
	}
}

static void lets_so_many_out_a_minute(void **state)
{
	struct fixture *f = *state;
	int64_t next = (NOW / MINUTE + 1) * MINUTE;

	leave_and_return(f, &f->a, GOVERNOR_POINTS - 1);
	says(f, &f->a, NOW, GOVERNOR_GO, 0);
	leave_and_return(f, &f->a, 1);
	says(f, &f->a, NOW, GOVERNOR_LATER, next);
	says(f, &f->b, NOW, GOVERNOR_GO, 0);		/* by token */
	says(f, &f->search, NOW, GOVERNOR_GO, 0);	/* and operation */
	says(f, &f->a, next, GOVERNOR_GO, 0);
}

static void counts_a_write_as_five(void **state)
{
	struct fixture *f = *state;

	leave_and_return(f, &f->write, GOVERNOR_POINTS / 5 - 1);
	says(f, &f->write, NOW, GOVERNOR_GO, 0);
	leave_and_return(f, &f->search, 1);		/* the same operation: four points remain */
	assert_string_equal(f->search.req.route->op, f->write.req.route->op);
	says(f, &f->write, NOW, GOVERNOR_LATER, (NOW / MINUTE + 1) * MINUTE);
	says(f, &f->search, NOW, GOVERNOR_GO, 0);
}

/* More tokens than there are rows: the least recently told of is forgotten, but for who must wait. */
static void forgets_the_least_recently_used(void **state)
{
	struct fixture *f = *state;
	struct ratelimit plenty = { .known = true, .remaining = 7, .reset = RESET, .resource = "core" };

	note(f, &f->a, "core", 0, RESET);
	governor_freeze(&f->g, &f->b.req, NOW + 1000, NOW);
	for (unsigned i = 0; i < 2 * GOVERNOR_ROWS; i++) {
		struct asked q;
		char token[60];

		snprintf(token, sizeof(token), "token ghp_%036u", i);
		asked_get(&q, token, "/repos/o/r");
		governor_note(&f->g, &q.req, &plenty, NOW + 1 + i);
		governor_leave(&f->g, &q.req, NOW);
		governor_back(&f->g, &q.req);
		assert_int_equal(governor_limits(&f->g, &q.req)->remaining, 7);
		asked_wipe(&q);
	}
	says(f, &f->a, NOW, GOVERNOR_STOP, RESET);
	says(f, &f->b, NOW, GOVERNOR_STOP, NOW + 1000);
	says(f, &f->a, RESET, GOVERNOR_GO, 0);
	assert_int_equal(f->g.running, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(goes_where_nothing_is_known, setup, teardown),
		cmocka_unit_test_setup_teardown(stops_at_zero_until_the_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_resources_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(spares_below_the_aggressive_threshold, setup, teardown),
		cmocka_unit_test_setup_teardown(warns_once_a_window, setup, teardown),
		cmocka_unit_test_setup_teardown(learns_nothing_from_answers_without_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(freezes_as_long_as_github_says, setup, teardown),
		cmocka_unit_test_setup_teardown(lets_so_many_out_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_places_to_others, setup, teardown),
		cmocka_unit_test_setup_teardown(lets_so_many_out_a_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_a_write_as_five, setup, teardown),
		cmocka_unit_test_setup_teardown(forgets_the_least_recently_used, setup, teardown),
	};

	return cmocka_run_group_tests_name("github/governor", tests, NULL, NULL);
}
