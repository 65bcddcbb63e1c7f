/*
 * SIGINT and SIGTERM into the loop through a self-pipe: the handler only writes a byte. One catcher a
 * process.
 */
#ifndef LOOP_SIGNAL_H
#define LOOP_SIGNAL_H

struct err;
struct loop;

/* `on_signal` is called in the loop's own time, until signal_release; also for what came before, if both
 * signals were blocked. They are not any more. */
int signal_catch(struct loop *, void (*on_signal)(void *arg, int sig), void *arg, struct err *);
void signal_release(void);

#endif
