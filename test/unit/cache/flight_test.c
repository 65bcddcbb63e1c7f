#include "fake.h"
#include "cache/flight.h"
#include "store/epochs.h"

#define PATH "/repos/o/r"
#define HOUR 3600
#define BODY "\"new\""
#define ASKS 16

static const struct cache_ask plain = { .max_age = -1 };

/* The last layer: what it is asked waits until the test lets it answer. */
struct fake_api {
	struct cache_layer layer;
	struct lookup *pending[ASKS];	/* by the order they came; NULL: over */
	char candidate[ASKS][40];	/* the body it could have offered */
	unsigned asked, cancelled, handed;
	bool at_home;			/* what is asked waits for a limit, and is not with GitHub */
};

struct fixture {
	struct loop *loop;
	struct cache *cache;
	struct cache_layer *layers[2];
	struct fake_disk disk;
	struct fake_api api;
	struct epochs *epochs;
	struct metrics *metrics;
	struct asked a, b;		/* the same question of two tokens */
	struct heard h[8];
	struct job stop;
	bool stopped;
};

static size_t place(struct fake_api *api, const struct lookup *lk)
{
	size_t i = 0;

	while (i < api->asked && api->pending[i] != lk)
		i++;
	assert_true(i < api->asked);
	return i;
}

static enum layer_result api_lookup(struct cache_layer *l, struct lookup *lk)
{
	struct fake_api *api = (struct fake_api *)(void *)l;
	unsigned i = api->asked++;

	assert_true(i < ASKS);
	api->pending[i] = lk;
	lk->layer_state = api;
	lk->away = !api->at_home;
	if (lk->candidate != NULL)
		span_copy(api->candidate[i], sizeof(api->candidate[i]), lk->candidate->body);
	return LAYER_PENDING;
}

static void api_cancelled(struct cache_layer *l, struct lookup *lk)
{
	struct fake_api *api = (struct fake_api *)(void *)l;

	api->pending[place(api, lk)] = NULL;
	api->cancelled++;
}

static void api_hand_over(struct cache_layer *l, struct lookup *from, struct lookup *to)
{
	struct fake_api *api = (struct fake_api *)(void *)l;

	api->pending[place(api, from)] = to;
	to->layer_state = from->layer_state;
	from->layer_state = NULL;
	api->handed++;
}

/* GitHub's 200 to the i-th ask. */
static void answer(struct fixture *f, size_t i, const struct asked *q)
{
	struct lookup *lk = f->api.pending[i];
	struct answer a;

	assert_non_null(lk);
	f->api.pending[i] = NULL;
	lk->layer_state = NULL;
	answer_init(&a, 1000);
	assert_int_equal(answer_take_head(&a, head_of(200, "Content-Type: application/json\r\n")), 0);
	buf_adds(&a.body, BODY);
	lk->outcome.fwd = FWD_URI_MISS;
	lk->outcome.fwd_status = 200;
	lk->made = entry_for(q, 0, BODY, "\"n\"");
	lk->outcome.stored = lookup_store(lk, lk->made);
	lk->answer = &a;
	lookup_done(lk);
	answer_free(&a);
}

/* GitHub's 304 to the i-th ask: what is held is good. */
static void confirm(struct fixture *f, size_t i, struct entry *e)
{
	struct lookup *lk = f->api.pending[i];

	assert_non_null(lk);
	f->api.pending[i] = NULL;
	lk->layer_state = NULL;
	lk->outcome.fwd = FWD_STALE;
	lk->outcome.fwd_status = 304;
	lookup_set_own(lk, e, "api");
	lk->now = e->timestamp;
	lk->serve_own = true;
	lookup_done(lk);
}

static void give_up(struct fixture *f, size_t i)
{
	struct lookup *lk = f->api.pending[i];

	assert_non_null(lk);
	f->api.pending[i] = NULL;
	lk->layer_state = NULL;
	err_set(&lk->err, ERR_UNAVAIL, "no network");
	lookup_done(lk);
}

static void on_stop(struct job *j)
{
	((struct fixture *)(void *)((char *)j - offsetof(struct fixture, stop)))->stopped = true;
}

