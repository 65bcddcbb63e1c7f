/*
 * p2p/session: the first byte chooses what the rest is: a dialer's bytes from the first on, a listener's; or
 * what a dialer says inside Noise, to a session that serves streams: frames, and multistream-select in them.
 * It goes down with a sentence or waits, and gives back what it held.
 *
 * max_len: 8192
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/engine.h"
#include "p2p/noise.h"
#include "p2p/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HELLO "\x13/multistream/1.0.0\n\x07/noise\n"
#define HELLO_LEN (sizeof(HELLO) - 1)

static const char *const serves[] = { "/echo/1", "/sink/1" };
static struct noise_identity self;
static struct loop *loop;
static struct session_budget budget = { .max = (size_t)1 << 20 };
static struct session *victim;

/* ---- the victim's owner ---- */

static void on_data(void *arg, struct stream *st, enum stream_event ev)
{
	(void)arg;
	if (ev == STREAM_RESET || ev == STREAM_TIMEOUT) {
		stream_free(st, 0);
		return;
	}
	if (stream_protocol(st) != 0)
		return;			/* of a sink nothing is taken */
	stream_write(st, buf_data(stream_in(st)), buf_len(stream_in(st)));
	stream_consume(st, buf_len(stream_in(st)));
	if (stream_eof(st)) {
		stream_shutdown(st);
		stream_free(st, 0);
	}
}

static bool on_up(void *arg, struct session *s)
{
	(void)arg;
	assert(session_is_up(s) && session_peer(s)->n > 0);
	return true;
}

static void on_stream(void *arg, struct session *s, struct stream *st, size_t protocol)
{
	assert(protocol < 2 && session_streams(s) > 0);
	stream_accept(st, on_data, arg);
}

static void on_down(void *arg, struct session *s, const struct err *err)
{
	(void)arg;
	assert(s == victim && (err->cls == 0 || err->msg[0] != '\0'));
	victim = NULL;
}

static int begin(bool dialer)
{
	static const uint8_t seed[32] = { 1 }, fixed[32] = { 2 };
	struct session_params p = { .loop = loop, .self = &self, .serves = serves, .nserves = 2,
		.budget = &budget, .handshake_ms = 60000, .ops = { on_up, on_stream, on_down, NULL } };
	struct ed25519_key key;
	int pair[2];

	if (loop == NULL) {
		ed25519_keygen(&key, seed);
		if (loop_new(&loop, NULL) != 0 || noise_identity_init(&self, &key, fixed, NULL) != 0)
			abort();
		p.loop = loop;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	if (session_new(&p, pair[0], dialer ? &(struct peerid){ .n = 1 } : NULL, &victim, NULL) != 0)
		abort();
	return pair[1];
}

/* ---- the forger ---- */

static bool passed;

static void on_pass(struct job *j)
{
	(void)j;
	passed = true;
}

static void run(unsigned passes)
{
	while (passes-- > 0) {
		struct job j = { .run = on_pass };

		passed = false;
		job_queue(loop, &j);
		if (loop_run(loop, &passed, NULL) != 0)
			abort();
	}
}

static void put(int fd, const void *p, size_t n)
{
	/* what the victim does not take is not sent: the socket holds more than max_len */
	if (send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	run(3);
}

/* The engine's bytes to the socket and back. */
static void move(struct engine *e, int fd)
{
	uint8_t in[4096];
	const uint8_t *out;
	size_t n;
	ssize_t k;

	while (e->ops->state(e) & ENGINE_NET_OUT) {
		out = e->ops->net_out(e, &n);
		put(fd, out, n);
		e->ops->net_out_ack(e, n);
	}
	run(2);
	while ((e->ops->state(e) & ENGINE_NET_IN) && (k = recv(fd, in, sizeof(in), MSG_DONTWAIT)) > 0) {
		for (size_t at = 0; at < (size_t)k && (e->ops->state(e) & ENGINE_NET_IN); at += n) {
			uint8_t *to = e->ops->net_in(e, &n);

			n = n < (size_t)k - at ? n : (size_t)k - at;
			memcpy(to, in + at, n);
			e->ops->net_in_ack(e, n);
			while (e->ops->state(e) & ENGINE_APP_OUT) {
				size_t plain;

				e->ops->app_out(e, &plain);
				e->ops->app_out_ack(e, plain);
			}
		}
	}
}

/* Through the handshake, so that the rest is the muxer's. */
static void inside(int fd, const uint8_t *p, size_t n, bool plain)
{
	static const uint8_t ephemeral[32] = { 3 };
	struct noise_params np = { .self = &self, .dialer = true, .ephemeral = ephemeral, .plain = plain };
	uint8_t hello[HELLO_LEN];
	struct engine *e;
	size_t k;

	if (noise_new(&np, &e, NULL) != 0)
		abort();
	put(fd, HELLO, HELLO_LEN);
	if (recv(fd, hello, sizeof(hello), MSG_DONTWAIT) != (ssize_t)sizeof(hello))
		abort();
	for (int i = 0; i < 4; i++)
		move(e, fd);
	assert(victim != NULL && (plain || session_is_up(victim)));
	while (n > 0 && victim != NULL && (e->ops->state(e) & ENGINE_APP_IN)) {
		uint8_t *to = e->ops->app_in(e, &k);

		k = k < n ? k : n;
		memcpy(to, p, k);
		e->ops->app_in_ack(e, k);
		e->ops->flush(e);
		p += k;
		n -= k;
		move(e, fd);
	}
	e->ops->free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	if (size == 0 || size > 8192)
		return 0;
	fd = begin(data[0] % 4 == 1);
	if (data[0] % 4 < 2)
		put(fd, data + 1, size - 1);
	else
		inside(fd, data + 1, size - 1, data[0] % 4 == 3);
	close(fd);
	run(3);
	session_free(victim);
	victim = NULL;
	run(1);
	assert(budget.used == 0);
	return 0;
}
