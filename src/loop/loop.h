/*
 * The one loop: readiness by select(), deadlines by timers, and calls that must not happen now but soon.
 *
 * What the loop holds embeds a `struct io`. Each pass asks every want() for LOOP_READ | LOOP_WRITE bits,
 * calls select(), then ready() on what is, then fires due timers and queued jobs, then reaps. There is no
 * registering and unregistering of interest. A handler never frees: it sets `dead`, and reap() is called at
 * the end of the pass (the fd is the object's to close, in reap).
 *
 * Where most ios are idle connections, passes in between are brief: they ask only those that were ready
 * within LOOP_WARM_MS, do not wait and do not reap. A pass that asks all of them comes when a brief one found
 * nothing, and at least every millisecond.
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
#define LOOP_WARM_MS 10
#define LOOP_MANY 64 /* ios, beside twice the warm ones: passes may be brief */

struct io {
	int fd;
	unsigned (*want)(struct io *);			/* 0 is fine: then only timers move it */
	void (*ready)(struct io *, unsigned got);
	void (*reap)(struct io *);			/* may free the object that holds the io */
	bool dead;
	struct io *next, *next_warm;			/* these and the rest: the loop's */
	int64_t heard;					/* ms, when it was ready last */
	bool warm;					/* brief passes ask it */
};

struct timer {
	void (*fire)(struct timer *);
	int64_t due;					/* ms; 0: not set */
	struct timer *next, **link;			/* the loop's; link is NULL where it is not set */
};

struct job {						/* "soon": before the next select() */
	void (*run)(struct job *);
	struct job *next;
	bool queued;
};

int loop_new(struct loop **, struct err *);
/* Reaps what is still held, dead or not. */
void loop_free(struct loop *);

#define LOOP_FILES 16		/* descriptors that are left to files, which the loop does not hold */

/* Hold an io until it is dead. ERR_LIMIT if fd >= loop_room: the caller closes it. */
int loop_add(struct loop *, struct io *, struct err *);
/* This one may want something new: the next pass asks it. To be called where that must not take a
 * millisecond. */
void loop_stir(struct loop *, const struct io *);
/* Descriptors below this number may be held: what select() and, when the loop was made, the process's limit
 * allow, less LOOP_FILES. The kernel gives the lowest number that is free, so that files always find some. */
int loop_room(const struct loop *);

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
