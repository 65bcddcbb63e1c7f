#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "loop/loop.h"
#include "net/resolve.h"

#define HOST_MAX 255

struct answer {				/* what the child writes, once */
	int gai;			/* 0 or an EAI_* code */
	size_t n;
	struct addr addrs[RESOLVE_MAX];
};

struct resolve {
	struct io io;			/* fd -1 and never added when answered without a child */
	struct job job;
	struct loop *loop;
	pid_t child;			/* 0: none */
	int forkless;			/* errno of a fork that failed */
	char host[HOST_MAX + 1];
	struct answer answer;
	size_t got;			/* bytes of answer */
	resolve_done *done;
	void *arg;
};

static struct resolve *of_io(struct io *io)
{
	return (struct resolve *)(void *)((char *)io - offsetof(struct resolve, io));
}

static struct resolve *of_job(struct job *job)
{
	return (struct resolve *)(void *)((char *)job - offsetof(struct resolve, job));
}

static void end_child(struct resolve *r)
{
	if (r->child > 0) {
		kill(r->child, SIGKILL);
		while (waitpid(r->child, NULL, 0) < 0 && errno == EINTR)
			;
		r->child = 0;
	}
}

static void finish(struct resolve *r)
{
	struct err err;

	err_init(&err);
	errno = r->forkless;
	if (r->forkless != 0)
		err_sys(&err, ERR_IO, "looking up %s: no process can be started", r->host);
	else if (r->answer.gai == EAI_AGAIN)
		err_set(&err, ERR_UNAVAIL,
		    "looking up %s: no name server answered; check the network and /etc/resolv.conf",
		    r->host);
	else if (r->answer.gai != 0 || r->answer.n == 0)
		err_set(&err, ERR_UNAVAIL, "looking up %s: the name does not resolve", r->host);
	r->done(r->arg, r->answer.addrs, err.cls == 0 ? r->answer.n : 0, &err);
}

static void run_now(struct job *job)
{
	struct resolve *r = of_job(job);

	finish(r);
	free(r);
}

static unsigned want(struct io *io)
{
	(void)io;
	return LOOP_READ;
}

static void ready(struct io *io, unsigned got)
{
	struct resolve *r = of_io(io);
	ssize_t n = read(io->fd, (char *)&r->answer + r->got, sizeof(r->answer) - r->got);

	(void)got;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		r->got += (size_t)n;
	if (n > 0 && r->got < sizeof(r->answer))
		return;
	if (r->got < sizeof(r->answer) || r->answer.n > RESOLVE_MAX) {
		r->answer.gai = EAI_AGAIN;	/* the child died */
		r->answer.n = 0;
	}
	io->dead = true;
	finish(r);
}

static void reap(struct io *io)
{
	struct resolve *r = of_io(io);

	close(io->fd);
	end_child(r);
	free(r);
}

/* System order within a family, the families in turn: a dead IPv6 path costs one attempt's head start, not
 * the list's. */
static void interleave(struct answer *a, const struct addrinfo *list)
{
	const struct addrinfo *first = list, *other = list;
	bool v6 = list != NULL && list->ai_family == AF_INET6;

	while (a->n < RESOLVE_MAX && (first != NULL || other != NULL)) {
		while (first != NULL && (first->ai_family == AF_INET6) != v6)
			first = first->ai_next;
		while (other != NULL && (other->ai_family == AF_INET6) == v6)
			other = other->ai_next;
		for (int turn = 0; turn < 2 && a->n < RESOLVE_MAX; turn++) {
			const struct addrinfo **at = turn == 0 ? &first : &other;

			if (*at == NULL || (*at)->ai_addrlen > sizeof(a->addrs[0].ss))
				continue;
			a->addrs[a->n].len = (*at)->ai_addrlen;
			memcpy(&a->addrs[a->n++].ss, (*at)->ai_addr, (*at)->ai_addrlen);
			*at = (*at)->ai_next;
		}
	}
}

static void __attribute__((noreturn)) child_main(int fd, const char *host, const char *port)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV
	};
	struct addrinfo *list = NULL;
	struct answer a;

	/* A connection the parent closes meanwhile must not live on here. */
	for (int other = 3; other < FD_SETSIZE; other++)
		if (other != fd)
			close(other);
	memset(&a, 0, sizeof(a));
	a.gai = getaddrinfo(host, port, &hints, &list);
	if (a.gai == 0)
		interleave(&a, list);
	file_write_all(fd, &a, sizeof(a));
	_exit(0);
}

static int start_child(struct resolve *r, uint16_t port, struct err *err)
{
	char service[6];
	int pair[2];

	snprintf(service, sizeof(service), "%u", port);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, ERR_IO, "looking up %s", r->host);
	r->io.fd = pair[0];
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	if (loop_add(r->loop, &r->io, err) != 0)
		goto fail;
	r->child = fork();
	if (r->child == 0)
		child_main(pair[1], r->host, service);
	close(pair[1]);
	if (r->child < 0) {
		r->child = 0;
		r->forkless = errno;		/* the socket's end is seen in the next pass and says so */
	}
	return 0;
fail:
	close(pair[0]);
	close(pair[1]);
	return err->cls;
}

static bool known(struct resolve *r, struct span host, uint16_t port)
{
	if (span_ieq(host, "localhost") || span_iends(host, ".localhost")) {
		addr_parse(&r->answer.addrs[0], span_of("127.0.0.1"), port);
		addr_parse(&r->answer.addrs[1], span_of("::1"), port);
		r->answer.n = 2;
	} else if (addr_parse(&r->answer.addrs[0], host, port)) {
		r->answer.n = 1;
	}
	return r->answer.n > 0;
}

int resolve_start(struct loop *loop, struct span host, uint16_t port, resolve_done *done, void *arg,
    struct resolve **out, struct err *err)
{
	struct resolve *r = calloc(1, sizeof(*r));
	int rc = 0;

	if (r == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to look a name up");
	r->io = (struct io){ .fd = -1, .want = want, .ready = ready, .reap = reap };
	r->job.run = run_now;
	r->loop = loop;
	r->done = done;
	r->arg = arg;
	if (!span_copy(r->host, sizeof(r->host), host))
		rc = err_set(err, ERR_USAGE, "a host name longer than %d bytes", HOST_MAX);
	else if (known(r, host, port))
		job_queue(loop, &r->job);
	else
		rc = start_child(r, port, err);
	if (rc != 0) {
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void resolve_cancel(struct resolve *r)
{
	if (r == NULL)
		return;
	if (r->io.fd < 0) {
		job_cancel(r->loop, &r->job);
		free(r);
		return;
	}
	r->io.dead = true;
	end_child(r);
}
