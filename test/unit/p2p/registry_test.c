#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"
#include "p2p/registry.h"

/* A service that keeps keys, and answers in the next pass. */
static struct {
	struct buf keys[16];
	size_t n;
	unsigned lists, creates, removes, cancels;
	int fails;			/* the class of every answer */
	enum { NOTHING, LIST, CREATE, REMOVE } doing;
	int held;			/* of the second renewal this step waits, and the loop ends */
	struct job job;
	void (*listed)(void *, const struct span *, const uint64_t *, size_t, const struct err *);
	void (*done)(void *, const struct err *);
	void *p;
} service;

static const uint8_t group[WIRE_GROUP_KEY_LEN] = { 1 };
static struct loop *loop;
static struct registry *reg;
static struct ed25519_key key;
static struct multiaddr here;
static unsigned found, stopped, told;
static int told_class;
static bool over;

static void on_job(struct job *j)
{
	struct span keys[16];
	uint64_t ids[16] = { 0 };
	struct err err;

	(void)j;
	err_init(&err);
	if (service.fails != 0)
		err_set(&err, service.fails, "no answer");

	for (size_t i = 0; i < service.n; i++)
		keys[i] = buf_span(&service.keys[i]);
	if (service.doing == LIST)
		service.listed(service.p, keys, ids, service.n, &err);
	else if (service.doing != NOTHING)
		service.done(service.p, &err);
}

static int list(void *arg, struct span front,
    void (*done)(void *p, const struct span *keys, const uint64_t *ids, size_t n, const struct err *),
    void *p, struct err *err)
{
	(void)arg;
	(void)err;
	assert_true(span_starts(front, REGISTRY_PREFIX "-"));
	service.lists++;
	service.doing = LIST;
	service.listed = done;
	service.p = p;
	job_queue(loop, &service.job);
	return 0;
}

static void answer(void)
{
	over = service.creates == 2 && (int)service.doing == service.held;
	if (!over)
		job_queue(loop, &service.job);
}

static int create(void *arg, struct span k, void (*done)(void *p, const struct err *), void *p,
    struct err *err)
{
	(void)arg;
	(void)err;
	service.creates++;
	buf_init(&service.keys[service.n], 1024);
	buf_addspan(&service.keys[service.n++], k);
	service.doing = CREATE;
	service.done = done;
	service.p = p;
	answer();
	return 0;
}

static int take_back(void *arg, uint64_t id, struct span k, void (*done)(void *p, const struct err *),
    void *p)
{
	(void)arg;
	(void)id;
	service.removes++;
	for (size_t i = 0; i < service.n; i++) {
		if (!span_same(buf_span(&service.keys[i]), k))
			continue;
		buf_free(&service.keys[i]);
		service.keys[i] = service.keys[--service.n];
	}
	service.doing = REMOVE;
	service.done = done;
	service.p = p;
	answer();
	return 0;
}

static void cancel(void *arg)
{
	(void)arg;
	service.cancels++;
	job_cancel(loop, &service.job);
}

static void on_found(void *arg, const struct registry_record *r)
{
	(void)arg;
	assert_int_equal(r->naddrs, 1);
	found++;
}

static size_t addrs(void *arg, const struct multiaddr **out)
{
	(void)arg;
	*out = &here;
	return 1;
}

static void on_stopped(void *arg)
{
	(void)arg;
	stopped++;
}

static void on_told(void *arg, const struct err *err)
{
	(void)arg;
	told++;
	told_class = err->cls;
}

static void on_over(struct timer *t)
{
	(void)t;
	over = true;
}

static void run(int64_t ms)
{
	struct timer t = { .fire = on_over };

	over = false;
	timer_set(loop, &t, clock_mono() + ms);
	assert_int_equal(loop_run(loop, &over, NULL), 0);
	timer_clear(loop, &t);
}

static struct registry *make(uint8_t who, bool may_write, int64_t beat_ms)
{
	uint8_t seed[ED25519_SEED_LEN] = { who };
	struct registry_params p = { .loop = loop,
		.scope = { group, REGISTRY_PREFIX, "net", "o/r" },
		.key = &key,
		.io = { NULL, list, create, take_back, cancel, may_write },
		.max_taken = 10,
		.ttl_s = 900,
		.beat_ms = beat_ms,
		.found = on_found,
		.addrs = addrs };
	struct registry *r;

	ed25519_keygen(&key, seed);
	assert_int_equal(registry_new(&p, &r, NULL), 0);
	return r;
}

/* Records of this many others. */
static void fill(size_t n)
{
	const struct registry_scope scope = { group, REGISTRY_PREFIX, "net", "o/r" };

	for (size_t i = 0; i < n; i++) {
		uint8_t pub[ED25519_PUB_LEN] = { (uint8_t)(i + 1) };

		buf_init(&service.keys[service.n], 1024);
		assert_int_equal(registry_seal(&scope, pub, clock_wall() / CLOCK_SEC + 800, &here, 1,
				     &service.keys[service.n++], NULL),
		    0);
	}
}

static int begin(void **state)
{
	(void)state;
	memset(&service, 0, sizeof(service));
	service.job.run = on_job;
	found = stopped = told = 0;
	multiaddr_parse(&here, span_of("/ip4/192.0.2.1/tcp/9000"));
	return loop_new(&loop, NULL);
}

static int finish(void **state)
{
	(void)state;
	registry_free(reg);
	for (size_t i = 0; i < service.n; i++)
		buf_free(&service.keys[i]);
	loop_free(loop);
	return 0;
}

