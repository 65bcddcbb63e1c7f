/* Where the daemon listens: a unix socket, made here or by a service manager, and loopback TCP. */
#ifndef CLI_SERVE_SOCKETS_H
#define CLI_SERVE_SOCKETS_H

#include <stdbool.h>

#include "net/addr.h"

struct err;

#define SERVE_LISTEN "127.0.0.1:9014"

struct serve_sockets {
	int fds[2];			/* listening, unix and TCP; -1: none, or handed on */
	bool managed;			/* the unix socket is a service manager's */
	char tcp[ADDR_TEXT_LEN];	/* the address taken; empty: none */
};

/* Open both. `listen`: --listen's text, "none", or NULL; `any`: also beyond loopback. ERR_USAGE, or as
 * net/listen.h. */
int serve_sockets(struct serve_sockets *, const char *path, const char *listen, bool any, struct err *);
/* Room for so many: each is a descriptor, and often one more towards GitHub; select() takes FD_SETSIZE of
 * them. A warning where the limit of open files allows fewer. */
void serve_sockets_room(int clients);

#endif
