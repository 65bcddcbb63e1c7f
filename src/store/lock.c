#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/lock.h"
#include "store/store.h"

static int take(int fd, enum lock_what what, bool wait)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)what, .l_len = 1 };
	int rc;

	do
		rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l);
	while (rc != 0 && errno == EINTR);
	if (rc == 0 || errno != EINVAL)
		return rc;
	do
		rc = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	while (rc != 0 && errno == EINTR);
	return rc;
}

int lock_take(struct store *s, enum lock_what what, bool wait)
{
	int fd;

	if (store_is_read_only(s))
		return -1;
	fd = openat(store_dirfd(s), ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || take(fd, what, wait) == 0)
		return fd;
	close(fd);
	return -1;
}

void lock_release(int fd)
{
	if (fd >= 0)
		close(fd);
}
