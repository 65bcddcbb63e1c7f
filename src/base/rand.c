#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"

#define NEED "random numbers need getrandom(2) or /dev/urandom; "

/* Before Linux 3.17. /dev/urandom answers before the pool is seeded; /dev/random becoming readable says that
 * it is. */
static int open_urandom(struct err *e)
{
	static bool seeded;

	if (!seeded) {
		int fd = open("/dev/random", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, ERR_IO, NEED "opening /dev/random");
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int r;
		do
			r = poll(&pfd, 1, -1);
		while (r < 0 && errno == EINTR);
		close(fd);
		if (r != 1)
			return err_sys(e, ERR_IO, NEED "waiting for /dev/random");
		seeded = true;
	}
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, ERR_IO, NEED "opening /dev/urandom") : fd;
}

static int from_urandom(uint8_t *p, size_t n, struct err *e)
{
	int fd = open_urandom(e);
	if (fd < 0)
		return fd;
	while (n > 0) {
		ssize_t r = read(fd, p, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			err_sys(e, ERR_IO, NEED "reading /dev/urandom");
			close(fd);
			return ERR_IO;
		}
		p += r;
		n -= (size_t)r;
	}
	close(fd);
	return 0;
}

int rand_bytes(void *out, size_t n, struct err *e)
{
	uint8_t *p = out;

	while (n > 0) {
		/* The system call itself: a libc wrapper may be absent, or fall back in its own way. */
		long r = syscall(SYS_getrandom, p, n, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == ENOSYS)
			return from_urandom(p, n, e);
		if (r <= 0)
			return err_sys(e, ERR_IO, "getrandom");
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

uint32_t rand_below(uint32_t bound)
{
	uint32_t x;

	if (rand_bytes(&x, sizeof x, NULL) < 0) {
		static uint32_t count;
		uint64_t t = (uint64_t)clock_wall() + (uint64_t)++count * 0x9e3779b97f4a7c15u;
		t ^= (uint64_t)getpid() << 32;
		x = (uint32_t)((t * 0xff51afd7ed558ccdu) >> 32);
	}
	return (uint32_t)((uint64_t)x * bound >> 32);
}