/* What is queued runs. */
static void pass(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		f->stopped = false;
		job_queue(f->loop, &f->stop);
		assert_int_equal(loop_run(f->loop, &f->stopped, NULL), 0);
	}
}

static void ask(struct fixture *f, size_t i, const struct asked *q)
{
	heard_start(&f->h[i], f->cache, q, &plain);
	pass(f);
}

static void asked_times(struct fixture *f, unsigned n)
{
	pass(f);
	if (f->api.asked != n)
		fail_msg("asked %u times, not %u", f->api.asked, n);
}

static void is_waiting(const struct heard *h)
{
	assert_int_equal(h->heads + h->ends, 0);
}

static void got_it(const struct heard *h)
{
	heard_is(h, 200, BODY, "ghoard; fwd=uri-miss; fwd-status=200; stored");
	assert_int_equal(h->ends, 1);
}

static void got_another_s(const struct heard *h)
{
	heard_is(h, 200, BODY, "ghoard; fwd=uri-miss; collapsed");
	assert_int_equal(h->ends, 1);
}

static void failed(const struct heard *h)
{
	assert_int_equal(h->ends, 1);
	assert_int_equal(h->heads, 0);
	assert_int_equal(h->err.cls, ERR_UNAVAIL);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct cache_params p = { .layers = f->layers, .nlayers = 2, .permission_s = HOUR,
		.stale_if_error_s = HOUR };

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	p.loop = f->loop;
	p.epochs = f->epochs = epochs_new(NULL);
	p.metrics = f->metrics = metrics_open(NULL);
	fake_disk_init(&f->disk);
	f->api.layer = (struct cache_layer){ .name = "api", .lookup = api_lookup, .cancel = api_cancelled,
		.hand_over = api_hand_over };
	f->layers[0] = &f->disk.layer;
	f->layers[1] = &f->api.layer;
	f->stop.run = on_stop;
	asked_get(&f->a, TOKEN_A, PATH);
	asked_get(&f->b, TOKEN_B, PATH);
	assert_int_equal(cache_new(&p, &f->cache, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cache_free(f->cache);
	fake_disk_wipe(&f->disk);
	epochs_free(f->epochs);
	metrics_free(f->metrics);
	loop_free(f->loop);
	asked_wipe(&f->a);
	asked_wipe(&f->b);
	free(f);
	return 0;
}

/* ---- one token ---- */

static void many_make_one(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 5; i++)
		ask(f, i, &f->a);
	asked_times(f, 1);
	for (size_t i = 0; i < 5; i++)
		is_waiting(&f->h[i]);
	answer(f, 0, &f->a);
	got_it(&f->h[0]);
	for (size_t i = 1; i < 5; i++)
		got_another_s(&f->h[i]);
	asked_times(f, 1);
	assert_int_equal(f->disk.nkept, 1);
	assert_int_equal(metrics_get(f->metrics, M_CALLS_SAVED), 4);
	assert_int_equal(metrics_get(f->metrics, M_MISS), 1);
}

/* Also where they begin in one pass of the loop. */
static void many_at_once_make_one(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 5; i++)
		heard_start(&f->h[i], f->cache, &f->a, &plain);
	asked_times(f, 1);
	answer(f, 0, &f->a);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(f->h[i].body, BODY);
}

static void a_confirmed_entry_is_shared(void **state)
{
	struct fixture *f = *state;

	f->disk.own = entry_for(&f->a, 400, "\"held\"", "\"x\"");
	ask(f, 0, &f->a);
	ask(f, 1, &f->a);
	asked_times(f, 1);
	confirm(f, 0, entry_for(&f->a, 0, "\"held\"", "\"x\""));
	heard_is(&f->h[0], 200, "\"held\"", "ghoard; fwd=stale; fwd-status=304");
	heard_is(&f->h[1], 200, "\"held\"", "ghoard; fwd=stale; collapsed");
}

static void after_the_landing_a_new_one_leaves(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	answer(f, 0, &f->a);
	ask(f, 1, &f->a);
	asked_times(f, 2);
	answer(f, 1, &f->a);
	got_it(&f->h[1]);
}

