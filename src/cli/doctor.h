/*
 * What `ghoard doctor` finds, line by line: printed at once, or gathered for --json. The checks of machine
 * and folder are in cmd_doctor.c, those of token and upstream in doctor_net.c, those
 * of the P2P side in doctor_peers.c.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>

struct app;
struct json;

enum finding { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	struct json *list;		/* NULL: print */
	bool failed;
};

/* `remedy` may be NULL. */
void doctor_say(struct doctor *, enum finding, const char *what, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Token, proxy, upstream, its answer and its clock. */
void doctor_upstream(struct doctor *, struct app *);

/* The P2P side, where it is on. */
void doctor_peers(struct doctor *, const struct app *);

#endif
