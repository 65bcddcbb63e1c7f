#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "actions/summary.h"

int summary_append(const char *path, struct span markdown, struct err *e)
{
	struct stat st;
	bool pipe = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
	int r = 0,
	    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (pipe ? O_NONBLOCK : 0), 0644);

	if (fd < 0)
		return err_sys(e, ERR_IO, "opening the step summary %s", path);
	if (fstat(fd, &st) < 0)
		r = err_sys(e, ERR_IO, "reading the size of the step summary %s", path);
	else if (markdown.n > SUMMARY_MAX || (uint64_t)st.st_size > SUMMARY_MAX - markdown.n)
		r = err_set(e, ERR_LIMIT, "the step summary %s would pass 1 MiB; the runner drops such a one",
		    path);
	else if (S_ISREG(st.st_mode) ? file_write_all(fd, markdown.p, markdown.n) < 0
				     : write(fd, markdown.p, markdown.n) != (ssize_t)markdown.n)
		r = err_sys(e, ERR_IO, "writing the step summary %s", path);
	if (close(fd) < 0 && r == 0)
		r = err_sys(e, ERR_IO, "writing the step summary %s", path);
	return r;
}
