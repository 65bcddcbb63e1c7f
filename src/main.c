#include <signal.h>
#include <sys/stat.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	umask(077);
	signal(SIGPIPE,
	    SIG_IGN); /* a reader that left is an error of write(2), not the end of a half-written entry */
	return cli_run(argc, argv);
}
