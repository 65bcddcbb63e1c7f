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
	int64_t now;
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

static struct timer *due_timer(struct loop *l, unsigned *count)
{
	struct timer *first = NULL;

	*count = 0;
	for (struct timer *t = l->timers; t != NULL; t = t->next) {
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

/* -1: no deadline */
static int64_t wait_ms(const struct loop *l)
{
	int64_t best = -1;

	if (l->jobs != NULL)
		return 0;
	for (const struct io *io = l->ios; io != NULL; io = io->next)
		if (io->dead)	/* marked between passes: there is nothing to wait for */
			return 0;
	for (const struct timer *t = l->timers; t != NULL; t = t->next) {
		int64_t left = t->due > l->now ? t->due - l->now : 0;

		if (best < 0 || left < best)
			best = left;
	}
	return best;
}

static int collect(struct loop *l, fd_set *r, fd_set *w)
{
	int top = -1;

	FD_ZERO(r);
	FD_ZERO(w);
	for (struct io *io = l->ios; io != NULL; io = io->next) {
		unsigned want = io->dead ? 0 : io->want(io);

		if (want & LOOP_READ)
			FD_SET((unsigned)io->fd, r);
		if (want & LOOP_WRITE)
			FD_SET((unsigned)io->fd, w);
		if (want != 0 && io->fd > top)
			top = io->fd;
	}
	return top;
}

/* An io added during the pass may reuse the number of an fd that was closed in it: only what was there at the
 * start is told. */
static void dispatch(struct loop *l, const fd_set *r, const fd_set *w, const struct io *last)
{
	for (struct io *io = l->ios; io != NULL; io = io->next) {
		unsigned got = 0;

		if (!io->dead) {
			got |= FD_ISSET((unsigned)io->fd, r) ? LOOP_READ : 0;
			got |= FD_ISSET((unsigned)io->fd, w) ? LOOP_WRITE : 0;
		}
		if (got != 0)
			io->ready(io, got);
		if (io == last)
			break;
	}
}

static int pass(struct loop *l, struct err *err)
{
	fd_set r, w;
	int top = collect(l, &r, &w);
	int64_t ms = wait_ms(l);
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	struct io *last = l->ios;
	int n;

	while (last != NULL && last->next != NULL)
		last = last->next;
	n = select(top + 1, &r, &w, NULL, ms < 0 ? NULL : &tv);
	l->now = clock_mono();
	if (n < 0 && errno != EINTR)
		return err_sys(err, ERR_INTERNAL, "waiting for the network");
	if (n > 0)
		dispatch(l, &r, &w, last);
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
