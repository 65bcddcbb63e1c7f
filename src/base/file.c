#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/str.h"

#define READ_STEP ((size_t)64 << 10)
#define TMP_STEM_MAX 200	/* of a name's 255 bytes; ".tmp-4194304-0123456789abcdef" takes 29 */

static unsigned fault_in;

void file_fault_after(unsigned n)
{
	fault_in = n;
}

void file_fault(void)
{
	if (fault_in && --fault_in == 0)
		_exit(137);
}

/* What a system call was asked about. */
struct place {
	int dirfd;
	const char *name;
};

/* As one path for a message; the name alone where /proc does not tell. */
static const char *where(char out[static PATH_MAX], struct place at)
{
	char link[64];

	if (at.dirfd == AT_FDCWD || at.name[0] == '/')
		return at.name;
	snprintf(link, sizeof link, "/proc/self/fd/%d", at.dirfd);
	ssize_t n = readlink(link, out, PATH_MAX - 1);
	if (n <= 0 || out[0] != '/' || (size_t)n + strlen(at.name) + 2 > PATH_MAX)
		return at.name;
	snprintf(out + n, PATH_MAX - (size_t)n, "/%s", at.name);
	return out;
}

static int fail(struct err *e, int cls, const char *doing, struct place at)
{
	char path[PATH_MAX];
	int saved = errno;
	const char *what = where(path, at);

	errno = saved;
	return err_sys(e, cls, "%s %s", doing, what);
}

static int refuse(struct err *e, int cls, const char *why, struct place at)
{
	char path[PATH_MAX];

	return err_set(e, cls, "reading %s: %s", where(path, at), why);
}

static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t r;

	do
		r = read(fd, p, n);
	while (r < 0 && errno == EINTR);
	return r;
}

/* Until the end or until one byte more than `limit` has been seen: 0, ERR_LIMIT, ERR_IO, ERR_INTERNAL. */
static int read_to_end(int fd, size_t limit, size_t hint, struct buf *out)
{
	size_t got = 0;
	char probe;

	for (;;) {
		/* st_size is a hint: the file may grow, and those in /proc say 0. One byte more sees the end
		 * without a larger block. */
		size_t step = hint > 0 && got <= hint ? hint + 1 - got : READ_STEP;
		if (step > limit - got)
			step = limit - got;
		uint8_t *to = step ? buf_reserve(out, step) : (uint8_t *)&probe;
		if (!to)
			return ERR_INTERNAL;
		ssize_t r = read_some(fd, to, step ? step : 1);
		if (r <= 0)
			return r < 0 ? ERR_IO : 0;
		if (step == 0)
			return ERR_LIMIT;
		buf_commit(out, (size_t)r);
		got += (size_t)r;
	}
}

static int read_open(int fd, size_t max, struct buf *out, struct stat *st, struct place at, struct err *e)
{
	size_t len = buf_len(out);
	size_t limit = out->max - len < max ? out->max - len : max;

	if (fstat(fd, st) < 0)
		return fail(e, ERR_IO, "reading", at);
	if (!S_ISREG(st->st_mode))
		return refuse(e, ERR_IO, "not a regular file", at);
	if ((uint64_t)st->st_size > limit)
		return refuse(e, ERR_LIMIT, "too large", at);
	int r = read_to_end(fd, limit, (size_t)st->st_size, out);
	if (r == 0)
		return 0;
	if (r == ERR_LIMIT)
		refuse(e, r, "too large", at);
	else if (r == ERR_INTERNAL)
		refuse(e, r, "out of memory", at);
	else
		fail(e, r, "reading", at);
	buf_truncate(out, len);
	return r;
}

