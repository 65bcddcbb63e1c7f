/*
 * A process that keeps listening sockets and the child that serves them: clients wait in the sockets' queue
 * while a child that a signal ended (a crash, no memory, kill -9) is replaced, and are never refused. A child
 * that nobody asks may rest: the next client's connection starts another one.
 *
 * A child that exits otherwise has decided so, and is not replaced. SIGTERM and SIGINT are handed on to it,
 * and none is started after them.
 */
#ifndef CLI_KEEPER_H
#define CLI_KEEPER_H

#include <stdbool.h>

struct err;

/* For a process that lives long: no other one of its user may look into it (base/safe.h), where /proc shows
 * the environment that it was started with there is nothing, and the persist secret is gone. What getenv gave
 * before is not valid any more. */
void keeper_hide(void);
/* Returns 0 in a child of a session of its own, with no descriptor open but the standard streams. The parent
 * waits until the child has said something, prints that and ends with 0, or with the child's exit code: a
 * daemon left behind is one that answers. ERR_IO. */
int keeper_detach(struct err *);
/* Let go of the terminal and the caller's pipes, whose end whoever reads them must see; errors go on to a
 * file. */
void keeper_let_go(void);

#define KEEPER_TRIES 20		/* deaths in a row, each within KEEPER_SHORT_MS, after which it gives up */
#define KEEPER_SHORT_MS 5000

/* Returns 0 in each child, in which SIGTERM and SIGINT are blocked until signal_catch. The keeper itself ends
 * with its last child and that one's exit code, and removes the socket file at `path`, which stays the
 * caller's, where the child could not. `fds` listen, or are -1. ERR_IO: there is no child. */
int keeper_fork(const char *path, const int fds[2], struct err *);
/* Is this a keeper's child, and the keeper alive? Where there never was one the next three do nothing. */
bool keeper_is_there(void);
/* It serves; before the first did, none is started anew. */
void keeper_served(void);
/* Nobody will come any more: the socket's file is gone or another's, or the job's folder (GHOARD_JOB) is. */
bool keeper_is_over(void);
/* Remove the socket's file, if it is still ours, and its folder in /tmp: this was the last child. */
void keeper_remove(void);
/* Of a child: it exits with 0 now, until there is a client again. */
void keeper_rest(void);

#endif
