#include <errno.h>
#include <stdlib.h>
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
};

int loop_new(struct loop **out, struct err *err)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the event loop");
	l->jobs_end = &l->jobs;
	l->now = clock_mono();
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

	if (io->fd < 0 || io->fd >= FD_SETSIZE)
		return err_set(err, ERR_LIMIT, "too many open files: descriptor %d is above the limit of %d",
		    io->fd, FD_SETSIZE - 1);
	io->dead = false;
	io->next = NULL;
	while (*at != NULL)	/* at the end: no link that reap_if stands on is moved */
		at = &(*at)->next;
	*at = io;
	return 0;
}

void timer_set(struct loop *l, struct timer *t, int64_t due)
{
	t->due = due > 0 ? due : 1;
	if (t->due < l->soonest)
		l->soonest = t->due;
	if (t->linked)
		return;
	t->linked = true;
	t->next = l->timers;
	l->timers = t;
}

void timer_clear(struct loop *l, struct timer *t)
{
	struct timer **at = &l->timers;

	t->due = 0;
	if (!t->linked)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->linked = false;
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

static void collect(struct loop *l, struct asked *a)
{
	FD_ZERO(&a->r);
	FD_ZERO(&a->w);
	a->top = -1;
	a->last = NULL;
	a->dead = false;
	for (struct io *io = l->ios; io != NULL; io = io->next) {
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
}

/* An io added during the pass may reuse the number of an fd that was closed in it: only what was there at the
 * start is told. `n` bits are set. */
static void dispatch(struct loop *l, const struct asked *a, int n)
{
	for (struct io *io = l->ios; io != NULL && n > 0; io = io->next) {
		unsigned got = 0;

		got |= FD_ISSET((unsigned)io->fd, &a->r) ? LOOP_READ : 0;
		got |= FD_ISSET((unsigned)io->fd, &a->w) ? LOOP_WRITE : 0;
		n -= (got & LOOP_READ ? 1 : 0) + (got & LOOP_WRITE ? 1 : 0);
		if (got != 0 && !io->dead)
			io->ready(io, got);
		if (io == a->last)
			break;
	}
}

static int pass(struct loop *l, struct err *err)
{
	struct asked a;
	int64_t ms;
	struct timeval tv;
	int n;

	collect(l, &a);
	ms = wait_ms(l, &a);
	tv = (struct timeval){ .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	n = select(a.top + 1, &a.r, &a.w, NULL, ms < 0 ? NULL : &tv);
	l->now = clock_mono();
	l->pass++;
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
