#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

/* Where a standard stream is closed, no file or socket of ours may get its number and what was meant for the
 * stream. What stands there refuses reads and writes as a closed one does, and is there without /dev. */
static void keep_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int main(int argc, char **argv)
{
	keep_streams();
	umask(077);
	signal(SIGPIPE,
	    SIG_IGN); /* a reader that left is an error of write(2), not the end of a half-written entry */
	signal(SIGCHLD, SIG_DFL);	/* where our caller ignored it, nobody could wait for a child */
	return cli_run(argc, argv);
}
