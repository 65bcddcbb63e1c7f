/*
 * Errors: a class for the program, a sentence for the person.
 *
 * Functions return 0 (or a positive answer) on success and a negative ERR_* class on failure; those that
 * can fail in more than one way also take a `struct err *`, which carries what failed, on what, and what to
 * do. The first error set is kept: a cleanup path cannot hide the cause. `err` may be NULL where the caller
 * only wants the class. Libraries never print and never exit.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_class {
	ERR_INTERNAL = -1,	/* our own fault, or out of memory */
	ERR_IO = -2,		/* a file, a socket or the machine refused */
	ERR_PROTO = -3,		/* a peer's bytes break the protocol */
	ERR_USAGE = -4,		/* the caller's words are off */
	ERR_CONFIG = -5,	/* a setting is wrong */
	ERR_DENIED = -6,	/* permission, trust or certificate */
	ERR_LIMIT = -7,		/* a size, count or rate limit */
	ERR_TIMEOUT = -8,
	ERR_NOTFOUND = -9,
	ERR_DAMAGED = -10,	/* stored bytes are not what was written */
	ERR_UNAVAIL = -11,	/* nobody could be asked (no network, offline) */
	ERR_SPENT = -12		/* GitHub's rate limit: not before its reset */
};

#define ERR_MSG_MAX 512

struct err {
	int cls;		/* 0: no error */
	int retry_s;		/* with ERR_SPENT: so long to wait; 0: not known */
	char msg[ERR_MSG_MAX];
};

/* Clear. Every struct err starts so. */
void err_init(struct err *);

/* Record class and sentence unless one is there already; returns `cls`, so `return err_set(…)` reads well. */
int err_set(struct err *, int cls, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": <strerror(errno)>" appended. errno is preserved. */
int err_sys(struct err *, int cls, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "<words>: " before the sentence that is there. */
void err_prefix(struct err *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
