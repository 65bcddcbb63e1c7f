/*
 * The daemon as other commands see it: where its socket is, whether it is alive, a request to its control
 * paths.
 */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"

struct app;
struct buf;
struct err;

/* The socket's path: daemon.socket, else ghoard.sock in the cache folder. ERR_CONFIG: there is neither. */
int daemon_socket(const struct app *, char *path, size_t size, struct err *);
/* Alive, and its peer has our uid or is root: only such a one is sent anything. */
bool daemon_is_ours(const char *socket);
/* Set app->daemon if one of ours is alive on the socket and asks the same upstream; a token for one is not
 * for another. After app_open_cache. */
void daemon_find(struct app *);
/* The upstream's address, as /_ghoard/status tells it. */
void daemon_upstream(const struct app *, char *text, size_t size);
/* One request; the body of a 200 is appended. ERR_UNAVAIL: nobody answers; ERR_LIMIT:
 * it has no room for one more. */
int daemon_ask(const char *socket, const char *method, const char *path, struct buf *body, struct err *);
/* After the store was changed beside it: its memory forgets. Silent where there is none; a warning where it
 * cannot be told. */
void daemon_forget(const struct app *);
/* After an entry was put by name: it may send it to peers. Silent where there is none. */
void daemon_told(const struct app *, struct span key);

/* ghoard.pid in the cache folder. */
void daemon_write_pid(const struct app *);
void daemon_remove_pid(const struct app *);
pid_t daemon_read_pid(const struct app *);

#endif
