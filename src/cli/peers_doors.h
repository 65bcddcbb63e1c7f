/*
 * `ghoard peers register` and `discover`: by hand, once, what the daemon does with the repository's Actions
 * cache (cli/doors.h).
 */
#ifndef CLI_PEERS_DOORS_H
#define CLI_PEERS_DOORS_H

struct app;
struct err;
struct json;

/* Each an exit code. `report` is the running daemon's /_ghoard/peers: its record is made. */
int peers_doors_register(struct app *, const struct json *report, struct err *);
/* Print the live records; XC_NO: there are none. */
int peers_doors_discover(struct app *, struct err *);

#endif
