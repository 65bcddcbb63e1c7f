#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/dial.h"
#include "net/resolve.h"

#define HEAD_START_MS 250

struct attempt {
	struct io io;
	struct dial *dial;		/* NULL once the dial has ended */
	struct addr addr;
};

struct dial {
	struct loop *loop;
	struct timer next;		/* the head start of the newest attempt */
	struct timer deadline;
	struct job failed; /* reports out of the caller's stack (and of a unix socket, its success) */
	struct resolve *resolve;
	struct addr addrs[RESOLVE_MAX];
	size_t n, at;			/* addresses; the next to try */
	struct attempt *open[RESOLVE_MAX];
	size_t nopen;
	char host[256];
	struct err err;			/* of the first failure */
	int unix_fd;			/* connected, on its way to the caller; -1: none */
	int64_t timeout_ms;
	dial_done *done;
	void *arg;
};

#define DIAL_OF(member, ptr) ((struct dial *)(void *)((char *)(ptr) - offsetof(struct dial, member)))

static void try_next(struct dial *d);

static void drop_attempts(struct dial *d)
{
	for (size_t i = 0; i < d->nopen; i++) {
		d->open[i]->dial = NULL;
		d->open[i]->io.dead = true;
	}
	d->nopen = 0;
}

static void dispose(struct dial *d)
{
	resolve_cancel(d->resolve);
	drop_attempts(d);
	timer_clear(d->loop, &d->next);
	timer_clear(d->loop, &d->deadline);
	job_cancel(d->loop, &d->failed);
	if (d->unix_fd >= 0)
		close(d->unix_fd);
	free(d);
}

static void finish(struct dial *d, int fd)
{
	dial_done *done = d->done;
	void *arg = d->arg;
	struct err err = d->err;

	if (fd >= 0)
		err_init(&err);
	else if (d->n > 1)
		err_prefix(&err, "none of %zu addresses of %s answered", d->n, d->host);
	dispose(d);
	done(arg, fd, &err);
}

static void on_failed(struct job *job)
{
	finish(DIAL_OF(failed, job), -1);
}

static void give_up_if_over(struct dial *d)
{
	if (d->nopen == 0 && d->at == d->n)
		job_queue(d->loop, &d->failed);
}

static void close_attempt(struct attempt *a)
{
	struct dial *d = a->dial;

	for (size_t i = 0; i < d->nopen; i++)
		if (d->open[i] == a)
			d->open[i] = d->open[--d->nopen];
	a->dial = NULL;
	a->io.dead = true;
}

static unsigned want(struct io *io)
{
	(void)io;
	return LOOP_WRITE;
}

static void attempt_failed(struct dial *d, const struct addr *addr, int code)
{
	char text[ADDR_TEXT_LEN];

	addr_text(addr, text);
	errno = code;
	err_sys(&d->err, ERR_UNAVAIL, "connecting to %s (%s)", d->host, text);
}

static void ready(struct io *io, unsigned got)
{
	struct attempt *a = (struct attempt *)(void *)((char *)io - offsetof(struct attempt, io));
	struct dial *d = a->dial;
	int code = 0, fd = io->fd;
	socklen_t len = sizeof(code);

	(void)got;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
		code = errno;
	close_attempt(a);
	if (code == 0) {
		io->fd = -1;	/* the caller's now */
		finish(d, fd);
		return;
	}
	attempt_failed(d, &a->addr, code);
	try_next(d);
}

static void reap(struct io *io)
{
	struct attempt *a = (struct attempt *)(void *)((char *)io - offsetof(struct attempt, io));

	if (io->fd >= 0)
		close(io->fd);
	free(a);
}