static void test_a_life(void **state)
{
	(void)state;
	reg = make(200, true, 100);
	fill(3);
	registry_start(reg);
	run(20);
	assert_int_equal(found, 3);
	assert_int_equal(service.creates, 1);
	assert_int_equal(service.n, 4);
	run(300);			/* beats: the entry is made anew, the old one taken back */
	assert_true(service.creates >= 2);
	assert_int_equal(service.removes, service.creates - 1);
	assert_int_equal(service.n, 4);
	registry_stop(reg, on_stopped, NULL);
	run(50);
	assert_int_equal(stopped, 1);
	assert_int_equal(service.n, 3);
	assert_int_equal(registry_stats(reg)->removed, service.removes);
}

static void test_doors_enough(void **state)
{
	(void)state;
	reg = make(200, true, 100);
	fill(REGISTRY_LIVE);
	buf_data(&service.keys[0])[60] ^= 1;
	registry_start(reg);
	run(20);
	assert_int_equal(found, REGISTRY_LIVE - 1);
	assert_int_equal(registry_stats(reg)->foreign, 1);
	assert_int_equal(service.creates, 1);
	registry_free(reg);
	reg = make(201, true, 100000);
	service.creates = 0;		/* the one just made is the eighth */
	registry_start(reg);
	run(20);
	assert_int_equal(service.creates, 0);
}

static void test_may_not_write(void **state)
{
	(void)state;
	reg = make(200, false, 100);
	registry_start(reg);
	run(20);
	assert_int_equal(service.lists, 1);
	assert_int_equal(service.creates, 0);
	assert_int_equal(registry_register_now(reg, on_told, NULL), ERR_DENIED);
}

static void test_commands_and_failures(void **state)
{
	(void)state;
	reg = make(200, true, 100000);
	service.fails = ERR_UNAVAIL;
	assert_int_equal(registry_discover_now(reg, on_told, NULL), 0);
	assert_int_equal(registry_discover_now(reg, on_told, NULL), ERR_LIMIT);
	run(20);
	assert_int_equal(told, 1);
	assert_int_equal(told_class, ERR_UNAVAIL);
	service.fails = 0;
	assert_int_equal(registry_register_now(reg, on_told, NULL), 0);
	run(20);
	assert_int_equal(told, 2);
	assert_int_equal(told_class, 0);
	assert_int_equal(service.n, 1);
	/* stopped while a listing is under way */
	assert_int_equal(registry_discover_now(reg, on_told, NULL), 0);
	registry_stop(reg, on_stopped, NULL);
	run(50);
	assert_int_equal(stopped, 1);
	assert_int_equal(service.n, 0);
}

/* The daemon stops within a renewal, at each of its steps: neither record is left behind. */
static void test_stopped_within_a_renewal(void **state)
{
	(void)state;
	for (int step = CREATE; step <= REMOVE; step++) {
		reg = make(200, true, 50);
		stopped = service.creates = 0;
		service.held = step;
		registry_start(reg);
		run(5000);
		assert_int_equal(service.creates, 2);
		assert_int_equal(service.doing, step);
		assert_int_equal(service.n, step == CREATE ? 2 : 1);
		service.held = NOTHING;
		registry_stop(reg, on_stopped, NULL);
		if (service.doing == REMOVE && !service.job.queued)
			job_queue(loop, &service.job);
		run(50);
		assert_int_equal(stopped, 1);
		assert_int_equal(service.n, 0);
		registry_free(reg);
	}
	reg = NULL;
}

/* What went wrong is told until the same goes well. */
static void test_the_last_error(void **state)
{
	const char *said;

	(void)state;
	reg = make(200, true, 100000);
	said = registry_stats(reg)->last_error;
	service.fails = ERR_UNAVAIL;
	assert_int_equal(registry_discover_now(reg, on_told, NULL), 0);
	run(20);
	assert_string_equal(said, "no answer");
	service.fails = 0;
	assert_int_equal(registry_discover_now(reg, on_told, NULL), 0);
	run(20);
	assert_string_equal(said, "");
	service.fails = ERR_DENIED;
	assert_int_equal(registry_register_now(reg, on_told, NULL), 0);
	run(20);
	service.fails = 0;
	assert_int_equal(registry_discover_now(reg, on_told, NULL), 0);
	run(20);
	assert_string_equal(said, "no answer");	/* it is not registered yet */
	assert_int_equal(registry_register_now(reg, on_told, NULL), 0);
	run(20);
	assert_string_equal(said, "");
}

/* One that failed may stand there all the same; who may not make any has none to take back. */
static void test_a_failed_one_is_taken_back(void **state)
{
	static const int fails[] = { ERR_TIMEOUT, ERR_DENIED };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		reg = make(200, true, 100000);
		service.fails = fails[i];
		stopped = service.removes = 0;
		assert_int_equal(registry_register_now(reg, on_told, NULL), 0);
		run(20);
		service.fails = 0;
		registry_stop(reg, on_stopped, NULL);
		run(50);
		assert_int_equal(stopped, 1);
		assert_int_equal(service.removes, i == 0);
		registry_free(reg);
	}
	reg = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_life, begin, finish),
		cmocka_unit_test_setup_teardown(test_doors_enough, begin, finish),
		cmocka_unit_test_setup_teardown(test_may_not_write, begin, finish),
		cmocka_unit_test_setup_teardown(test_commands_and_failures, begin, finish),
		cmocka_unit_test_setup_teardown(test_stopped_within_a_renewal, begin, finish),
		cmocka_unit_test_setup_teardown(test_the_last_error, begin, finish),
		cmocka_unit_test_setup_teardown(test_a_failed_one_is_taken_back, begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
