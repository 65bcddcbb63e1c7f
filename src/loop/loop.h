/*
 * The one loop: readiness by select(), deadlines by timers, and calls that must not happen now but soon.
 *
 * What the loop holds embeds a `struct io`. Each pass asks every want() for LOOP_READ | LOOP_WRITE bits,
 * calls select(), then ready() on what is, then fires due timers and queued jobs, then reaps. There is no
 * registering and unregistering of interest. A handler never frees: it sets `dead`, and reap() is called at
 * the end of the pass (the fd is the object's to close, in reap).
 *
 * Time is monotonic milliseconds, sampled once a pass: loop_now. Nothing here allocates: io, timers and jobs
 * are members of the objects that use them. SIGPIPE is ignored by main.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;

#define LOOP_READ 1u
#define LOOP_WRITE 2u

struct io {
	int fd;
	unsigned (*want)(struct io *);			/* 0 is fine: then only timers move it */
	void (*ready)(struct io *, unsigned got);
	void (*reap)(struct io *);			/* may free the object that holds the io */
	bool dead;
	struct io *next;				/* the loop's */
};

struct timer {
	void (*fire)(struct timer *);
	int64_t due;					/* ms; 0: not set */
	struct timer *next;				/* the loop's */
	bool linked;
};

struct job {						/* "soon": before the next select() */
	void (*run)(struct job *);
	struct job *next;
	bool queued;
};

int loop_new(struct loop **, struct err *);
/* Reaps what is still held, dead or not. */
void loop_free(struct loop *);

/* Hold an io until it is dead. ERR_LIMIT if fd >= FD_SETSIZE: the caller closes it. */
int loop_add(struct loop *, struct io *, struct err *);

/* Fire once at `due` (ms of loop_now's clock); setting it again moves it. Clearing one that is not set is
 * fine. */
void timer_set(struct loop *, struct timer *, int64_t due);
void timer_clear(struct loop *, struct timer *);
void job_queue(struct loop *, struct job *);
void job_cancel(struct loop *, struct job *);

int64_t loop_now(const struct loop *);
/* Which pass this is, from 1: what is looked at once a pass is remembered by it. */
uint64_t loop_pass(const struct loop *);

/* Run until *done, or until nothing is held, timed or queued. 0, or ERR_INTERNAL (select failed). */
int loop_run(struct loop *, const bool *done, struct err *);

#endif