static void another_question_flies_for_itself(void **state)
{
	struct fixture *f = *state;
	struct asked other;

	asked_get(&other, TOKEN_A, PATH "?page=2");
	ask(f, 0, &f->a);
	ask(f, 1, &other);
	asked_times(f, 2);
	answer(f, 1, &other);
	is_waiting(&f->h[0]);
	answer(f, 0, &f->a);
	got_it(&f->h[0]);
	asked_wipe(&other);
}

static void some_fly_alone(void **state)
{
	static const struct cache_ask asks[] = { { .max_age = -1, .refresh = true },
		{ .max_age = -1, .refresh = true, .no_store = true } };
	struct fixture *f = *state;
	struct asked head, write;

	asked_with(&head, TOKEN_A, "HEAD", PATH, NULL);
	asked_with(&write, TOKEN_A, "PATCH", PATH, "{}");
	ask(f, 0, &f->a);
	for (size_t i = 0; i < 2; i++)
		heard_start(&f->h[1 + i], f->cache, &f->a, &asks[i]);
	ask(f, 3, &head);
	ask(f, 4, &write);
	asked_times(f, 5);
	/* nor does anybody wait for them */
	answer(f, 0, &f->a);
	ask(f, 5, &f->a);
	asked_times(f, 6);
	for (size_t i = 1; i < 6; i++)
		cache_cancel(f->h[i].lookup);
	asked_wipe(&head);
	asked_wipe(&write);
}

/* Who asks after a write must not hear what GitHub said before it. */
static void a_write_ends_the_boarding(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	ask(f, 1, &f->a);
	cache_note_write(f->cache, span_of(PATH "/issues/1"));
	ask(f, 2, &f->a);
	asked_times(f, 1);		/* nothing that this answer holds was written to */
	cache_note_write(f->cache, span_of(PATH));
	ask(f, 3, &f->a);
	ask(f, 4, &f->a);
	asked_times(f, 2);
	answer(f, 0, &f->a);
	assert_int_equal(f->h[0].ends + f->h[1].ends + f->h[2].ends, 3);
	is_waiting(&f->h[3]);
	is_waiting(&f->h[4]);
	answer(f, 1, &f->a);
	got_it(&f->h[3]);
	got_another_s(&f->h[4]);
}

/* ---- failures ---- */

static void the_first_waiter_takes_over(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++)
		ask(f, i, &f->a);
	give_up(f, 0);
	failed(&f->h[0]);
	asked_times(f, 2);
	for (size_t i = 1; i < 4; i++)
		is_waiting(&f->h[i]);
	assert_ptr_equal(f->api.pending[1], f->h[1].lookup);
	answer(f, 1, &f->a);
	got_it(&f->h[1]);
	got_another_s(&f->h[2]);
	got_another_s(&f->h[3]);
}

/* One takes over; what fails twice has failed for who waits, and is asked anew for who comes after. */
static void all_may_fail(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++)
		ask(f, i, &f->a);
	give_up(f, 0);
	failed(&f->h[0]);
	asked_times(f, 2);
	ask(f, 4, &f->a);		/* it waits for who took over */
	for (size_t i = 1; i < 5; i++)
		is_waiting(&f->h[i]);
	give_up(f, 1);
	for (size_t i = 1; i < 5; i++)
		failed(&f->h[i]);
	asked_times(f, 2);
	ask(f, 5, &f->a);
	asked_times(f, 3);
	answer(f, 2, &f->a);
	got_it(&f->h[5]);
}

/* A limit of one token is not another's: who is not with GitHub is not waited for across tokens. */
static void nobody_waits_for_anothers_limit(void **state)
{
	struct fixture *f = *state;

	f->api.at_home = true;
	ask(f, 0, &f->a);
	ask(f, 1, &f->a);
	asked_times(f, 1);
	ask(f, 2, &f->b);
	asked_times(f, 2);
	answer(f, 1, &f->b);
	got_it(&f->h[2]);
	is_waiting(&f->h[0]);
	answer(f, 0, &f->a);
	got_another_s(&f->h[1]);
}

