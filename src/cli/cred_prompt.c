#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cred_sub.h"

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define ENDING (sizeof(ending) / sizeof(ending[0]))

static struct {
	int fd;
	struct termios was;
} tty;

/* A shell without echo is what a user would be left with. */
static void give_back(int sig)
{
	tcsetattr(tty.fd, TCSANOW, &tty.was);
	signal(sig, SIG_DFL);
	raise(sig);
}

static int read_line(struct buf *out, struct err *err)
{
	char c;

	for (;;) {
		ssize_t n = read(tty.fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(err, ERR_USAGE, "the terminal's input ended; nothing was changed");
		if (c == '\n')
			return 0;
		buf_addc(out, c);
		if (out->failed)
			return err_set(err, ERR_USAGE, "the value is too long");
	}
}

static int ask(const char *prompt, struct buf *out, struct err *err)
{
	struct sigaction sa = { .sa_handler = give_back, .sa_flags = SA_RESTART | SA_NODEFER },
			 before[ENDING];
	struct termios quiet = tty.was;
	int rc;

	quiet.c_lflag &= ~(tcflag_t)ECHO;
	/* stopped and gone on with, it would have its echo back */
	quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
	for (size_t i = 0; i < ENDING; i++)
		if (sigaction(ending[i], &sa, &before[i]) == 0 && before[i].sa_handler == SIG_IGN)
			sigaction(ending[i], &before[i], NULL);
	tcsetattr(tty.fd, TCSAFLUSH, &quiet);
	dprintf(tty.fd, "%s: ", prompt);
	rc = read_line(out, err);
	dprintf(tty.fd, "\n");
	tcsetattr(tty.fd, TCSAFLUSH, &tty.was);
	for (size_t i = 0; i < ENDING; i++)
		sigaction(ending[i], &before[i], NULL);
	return rc;
}

int cred_prompt(struct cred *c, const char *prompt, bool twice, struct buf *out, struct err *err)
{
	struct buf again;
	int rc;

	tty.fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty.fd < 0 || tcgetattr(tty.fd, &tty.was) != 0) {
		if (tty.fd >= 0)
			close(tty.fd);
		return err_set(err, ERR_UNAVAIL, "there is no terminal to ask at");
	}
	rc = ask(prompt, out, err);
	if (rc == 0 && twice) {
		safe_buf(&c->safe, &again, out->max);
		rc = ask("Once more", &again, err);
		if (rc == 0 && !span_same(buf_span(out), buf_span(&again)))
			rc = err_set(err, ERR_USAGE, "these are two different ones; nothing was changed");
		safe_buf_clear(&again);
	}
	close(tty.fd);
	return rc;
}
