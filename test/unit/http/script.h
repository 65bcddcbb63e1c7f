/*
 * A server on loopback, in a thread, that does what its script says: one step after the other, over one
 * connection after the other. Connections stay open until a step closes them or the script is stopped.
 */
#ifndef UNIT_HTTP_SCRIPT_H
#define UNIT_HTTP_SCRIPT_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cm.h"

#define SCRIPT_REQUESTS 24
#define SCRIPT_REQUEST_MAX 4096
#define SCRIPT_WAIT_MS 4000

struct step {
	const char *send;		/* NULL: nothing */
	bool first;			/* of the next connection */
	bool unasked;			/* do not wait for a request */
	bool drip;			/* a byte at a time */
	bool close;			/* afterwards */
	int pause_ms;			/* before it sends */
	void (*serve)(int fd);		/* instead of all that */
};

struct script {
	const struct step *steps;
	size_t n;
	bool running;
	uint16_t port;
	char requests[SCRIPT_REQUESTS][SCRIPT_REQUEST_MAX];
	size_t nrequests;		/* good after script_stop */
	size_t nconns;
	int listener, stop[2];
	pthread_t thread;
};

/* Readable in time and not stopped? */
static inline bool script_wait(struct script *s, int fd, int ms)
{
	struct pollfd p[2] = { { .fd = s->stop[0], .events = POLLIN }, { .fd = fd, .events = POLLIN } };

	return poll(p, 2, ms) > 0 && p[0].revents == 0 && p[1].revents != 0;
}

static inline size_t script_body(const char *request)
{
	const char *p = strcasestr(request, "\r\nContent-Length: ");

	return p != NULL ? strtoul(p + 18, NULL, 10) : 0;
}

/* A request with its body. false: the peer closed, or it is over. */
static inline bool script_read(struct script *s, int fd)
{
	char *text = s->requests[s->nrequests], *end = NULL;
	size_t n = 0;
	ssize_t k;

	while (end == NULL || n < (size_t)(end + 4 - text) + script_body(text)) {
		if (n + 1 >= SCRIPT_REQUEST_MAX || !script_wait(s, fd, SCRIPT_WAIT_MS) ||
		    (k = read(fd, text + n, 1)) <= 0)
			return false;
		n += (size_t)k;
		text[n] = '\0';
		if (end == NULL)
			end = strstr(text, "\r\n\r\n");
	}
	s->nrequests++;
	return s->nrequests < SCRIPT_REQUESTS;
}

static inline void script_send(struct script *s, int fd, const struct step *st)
{
	const char *p = st->send;

	if (st->pause_ms > 0)
		script_wait(s, -1, st->pause_ms);
	while (p != NULL && *p != '\0') {
		ssize_t k = send(fd, p, st->drip ? 1 : strlen(p), MSG_NOSIGNAL);

		if (k <= 0)
			return;
		p += k;
	}
}

static inline void *script_run(void *arg)
{
	struct script *s = arg;
	int fds[SCRIPT_REQUESTS], one = 1, fd = -1;
	bool over = false;

	for (size_t i = 0; i < s->n && !over; i++) {
		const struct step *st = &s->steps[i];

		if (st->first) {
			if (!script_wait(s, s->listener, SCRIPT_WAIT_MS) ||
			    (fd = accept(s->listener, NULL, NULL)) < 0)
				break;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			fds[s->nconns++] = fd;
		}
		if (st->serve != NULL)
			st->serve(fd);
		else if (!st->unasked && !script_read(s, fd))
			over = true;
		else
			script_send(s, fd, st);
		if (st->close) {
			close(fd);
			fds[s->nconns - 1] = -1;
		}
	}
	script_wait(s, -1, SCRIPT_WAIT_MS);
	for (size_t i = 0; i < s->nconns; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return NULL;
}

static inline void script_start(struct script *s, const struct step *steps, size_t n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	memset(s, 0, sizeof(*s));
	s->steps = steps;
	s->n = n;
	s->running = true;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listener >= 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->listener, 64), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)(void *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, script_run, s), 0);
}

/* Whatever it was doing. Stopping one that is stopped is fine. */
static inline void script_stop(struct script *s)
{
	if (!s->running)
		return;
	s->running = false;
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->listener);
}

#endif
