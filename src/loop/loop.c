#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"

struct loop {
	struct io *ios;
	struct timer *timers;
	struct job *jobs, **jobs_end;
	int64_t soonest;		/* no timer is due before; 0: not known */
	int64_t now;
	uint64_t pass;
	struct io *warm;
	int64_t looked;			/* ms, when all were asked last */
	bool brief;			/* most of them are idle */
	bool look;			/* ask all in the next pass */
	int room;			/* descriptors below it are held */
};

static int find_room(void)
{
	struct rlimit r;
	int n = FD_SETSIZE;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < FD_SETSIZE)
		n = (int)r.rlim_cur;
	return n > 2 * LOOP_FILES ? n - LOOP_FILES : n / 2;
}

int loop_new(struct loop **out, struct err *err)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the event loop");
	l->jobs_end = &l->jobs;
	l->now = clock_mono();
	l->room = find_room();
	*out = l;
	return 0;
}

static void reap_if(struct loop *l, bool all)
{
	struct io **at = &l->ios;

	while (*at != NULL) {
		struct io *io = *at;

		if (!all && !io->dead) {
			at = &io->next;
			continue;
		}
		*at = io->next;
		l->brief = false;	/* it may stand among the warm ones */
		io->reap(io);
	}
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	reap_if(l, true);
	free(l);
}

int loop_add(struct loop *l, struct io *io, struct err *err)
{
	struct io **at = &l->ios;

	if (io->fd < 0 || io->fd >= l->room)
		return err_set(err, ERR_LIMIT, "too many open files: descriptor %d is above the limit of %d",
		    io->fd, l->room - 1);
	io->dead = io->warm = false;
	io->heard = 0;
	io->next = io->next_warm = NULL;
	while (*at != NULL)	/* at the end: no link that reap_if stands on is moved */
		at = &(*at)->next;
	*at = io;
	l->look = true;
	return 0;
}

void loop_stir(struct loop *l, const struct io *io)
{
	l->look = l->look || !io->warm;
}

void timer_set(struct loop *l, struct timer *t, int64_t due)
{
	t->due = due > 0 ? due : 1;
	if (t->due < l->soonest)
		l->soonest = t->due;
	if (t->link != NULL)
		return;
	t->next = l->timers;
	t->link = &l->timers;
	if (t->next != NULL)
		t->next->link = &t->next;
	l->timers = t;
}

void timer_clear(struct loop *l, struct timer *t)
{
	(void)l;
	t->due = 0;
	if (t->link == NULL)
		return;
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	t->link = NULL;
}

void job_queue(struct loop *l, struct job *j)
{
	if (j->queued)
		return;
	j->queued = true;
	j->next = NULL;
	*l->jobs_end = j;
	l->jobs_end = &j->next;
}

void job_cancel(struct loop *l, struct job *j)
{
	struct job **at = &l->jobs;

	if (!j->queued)
		return;
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	if (l->jobs_end == &j->next)
		l->jobs_end = at;
	j->queued = false;
}

int64_t loop_now(const struct loop *l)
{
	return l->now;
}

int loop_room(const struct loop *l)
{
	return l->room;
}

uint64_t loop_pass(const struct loop *l)
{
	return l->pass;
}

/* What a job queues, or a timer sets to now, waits for the next pass: whoever slices its work lets the
 * sockets in between. */
static void run_jobs(struct loop *l)
{
	unsigned n = 0;

	for (const struct job *j = l->jobs; j != NULL; j = j->next)
		n++;
	while (n-- > 0 && l->jobs != NULL) {
		struct job *j = l->jobs;

		job_cancel(l, j);
		j->run(j);
	}
}

/* Nearly every timer is a connection's deadline, moved ahead with each request and hardly ever reached: the
 * list is walked only when the bound below which nothing is due has passed. */
static struct timer *due_timer(struct loop *l, unsigned *count)
{
	struct timer *first = NULL;

	*count = 0;
	if (l->now < l->soonest)
		return NULL;
	l->soonest = INT64_MAX;
	for (struct timer *t = l->timers; t != NULL; t = t->next) {
		if (t->due < l->soonest)
			l->soonest = t->due;
		if (t->due > l->now)
			continue;
		++*count;
		if (first == NULL || t->due < first->due)
			first = t;
	}
	return first;
}

static void run_timers(struct loop *l)
{
	unsigned n, ignored;
	struct timer *t = due_timer(l, &n);

	for (; n > 0 && t != NULL; n--) {
		timer_clear(l, t);
		t->fire(t);
		t = due_timer(l, &ignored);
	}
}

