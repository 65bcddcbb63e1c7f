#include <fcntl.h>
#include <signal.h>
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

/* Whoever started us reads its pipes until they are closed; the child says what there is to say. */
static void be_silent(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		if (fd != STDERR_FILENO || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
			dup2(null, fd);
	if (null > 2)
		close(null);
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
			be_silent();
		born = clock_mono();
		status = watch(child, &set);
		deaths = clock_mono() - born < KEEPER_SHORT_MS ? deaths + 1 : 1;
		if (WIFEXITED(status) || deaths > KEEPER_TRIES)
			end(path, status);
		log_warn("the daemon was ended by signal %d; it is started anew", WTERMSIG(status));
		if (deaths > 1)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
	}
}
