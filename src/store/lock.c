#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/store.h"

int lock_take(struct store *s, bool wait)
{
	int fd, rc;

	if (store_is_read_only(s))
		return -1;
	fd = openat(store_dirfd(s), ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	do
		rc = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	while (rc != 0 && errno == EINTR);
	if (rc == 0)
		return fd;
	close(fd);
	return -1;
}

void lock_release(int fd)
{
	if (fd >= 0)
		close(fd);
}