/* What select() is asked, and of which ios. */
struct asked {
	fd_set r, w;
	int top;
	struct io *last;	/* of the list as it was */
	bool dead;		/* one was marked between passes: there is nothing to wait for */
};

/* -1: no deadline */
static int64_t wait_ms(struct loop *l, const struct asked *a)
{
	unsigned ignored;

	if (l->jobs != NULL || a->dead)
		return 0;
	if (l->timers == NULL)
		return -1;
	if (l->now >= l->soonest)	/* the bound has passed: this walk makes a new one */
		due_timer(l, &ignored);
	return l->soonest > l->now ? l->soonest - l->now : 0;
}

static void ask(struct asked *a, struct io *io)
{
	unsigned want = io->dead ? 0 : io->want(io);

	a->dead = a->dead || io->dead;
	a->last = io;
	if (want & LOOP_READ)
		FD_SET((unsigned)io->fd, &a->r);
	if (want & LOOP_WRITE)
		FD_SET((unsigned)io->fd, &a->w);
	if (want != 0 && io->fd > a->top)
		a->top = io->fd;
}

static void collect(struct loop *l, struct asked *a)
{
	size_t n = 0, warm = 0;

	*a = (struct asked){ .top = -1 };
	l->warm = NULL;
	for (struct io *io = l->ios; io != NULL; io = io->next, n++) {
		ask(a, io);
		io->warm = l->now - io->heard <= LOOP_WARM_MS;
		if (!io->warm)
			continue;
		io->next_warm = l->warm;
		l->warm = io;
		warm++;
	}
	l->brief = warm > 0 && n > 2 * warm + LOOP_MANY;
	l->look = false;
}

/* `n` bits are set. */
static void tell(struct loop *l, struct io *io, const struct asked *a, int *n)
{
	unsigned got = 0;

	got |= FD_ISSET((unsigned)io->fd, &a->r) ? LOOP_READ : 0;
	got |= FD_ISSET((unsigned)io->fd, &a->w) ? LOOP_WRITE : 0;
	*n -= (got & LOOP_READ ? 1 : 0) + (got & LOOP_WRITE ? 1 : 0);
	if (got == 0 || io->dead)
		return;
	io->heard = l->now;
	io->ready(io, got);
}

/* An io added during the pass may reuse the number of an fd that was closed in it: only what was there at the
 * start is told. */
static void dispatch(struct loop *l, const struct asked *a, int n)
{
	for (struct io *io = l->ios; io != NULL && n > 0; io = io->next) {
		tell(l, io, a, &n);
		if (io == a->last)
			break;
	}
}

static int asked_select(struct loop *l, struct asked *a, int64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	int n = select(a->top + 1, &a->r, &a->w, NULL, ms < 0 ? NULL : &tv);

	l->now = clock_mono();
	l->pass++;
	return n;
}

/* Of 864 connections 64 may be busy: to ask the others each time costs a third of the throughput. false:
 * there was nothing. */
static bool brief_pass(struct loop *l)
{
	struct asked a = { .top = -1 };
	int n;

	for (struct io *io = l->warm; io != NULL; io = io->next_warm)
		ask(&a, io);
	n = asked_select(l, &a, 0);
	if (n <= 0)
		return false;
	l->look = l->look || a.dead;	/* who is dead is reaped in the next pass */
	for (struct io *io = l->warm; io != NULL && n > 0; io = io->next_warm)
		tell(l, io, &a, &n);
	run_timers(l);
	run_jobs(l);
	return true;
}

static int pass(struct loop *l, struct err *err)
{
	struct asked a;
	int n;

	if (l->brief && !l->look && l->now == l->looked && brief_pass(l))
		return 0;
	collect(l, &a);
	n = asked_select(l, &a, wait_ms(l, &a));
	l->looked = l->now;
	if (n < 0 && errno != EINTR)
		return err_sys(err, ERR_INTERNAL, "waiting for the network");
	if (n > 0)
		dispatch(l, &a, n);
	run_timers(l);
	run_jobs(l);
	reap_if(l, false);
	return 0;
}

int loop_run(struct loop *l, const bool *done, struct err *err)
{
	int rc = 0;

	l->now = clock_mono();
	while (rc == 0 && !*done && (l->ios != NULL || l->timers != NULL || l->jobs != NULL))
		rc = pass(l, err);
	return rc;
}
