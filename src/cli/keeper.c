#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/safe.h"
#include "base/str.h"
#include "base/wipe.h"
#include "cli/action.h"
#include "cli/cli.h"
#include "cli/keeper.h"

#define PAUSE_MS 100		/* behind a short life; behind a longer one there is none */
#define LOOK_MS 1000		/* between looks whether the socket's file is still there */

#define FILES_MAX 65536		/* descriptors looked at where the kernel closes no range */

/* What /proc shows, between these: setenv leaves the old strings there. */
static char *shown, *shown_end;

__attribute__((constructor)) static void see_environment(void)
{
	shown = shown_end = environ[0];
	for (char **e = environ; *e != NULL && *e == shown_end; e++)
		shown_end += strlen(*e) + 1;
}

void keeper_hide(void)
{
	static const char persist[] = "GHOARD_PERSIST_SECRET=", tracked[] = "RUNNER_TRACKING_ID=";

	safe_harden();
	for (char **e = environ; *e != NULL; e++) {
		bool needed = strncmp(*e, persist, sizeof(persist) - 1) != 0;
		char *copy = str_dup(needed ? *e : persist);

		if (copy == NULL)
			continue;
		if (*e < shown || *e >= shown_end)
			wipe(*e, strlen(*e));
		*e = copy;
	}
	/* by this one a runner knows what a job has left behind */
	for (size_t n; shown < shown_end; shown += n + 1) {
		n = strlen(shown);
		if (strncmp(shown, tracked, sizeof(tracked) - 1) != 0)
			wipe(shown, n);
	}
}

/* What the caller had open beside the three streams, and whose end or unlocking it waits for. */
static void close_others(void)
{
	struct rlimit r = { .rlim_cur = FILES_MAX };

	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &r);
	for (int fd = r.rlim_cur < FILES_MAX ? (int)r.rlim_cur : FILES_MAX; --fd > STDERR_FILENO;)
		close(fd);
}

int keeper_detach(struct err *err)
{
	char text[512] = "";
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	close_others();
	if (pipe2(fds, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		return err_sys(err, ERR_IO, "leaving a daemon behind");
	if (pid == 0) {
		close(fds[0]);
		setsid();
		dup2(fds[1], STDOUT_FILENO);
		close(fds[1]);
		return 0;
	}
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	printf("%.*s", n > 0 ? (int)n : 0, text);
	fflush(stdout);
	if (n > 0)
		_exit(XC_OK);
	_exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : XC_MACHINE);
}

void keeper_let_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	fflush(stdout);
	if (null < 0)			/* no /dev; who reads our output still waits for its end */
		null = open("/", O_PATH | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (fstat(STDERR_FILENO, &st) != 0 || !S_ISREG(st.st_mode))
		dup2(null, STDERR_FILENO);
	close(null);
}

/* ---- the keeper ---- */

enum state { S_NEW, S_SERVES, S_RESTS };

static struct {
	const char *path;		/* NULL: there is no keeper */
	dev_t dev;			/* of the socket's file: another one there is not ours */
	ino_t ino;
	pid_t pid;			/* the keeper's */
	volatile sig_atomic_t *state;	/* of the children, shared with them */
	int signals;
	bool ending;			/* it was told to */
} kept;

static bool is_there(void)
{
	struct stat st;

	return lstat(kept.path, &st) == 0 && st.st_ino == kept.ino && st.st_dev == kept.dev;
}

bool keeper_is_over(void)
{
	const char *job = getenv("GHOARD_JOB");

	if (kept.path == NULL)
		return false;
	return !is_there() || (job != NULL && job[0] != '\0' && access(job, F_OK) != 0);
}

void keeper_remove(void)
{
	if (kept.path == NULL)
		return;
	*kept.state = S_SERVES;
	if (!is_there())
		return;
	action_socket_unlink(kept.path);
}

bool keeper_is_there(void)
{
	return kept.path != NULL && getppid() == kept.pid;
}

void keeper_served(void)
{
	if (kept.path != NULL)
		*kept.state = S_SERVES;
}

void keeper_rest(void)
{
	*kept.state = S_RESTS;
}

/* Whatever came for us since the last look is for the child, too. */
static void take_signals(pid_t child)
{
	struct signalfd_siginfo got;

	while (read(kept.signals, &got, sizeof(got)) == sizeof(got))
		if (got.ssi_signo != SIGCHLD) {
			kept.ending = true;
			if (child > 0)
				kill(child, (int)got.ssi_signo);
		}
}

/* Wait for the child's end and give its status. */
static int watch(pid_t child)
{
	struct pollfd p = { .fd = kept.signals, .events = POLLIN };
	int status;

	for (;;) {
		poll(&p, 1, -1);
		take_signals(child);
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
	}
}

/* Wait for a client; false: for none any more. */
static bool is_asked(const int fds[2])
{
	struct pollfd p[] = { { kept.signals, POLLIN, 0 }, { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };

	do {
		poll(p, 3, LOOK_MS);
		take_signals(0);
		kept.ending = kept.ending || keeper_is_over();
	} while (!kept.ending && p[1].revents == 0 && p[2].revents == 0);
	return !kept.ending;
}

static void end(int code)
{
	if (code != XC_OK)
		keeper_remove();
	_exit(code);
}

/* The child's end is its own decision, or ours: is there to be another? Ends the process if not. */
static void judge(int status, unsigned deaths, const int fds[2])
{
	if (WIFEXITED(status)) {
		if (WEXITSTATUS(status) != XC_OK || *kept.state != S_RESTS)
			end(WEXITSTATUS(status));
		if (kept.ending || !is_asked(fds)) {
			keeper_remove();
			end(XC_OK);
		}
		return;
	}
	if (kept.ending || deaths > KEEPER_TRIES || *kept.state == S_NEW || keeper_is_over())
		end(XC_MACHINE);
	log_warn("the daemon was ended by signal %d; it is started anew", WTERMSIG(status));
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
}

static int begin(const char *path, struct err *err)
{
	struct stat st;
	sigset_t set;
	void *p = mmap(NULL, sizeof(*kept.state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kept.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p == MAP_FAILED || kept.signals < 0 || lstat(path, &st) != 0) {
		err_sys(err, ERR_IO, "starting the daemon's keeper");
		unlink(path);
		return err->cls;
	}
	kept.state = p;
	kept.path = path;
	kept.pid = getpid();
	kept.dev = st.st_dev;
	kept.ino = st.st_ino;
	return 0;
}

/* SIGTERM and SIGINT stay blocked until it can hear them: see loop/signal.h. */
static void become_child(void)
{
	sigset_t set;

	close(kept.signals);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int keeper_fork(const char *path, const int fds[2], struct err *err)
{
	int64_t born;
	pid_t child;

	if (begin(path, err) != 0)
		return err->cls;
	for (unsigned deaths = 0;;) {
		if (deaths > 0)
			*kept.state = S_SERVES;
		child = fork();
		if (child == 0) {
			become_child();
			return 0;
		}
		if (child < 0 && (deaths == 0 || deaths++ > KEEPER_TRIES)) {
			err_sys(err, ERR_IO, "starting the daemon's process");
			keeper_remove();
			return err->cls;
		}
		if (child < 0) {
			pause_briefly();
			continue;
		}
		if (deaths == 0)
			keeper_let_go();
		born = clock_mono();
		int status = watch(child);
		deaths = WIFSIGNALED(status) && clock_mono() - born < KEEPER_SHORT_MS ? deaths + 1 : 1;
		judge(status, deaths, fds);
		if (deaths > 1)
			pause_briefly();
	}
}
