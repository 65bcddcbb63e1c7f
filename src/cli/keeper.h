/*
 * A process that keeps listening sockets and the child that serves them: clients wait in the sockets' queue
 * while a child that a signal ended (a crash, no memory, kill -9) is replaced, and are never refused.
 *
 * A child that exits by itself has decided so, and is not replaced. SIGTERM and SIGINT are handed on to it.
 */
#ifndef CLI_KEEPER_H
#define CLI_KEEPER_H

struct err;

/* Returns 0 in a child of a session of its own. The parent waits until the child has said something, prints
 * that and ends with 0, or with the child's exit code: a daemon left behind is one that answers. ERR_IO. */
int keeper_detach(struct err *);
/* Let go of the terminal and the caller's pipes, whose end whoever reads them must see; errors go on to a
 * file. */
void keeper_let_go(void);

#define KEEPER_TRIES 20		/* deaths in a row, each within KEEPER_SHORT_MS, after which it gives up */
#define KEEPER_SHORT_MS 5000

/* A child says that it serves; before the first did, none is started anew. */
void keeper_served(void);
/* Returns 0 in each child. The keeper itself ends with its last child and that one's exit code, and removes
 * the socket file at `path` where the child could not. ERR_IO: there is no child. */
int keeper_fork(const char *path, struct err *);

#endif
