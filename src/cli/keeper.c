#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/keeper.h"

#define PAUSE_MS 100		/* behind a short life; behind a longer one there is none */

/* Wait for the child's end, and hand on what is to end us. */
static int watch(pid_t child, const sigset_t *set)
{
	int status, sig;

	for (;;) {
		sig = sigwaitinfo(set, NULL);
		if (sig == SIGTERM || sig == SIGINT)
			kill(child, sig);
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
	}
}

int keeper_detach(struct err *err)
{
	char text[512] = "";
	int fds[2], status;
	ssize_t n;
	pid_t pid;

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

static volatile sig_atomic_t *served;	/* shared with the children; NULL: there is no keeper */

void keeper_served(void)
{
	if (served != NULL)
		*served = 1;
}

static void end(const char *path, int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		unlink(path);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : XC_MACHINE);
}

int keeper_fork(const char *path, struct err *err)
{
	sigset_t set, before;
	int64_t born;
	pid_t child;
	int status;		/* of the last that died */

	served = mmap(NULL, sizeof(*served), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (served == MAP_FAILED) {
		served = NULL;
		return err_set(err, ERR_INTERNAL, "no memory for the daemon's keeper");
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, &before);
	for (unsigned deaths = 0;;) {
		child = fork();
		if (child < 0 && deaths > 0 && deaths++ <= KEEPER_TRIES) {
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
			continue;
		}
		if (child <= 0) {
			sigprocmask(SIG_SETMASK, &before, NULL);
			return child == 0 ? 0 : err_sys(err, ERR_IO, "starting the daemon's process");
		}
		if (deaths == 0)
			keeper_let_go();
		born = clock_mono();
		status = watch(child, &set);
		deaths = clock_mono() - born < KEEPER_SHORT_MS ? deaths + 1 : 1;
		if (WIFEXITED(status) || deaths > KEEPER_TRIES || !*served)
			end(path, status);
		log_warn("the daemon was ended by signal %d; it is started anew", WTERMSIG(status));
		if (deaths > 1)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
	}
}