static void others_part_from_who_must_wait(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	ask(f, 1, &f->b);
	ask(f, 2, &f->a);
	asked_times(f, 1);
	flight_part(f->h[0].lookup);
	asked_times(f, 2);
	answer(f, 1, &f->b);
	got_it(&f->h[1]);
	is_waiting(&f->h[2]);
	answer(f, 0, &f->a);
	got_another_s(&f->h[2]);
}

/* Too large to share: everybody asks, and nobody waits again. */
static void a_flight_may_dissolve(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++)
		ask(f, i, i == 3 ? &f->b : &f->a);
	asked_times(f, 1);
	flight_dissolve(f->h[0].lookup);
	asked_times(f, 4);
	for (size_t i = 0; i < 4; i++)
		answer(f, i, i == 3 ? &f->b : &f->a);
	for (size_t i = 0; i < 4; i++)
		got_it(&f->h[i]);
}

/* ---- clients that leave ---- */

static void a_leader_hands_over(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++)
		ask(f, i, &f->a);
	cache_cancel(f->h[0].lookup);
	asked_times(f, 1);
	assert_int_equal(f->api.cancelled, 0);
	assert_int_equal(f->api.handed, 1);
	cache_cancel(f->h[1].lookup);		/* the heir leaves as well */
	ask(f, 4, &f->a);			/* and the flight still takes passengers */
	asked_times(f, 1);
	answer(f, 0, &f->a);
	is_waiting(&f->h[0]);
	is_waiting(&f->h[1]);
	got_it(&f->h[2]);
	got_another_s(&f->h[3]);
	got_another_s(&f->h[4]);
}

static void the_heir_has_what_the_leader_knew(void **state)
{
	struct fixture *f = *state;
	struct entry *held = entry_for(&f->a, 400, "\"held\"", "\"x\"");

	ask(f, 0, &f->a);
	f->disk.own = held;
	cache_cancel(f->h[0].lookup);
	ask(f, 0, &f->a);
	f->disk.own = NULL;
	ask(f, 1, &f->a);
	cache_cancel(f->h[0].lookup);
	assert_ptr_equal(f->h[1].lookup->own, held);
	f->disk.own = held;
	answer(f, 1, &f->a);
	got_it(&f->h[1]);
}

/* Who offered it is judged by what GitHub says, whoever hears it. */
static void the_heir_knows_whose_candidate_it_is(void **state)
{
	struct fixture *f = *state;

	f->disk.candidate = entry_for(&f->b, 400, "\"held\"", "\"x\"");
	ask(f, 0, &f->a);
	f->h[0].lookup->candidate_from.n = 3;
	f->h[0].lookup->candidate_passed = true;
	ask(f, 1, &f->a);
	cache_cancel(f->h[0].lookup);
	assert_ptr_equal(f->h[1].lookup->candidate, f->disk.candidate);
	assert_int_equal(f->h[1].lookup->candidate_from.n, 3);
	assert_true(f->h[1].lookup->candidate_passed);
	answer(f, 0, &f->a);
	got_it(&f->h[1]);
}

static void a_leader_alone_is_cancelled(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	cache_cancel(f->h[0].lookup);
	assert_int_equal(f->api.cancelled, 1);
	assert_int_equal(f->api.handed, 0);
	ask(f, 1, &f->a);
	asked_times(f, 2);
	cache_cancel(f->h[1].lookup);
}

static void a_waiter_may_leave(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++)
		ask(f, i, i == 3 ? &f->b : &f->a);
	cache_cancel(f->h[1].lookup);
	cache_cancel(f->h[3].lookup);
	answer(f, 0, &f->a);
	got_it(&f->h[0]);
	is_waiting(&f->h[1]);
	is_waiting(&f->h[3]);
	got_another_s(&f->h[2]);
	asked_times(f, 1);
}

/* Between the failure that woke it and its own asking. */
static void a_woken_waiter_may_leave(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 3; i++)
		ask(f, i, &f->a);
	give_up(f, 0);
	cache_cancel(f->h[1].lookup);
	asked_times(f, 2);
	answer(f, 1, &f->a);
	got_it(&f->h[2]);
}

/* ---- two tokens ---- */

