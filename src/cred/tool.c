#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/safe.h"
#include "base/wipe.h"
#include "cred/tool.h"

#define NOT_THERE 127

static void child(const struct tool *t, int in, int out)
{
	int null = open("/dev/null", O_WRONLY);

	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(NOT_THERE);
	safe_soften();
	signal(SIGPIPE, SIG_DFL);
	execve(t->argv[0], (char *const *)(uintptr_t)t->argv, t->envp);
	_exit(NOT_THERE);
}

/* Until its output ends; ERR_TIMEOUT, ERR_LIMIT: more than `out` takes. */
static int drain(int fd, int64_t until, struct buf *out)
{
	uint8_t piece[512];
	ssize_t n = 1;
	int rc = 0;

	while (rc == 0 && n > 0) {
		int64_t left = until - clock_mono();
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (left <= 0)
			rc = ERR_TIMEOUT;
		else if (poll(&p, 1, (int)left) > 0)
			n = read(fd, piece, sizeof(piece));
		else
			continue;
		if (n < 0 && errno != EINTR)
			rc = ERR_IO;
		else if (n < 0)
			n = 1;
		else if (rc == 0 && out != NULL)
			buf_add(out, piece, (size_t)n);
		if (out != NULL && out->failed)
			rc = ERR_LIMIT;
	}
	wipe(piece, sizeof(piece));
	return rc;
}

static int reap(pid_t pid, int64_t until)
{
	int status;

	for (;;) {
		pid_t r = waitpid(pid, &status, clock_mono() < until ? WNOHANG : 0);

		if (r == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) != NOT_THERE ? WEXITSTATUS(status)
										     : ERR_UNAVAIL;
		if (r < 0 && errno != EINTR)
			return ERR_UNAVAIL;
		if (r == 0)
			poll(NULL, 0, 2);
	}
}

int tool_run(const struct tool *t, struct buf *out, struct err *err)
{
	int in[2], from[2], rc, status;
	int64_t until = clock_mono() + t->timeout_ms;
	pid_t pid;

	if (access(t->argv[0], X_OK) != 0)
		return err_set(err, ERR_UNAVAIL, "there is no %s", t->argv[0]);
	if (pipe2(in, O_CLOEXEC) != 0)
		return err_sys(err, ERR_IO, "starting %s", t->argv[0]);
	if (pipe2(from, O_CLOEXEC) != 0) {
		close(in[0]);
		close(in[1]);
		return err_sys(err, ERR_IO, "starting %s", t->argv[0]);
	}
	file_fault();
	pid = fork();
	if (pid == 0)
		child(t, in[0], from[1]);
	close(in[0]);
	close(from[1]);
	file_fault();
	/* it fits into the pipe: no waiting, and main ignores SIGPIPE */
	rc = pid < 0 ? ERR_IO : file_write_all(in[1], t->in.p, t->in.n) < 0 ? ERR_UNAVAIL : 0;
	close(in[1]);
	if (rc == 0)
		rc = drain(from[0], until, out);
	close(from[0]);
	if (pid > 0 && rc != 0)
		kill(pid, SIGKILL);
	status = pid > 0 ? reap(pid, until) : rc;
	file_fault();
	if (rc == 0)
		rc = status;
	if (rc < 0)
		err_set(err, rc, "%s %s", t->argv[0],
		    rc == ERR_TIMEOUT ? "did not answer in time" : "could not be run");
	return rc;
}