static int read_at(struct place at, int flags, size_t max, struct buf *out, struct stat *st, struct err *e)
{
	struct stat own;

	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	int fd = openat(at.dirfd, at.name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	if (fd < 0 && errno == ELOOP && flags & O_NOFOLLOW)
		return refuse(e, ERR_IO, "a symbolic link", at);
	if (fd < 0)
		return fail(e, errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : ERR_IO, "opening", at);
	int r = read_open(fd, max, out, st ? st : &own, at, e);
	close(fd);
	return r;
}

int file_read(const char *path, size_t max, bool follow, struct buf *out, struct err *e)
{
	return read_at((struct place){ AT_FDCWD, path }, follow ? 0 : O_NOFOLLOW, max, out, NULL, e);
}

int file_read_at(int dirfd, const char *name, size_t max, struct buf *out, struct stat *st, struct err *e)
{
	return read_at((struct place){ dirfd, name }, O_NOFOLLOW, max, out, st, e);
}

static bool tmp_name(struct file_hold *h, const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t dir = slash ? (size_t)(slash - name) + 1 : 0;
	size_t stem = strlen(name + dir);

	if (stem > TMP_STEM_MAX)
		stem = TMP_STEM_MAX;
	if (dir >= sizeof h->tmp - 256)
		return false;
	snprintf(h->tmp, sizeof h->tmp, "%.*s.tmp-%ld-%08x%08x", (int)(dir + stem), name, (long)getpid(),
	    rand_below(UINT32_MAX), rand_below(UINT32_MAX));
	return true;
}

int file_hold(struct file_hold *h, int dirfd, const char *name, struct err *e)
{
	h->dirfd = dirfd;
	h->fd = -1;
	h->tmp[0] = '\0';
	/* A second try only matters where rand_below had to fall back to the clock. */
	for (int tries = 0; h->fd < 0 && tries < 4; tries++) {
		if (!tmp_name(h, name)) {
			errno = ENAMETOOLONG;
			break;
		}
		file_fault();
		h->fd = openat(dirfd, h->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (h->fd < 0 && errno != EEXIST)
			break;
	}
	return h->fd < 0 ? fail(e, ERR_IO, "creating", (struct place){ dirfd, name }) : 0;
}

int file_write_all(int fd, const void *data, size_t n)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t r = write(fd, p, n);
		if (r < 0 && (errno == EINTR || (errno == EAGAIN && poll(&wait, 1, -1) >= 0)))
			continue;
		if (r == 0)
			errno = EIO;
		if (r <= 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

int file_hold_write(struct file_hold *h, const void *p, size_t n, struct err *e)
{
	file_fault();
	if (file_write_all(h->fd, p, n) < 0)
		return fail(e, ERR_IO, "writing", (struct place){ h->dirfd, h->tmp });
	return 0;
}

/* The last word on whether the bytes are down: on NFS and with quotas only close says that they are not. */
static int hold_close(struct file_hold *h)
{
	file_fault();
	int r = close(h->fd);

	h->fd = -1;
	/* Linux has closed it even then. */
	return r < 0 && errno == EINTR ? 0 : r;
}

/* Without it the new name may be lost with the power, though the file is not. */
static int sync_folder(int dirfd, const char *name)
{
	char dir[FILE_TMP_MAX];
	const char *slash = strrchr(name, '/');

	if (slash && (size_t)(slash - name) + 2 > sizeof dir) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int len = slash ? (int)(slash - name) + 1 : 0;
	snprintf(dir, sizeof dir, "%.*s", len, name);
	file_fault();
	int fd = openat(dirfd, len ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int r = fsync(fd);
	/* Some file systems know no fsync of a folder. */
	if (r < 0 && (errno == EINVAL || errno == ENOTSUP))
		r = 0;
	int saved = errno;
	close(fd);
	errno = saved;
	return r;
}

static int finish_file(struct file_hold *h, mode_t mode, bool sync)
{
	file_fault();
	if (fchmod(h->fd, mode) < 0)
		return -1;
	if (sync) {
		file_fault();
		if (fsync(h->fd) < 0)
			return -1;
	}
	return hold_close(h);
}

int file_commit(struct file_hold *h, const char *name, mode_t mode, bool sync, struct err *e)
{
	if (finish_file(h, mode, sync) < 0)
		goto fail;
	file_fault();
	if (renameat(h->dirfd, h->tmp, h->dirfd, name) < 0)
		goto fail;
	h->tmp[0] = '\0';
	if (sync && sync_folder(h->dirfd, name) < 0)
		return fail(e, ERR_IO, "syncing the folder of", (struct place){ h->dirfd, name });
	return 0;
fail:
	fail(e, ERR_IO, "writing", (struct place){ h->dirfd, name });
	file_rollback(h);
	return ERR_IO;
}

void file_rollback(struct file_hold *h)
{
	if (h->fd >= 0)
		close(h->fd);
	if (h->tmp[0])
		unlinkat(h->dirfd, h->tmp, 0);
	h->fd = -1;
	h->tmp[0] = '\0';
}

int file_write(int dirfd, const char *name, mode_t mode, bool sync, const void *p, size_t n, struct err *e)
{
	struct file_hold h;

	int r = file_hold(&h, dirfd, name, e);
	if (r < 0)
		return r;
	r = file_hold_write(&h, p, n, e);
	if (r < 0) {
		file_rollback(&h);
		return r;
	}
	return file_commit(&h, name, mode, sync, e);
}

int file_move(int fromfd, const char *from, int tofd, const char *to, struct err *e)
{
	file_fault();
	if (renameat(fromfd, from, tofd, to) == 0)
		return 0;
	return fail(e, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "moving", (struct place){ fromfd, from });
}

int file_replace(int dirfd, const char *from, const char *to, struct err *e)
{
	int r = file_move(dirfd, from, dirfd, to, e);

	if (r == 0 && sync_folder(dirfd, to) < 0)
		return fail(e, ERR_IO, "syncing the folder of", (struct place){ dirfd, to });
	return r;
}

/* On a file system that writes in place; elsewhere it does no harm. */
static void scrub_file(int dirfd, const char *name)
{
	static const uint8_t zeros[256];
	int fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1) {
		for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros) {
			size_t left = (size_t)(st.st_size - at);
			if (file_write_all(fd, zeros, left < sizeof zeros ? left : sizeof zeros) < 0)
				break;
		}
		fsync(fd);
	}
	close(fd);
}

/* Under another name first: ended between the two, nobody takes zeros for what it was. */
static int put_away(int dirfd, const char *name, char *gone, size_t size, struct err *e)
{
	snprintf(gone, size, "%s.gone", name);
	int r = file_move(dirfd, name, dirfd, gone, NULL);
	if (r == ERR_NOTFOUND)
		return 0;
	if (r < 0)
		return fail(e, ERR_IO, "removing", (struct place){ dirfd, name });
	file_fault();
	scrub_file(dirfd, gone);
	return 1;
}

int file_remove(int dirfd, const char *name, bool scrub, struct err *e)
{
	char gone[FILE_TMP_MAX];
	int r = scrub ? put_away(dirfd, name, gone, sizeof gone, e) : 1;

	if (r <= 0)
		return r;
	file_fault();
	if (unlinkat(dirfd, scrub ? gone : name, 0) < 0)
		return errno == ENOENT ? 0 : fail(e, ERR_IO, "removing", (struct place){ dirfd, name });
	if (sync_folder(dirfd, name) < 0)
		return fail(e, ERR_IO, "syncing the folder of", (struct place){ dirfd, name });
	return 0;
}

bool file_is_there(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool file_is_tmp(const char *name)
{
	const char *at = NULL;

	for (const char *p = name; (p = strstr(p, ".tmp-")) != NULL; p++)
		at = p + strlen(".tmp-");
	if (!at)
		return false;
	size_t pid = strspn(at, "0123456789");
	if (pid == 0 || at[pid] != '-')
		return false;
	at += pid + 1;
	return strspn(at, "0123456789abcdef") == 16 && at[16] == '\0';
}

/* Whatever mkdir said (a read-only file system, no permission above): a folder that is there is enough. */
static bool is_dir(const char *path)
{
	int saved = errno;
	struct stat st;
	bool yes = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	errno = saved;
	return yes;
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof part)
		return err_set(e, ERR_IO, "creating folder '%s': %s", path,
		    n ? "the path is too long" : "no path");
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		file_fault();
		if (mkdir(part, mode) < 0 && !is_dir(part))
			return err_sys(e, ERR_IO, "creating folder %s", part);
		part[i] = path[i];
	}
	return 0;
}