static void another_token_asks_with_the_body(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	ask(f, 1, &f->b);
	ask(f, 2, &f->b);
	ask(f, 3, &f->a);
	asked_times(f, 1);
	answer(f, 0, &f->a);
	got_another_s(&f->h[3]);
	is_waiting(&f->h[1]);
	asked_times(f, 2);		/* the second of that token waits for the first of it */
	is_waiting(&f->h[1]);
	is_waiting(&f->h[2]);
	assert_string_equal(f->api.candidate[1], BODY);
	assert_string_equal(f->api.candidate[0], "");
	assert_null(f->h[1].lookup->own);
	answer(f, 1, &f->b);
	got_it(&f->h[1]);
	got_another_s(&f->h[2]);
}

/* Its refusal is its own: it does not become another's. */
static void no_failure_crosses_tokens(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	ask(f, 1, &f->b);
	give_up(f, 0);
	failed(&f->h[0]);
	is_waiting(&f->h[1]);
	asked_times(f, 2);
	assert_string_equal(f->api.candidate[1], "");
	answer(f, 1, &f->b);
	got_it(&f->h[1]);
}

static void who_has_something_to_offer_does_not_wait(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	f->disk.own = entry_for(&f->b, 400, "\"held\"", "\"x\"");
	ask(f, 1, &f->b);
	asked_times(f, 2);
	answer(f, 0, &f->a);
	is_waiting(&f->h[1]);
	answer(f, 1, &f->b);
	assert_string_equal(f->h[1].body, BODY);
}

/* A conversation is its token's: only such a waiter inherits it, whoever came first. */
static void only_its_token_inherits(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	ask(f, 1, &f->b);
	ask(f, 2, &f->a);
	ask(f, 3, &f->b);
	cache_cancel(f->h[0].lookup);
	assert_int_equal(f->api.handed, 1);
	assert_ptr_equal(f->api.pending[0], f->h[2].lookup);
	answer(f, 0, &f->a);
	got_it(&f->h[2]);
	pass(f);
	for (size_t i = 1; i < f->api.asked; i++)
		if (f->api.pending[i] != NULL)
			answer(f, i, &f->b);
	assert_string_equal(f->h[1].body, BODY);
	assert_string_equal(f->h[3].body, BODY);
	asked_times(f, 2);
}

static void with_no_heir_they_ask_themselves(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, &f->a);
	ask(f, 1, &f->b);
	ask(f, 2, &f->b);
	cache_cancel(f->h[0].lookup);
	assert_int_equal(f->api.handed, 0);
	assert_int_equal(f->api.cancelled, 1);
	asked_times(f, 2);
	answer(f, 1, &f->b);
	got_it(&f->h[1]);
	got_another_s(&f->h[2]);
}

/* The cache ends with flights under way: nobody is told, nothing is left. */
static void ends_in_flight(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 6; i++)
		ask(f, i, i % 2 ? &f->b : &f->a);
	cache_free(f->cache);
	f->cache = NULL;
	for (size_t i = 0; i < 6; i++)
		is_waiting(&f->h[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_make_one),
		TEST(many_at_once_make_one),
		TEST(a_confirmed_entry_is_shared),
		TEST(after_the_landing_a_new_one_leaves),
		TEST(another_question_flies_for_itself),
		TEST(some_fly_alone),
		TEST(a_write_ends_the_boarding),
		TEST(the_first_waiter_takes_over),
		TEST(all_may_fail),
		TEST(nobody_waits_for_anothers_limit),
		TEST(others_part_from_who_must_wait),
		TEST(a_flight_may_dissolve),
		TEST(a_leader_hands_over),
		TEST(the_heir_has_what_the_leader_knew),
		TEST(the_heir_knows_whose_candidate_it_is),
		TEST(a_leader_alone_is_cancelled),
		TEST(a_waiter_may_leave),
		TEST(a_woken_waiter_may_leave),
		TEST(another_token_asks_with_the_body),
		TEST(no_failure_crosses_tokens),
		TEST(who_has_something_to_offer_does_not_wait),
		TEST(only_its_token_inherits),
		TEST(with_no_heir_they_ask_themselves),
		TEST(ends_in_flight),
	};

	return cmocka_run_group_tests_name("cache/flight", tests, NULL, NULL);
}