static int open_socket(const struct addr *addr)
{
	int one = 1;
	int fd = socket(addr->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* 0: under way; otherwise errno */
static int start_attempt(struct dial *d, const struct addr *addr)
{
	struct attempt *a = calloc(1, sizeof(*a));
	int fd = a != NULL ? open_socket(addr) : -1;
	int code = 0;

	if (fd < 0) {
		code = a != NULL ? errno : ENOMEM;
		free(a);
		return code;
	}
	*a = (struct attempt){
		.io = { .fd = fd, .want = want, .ready = ready, .reap = reap }, .dial = d, .addr = *addr
	};
	if (connect(fd, (const struct sockaddr *)&addr->ss, addr->len) != 0 && errno != EINPROGRESS)
		code = errno;
	if (code == 0 && loop_add(d->loop, &a->io, NULL) != 0)
		code = EMFILE;
	if (code != 0) {
		close(fd);
		free(a);
		return code;
	}
	d->open[d->nopen++] = a;
	return 0;
}

static void try_next(struct dial *d)
{
	timer_clear(d->loop, &d->next);
	while (d->at < d->n) {
		const struct addr *addr = &d->addrs[d->at++];
		int code = start_attempt(d, addr);

		if (code == 0) {
			timer_set(d->loop, &d->next, loop_now(d->loop) + HEAD_START_MS);
			break;
		}
		attempt_failed(d, addr, code);
	}
	give_up_if_over(d);
}

static void on_next(struct timer *t)
{
	try_next(DIAL_OF(next, t));
}

static void on_deadline(struct timer *t)
{
	struct dial *d = DIAL_OF(deadline, t);

	err_set(&d->err, ERR_TIMEOUT, "connecting to %s: no answer within %lld s", d->host,
	    (long long)(d->timeout_ms / 1000));
	finish(d, -1);
}

static void on_resolved(void *arg, const struct addr *addrs, size_t n, const struct err *err)
{
	struct dial *d = arg;

	d->resolve = NULL;
	if (n == 0) {
		d->err = *err;
		finish(d, -1);
		return;
	}
	memcpy(d->addrs, addrs, n * sizeof(*addrs));
	d->n = n;
	try_next(d);
}

int dial_start(struct loop *loop, struct span host, uint16_t port, int64_t timeout_ms, dial_done *done,
    void *arg, struct dial **out, struct err *err)
{
	struct dial *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to connect");
	d->loop = loop;
	d->unix_fd = -1;
	d->next.fire = on_next;
	d->deadline.fire = on_deadline;
	d->failed.run = on_failed;
	d->timeout_ms = timeout_ms;
	d->done = done;
	d->arg = arg;
	err_init(&d->err);
	span_copy(d->host, sizeof(d->host), host);
	rc = resolve_start(loop, host, port, on_resolved, d, &d->resolve, err);
	if (rc != 0) {
		free(d);
		return rc;
	}
	timer_set(loop, &d->deadline, loop_now(loop) + timeout_ms);
	*out = d;
	return 0;
}

static void on_connected(struct job *job)
{
	struct dial *d = DIAL_OF(failed, job);
	int fd = d->unix_fd;

	d->unix_fd = -1;
	finish(d, fd);
}

/* A connected socket, or -1. Asked of the very connection that is used: a file can be replaced between two.
 */
static int connect_unix(const char *path, const struct sockaddr_un *a, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(peer);

	if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		err_sys(err, ERR_UNAVAIL, "connecting to %s", path);
	else if (peer.uid != geteuid() && peer.uid != 0)
		err_set(err, ERR_UNAVAIL, "%s is another user's (uid %u): nothing is sent to it", path,
		    (unsigned)peer.uid);
	else
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int dial_unix(struct loop *loop, const char *path, dial_done *done, void *arg, struct dial **out,
    struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct dial *d;
	int fd;

	if (!span_copy(a.sun_path, sizeof(a.sun_path), span_of(path)))
		return err_set(err, ERR_CONFIG, "the socket path %s is too long", path);
	fd = connect_unix(path, &a, err);
	if (fd < 0)
		return ERR_UNAVAIL;
	d = calloc(1, sizeof(*d));
	if (d == NULL) {
		close(fd);
		return err_set(err, ERR_INTERNAL, "no memory to connect");
	}
	d->loop = loop;
	d->unix_fd = fd;
	d->failed.run = on_connected;
	d->done = done;
	d->arg = arg;
	err_init(&d->err);
	job_queue(loop, &d->failed);
	*out = d;
	return 0;
}

void dial_cancel(struct dial *d)
{
	if (d != NULL)
		dispose(d);
}
