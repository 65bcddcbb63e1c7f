#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "loop/loop.h"
#include "loop/signal.h"

static struct {
	struct io io;
	int in;				/* the handler's end; -1: nothing is caught */
	void (*on_signal)(void *arg, int sig);
	void *arg;
} catcher = { .in = -1 };

static void handler(int sig)
{
	int saved = errno;
	unsigned char c = (unsigned char)sig;
	ssize_t n = write(catcher.in, &c, 1);	/* a full pipe wakes the loop as well */

	(void)n;
	errno = saved;
}

static unsigned want(struct io *io)
{
	(void)io;
	return LOOP_READ;
}

static void ready(struct io *io, unsigned got)
{
	unsigned char c;

	(void)got;
	while (read(io->fd, &c, 1) == 1)
		catcher.on_signal(catcher.arg, c);
}

static void reap(struct io *io)
{
	close(io->fd);
}

static void set_handlers(void (*fn)(int))
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = fn;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

int signal_catch(struct loop *loop, void (*on_signal)(void *arg, int sig), void *arg, struct err *err)
{
	sigset_t set;
	int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
		return err_sys(err, ERR_IO, "making a pipe for signals");
	catcher.io = (struct io){ .fd = fds[0], .want = want, .ready = ready, .reap = reap };
	catcher.in = fds[1];
	catcher.on_signal = on_signal;
	catcher.arg = arg;
	if (loop_add(loop, &catcher.io, err) != 0) {
		close(fds[0]);
		close(fds[1]);
		catcher.in = -1;
		return err->cls;
	}
	set_handlers(handler);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

void signal_release(void)
{
	if (catcher.in < 0)
		return;
	set_handlers(SIG_DFL);
	close(catcher.in);
	catcher.in = -1;
	catcher.io.dead = true;
}
