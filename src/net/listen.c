#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/listen.h"

#define BACKLOG 512
#define LOCK_TRIES 200
#define LOCK_WAIT_US 10000
#define PAUSE_MS 100		/* without descriptors, the waiting connections are left alone so long */

struct listener {
	struct io io;
	struct listener *next;
	struct loop *loop;
	struct timer again;		/* set: paused */
	bool told;			/* that descriptors are lacking; once an episode */
	listen_fn *fn;
	void *arg;
	char *path;			/* of a unix socket */
	dev_t dev;			/* the file as it was bound: another one is not ours to remove */
	ino_t ino;
};

static struct listener *of(struct io *io)
{
	return (struct listener *)(void *)((char *)io - offsetof(struct listener, io));
}

static unsigned want(struct io *io)
{
	return of(io)->again.due == 0 ? LOOP_READ : 0;
}

static uid_t peer_of(int fd)
{
	struct ucred c = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) != 0)
		return (uid_t)-1;
	return c.uid;
}

static void on_again(struct timer *t)
{
	(void)t;			/* it is not set any more: want() asks again */
}

/* The connection that cannot be taken stays ready: asking at once again would be all we do. */
static void cannot_accept(struct listener *l, int code)
{
	if (code == EINTR || code == ECONNABORTED)
		return;
	if (code == EAGAIN) {
		l->told = false;
		return;
	}
	if (!l->told)
		log_warn("accepting a connection: %s; clients wait until there is room", strerror(code));
	l->told = true;
	timer_set(l->loop, &l->again, loop_now(l->loop) + PAUSE_MS);
}

static void ready(struct io *io, unsigned got)
{
	struct listener *l = of(io);
	int one = 1;

	(void)got;
	for (unsigned i = 0; i < LISTEN_PER_PASS && !io->dead; i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			cannot_accept(l, errno);
			return;
		}
		if (l->path == NULL)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		l->fn(l->arg, fd, l->path != NULL, l->path != NULL ? peer_of(fd) : (uid_t)-1);
	}
}

static void reap(struct io *io)
{
	struct listener *l = of(io);
	struct stat st;

	timer_clear(l->loop, &l->again);
	close(io->fd);
	if (l->path != NULL && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	free(l->path);
	free(l);
}

int listen_take(struct loop *loop, int fd, const char *path, listen_fn *fn, void *arg, struct listener **list,
    struct err *err)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct stat st;

	if (l == NULL || (path != NULL && (l->path = str_dup(path)) == NULL)) {
		err_set(err, ERR_INTERNAL, "no memory to listen");
		goto fail;
	}
	if (path != NULL && lstat(path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	l->io = (struct io){ .fd = fd, .want = want, .ready = ready, .reap = reap };
	l->again.fire = on_again;
	l->loop = loop;
	l->fn = fn;
	l->arg = arg;
	if (loop_add(loop, &l->io, err) != 0)
		goto fail;
	l->next = *list;
	*list = l;
	return 0;
fail:
	close(fd);
	if (l != NULL)
		free(l->path);
	free(l);
	return err->cls;
}

static bool unix_addr(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	return span_copy(a->sun_path, sizeof(a->sun_path), span_of(path));
}

bool listen_alive(const char *path)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && unix_addr(&a, path) && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	if (fd >= 0)
		close(fd);
	return alive;
}

/* Between the look whether somebody answers and our own bind() another daemon must not do the same: both
 * would run, one of them without a file. The lock's own file may be removed by who held it before: then
 * again. A stranger who holds it (the socket may lie in a folder for everybody) is not waited for without
 * end. */
static int lock_beside(const char *path, char *lock, size_t size, struct err *err)
{
	snprintf(lock, size, "%s.lock", path);
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		int fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat held, there;

		if (fd < 0)
			return err_sys(err, ERR_IO, "making the lock %s", lock);
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			if (fstat(fd, &held) == 0 && lstat(lock, &there) == 0 &&
			    held.st_ino == there.st_ino && held.st_dev == there.st_dev)
				return fd;
		} else {
			usleep(LOCK_WAIT_US);
		}
		close(fd);
	}
	return err_set(err, ERR_DENIED, "another process holds %s, as a daemon does while it starts", lock);
}

static bool is_ours(uid_t uid)
{
	return uid == geteuid() || uid == 0;
}

/* Who can rename in the socket's folder can put a socket in its place, and get what is sent to us. */
static int check_folder(const char *path, struct err *err)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	struct stat st;

	snprintf(folder, sizeof(folder), "%.*s", slash == NULL || slash == path ? 1 : (int)(slash - path),
	    slash == NULL ? "." : path);
	if (stat(folder, &st) != 0)
		return err_sys(err, ERR_IO, "looking at the folder of the socket %s", path);
	if (!is_ours(st.st_uid))
		return err_set(err, ERR_DENIED,
		    "the socket %s lies in a folder of another user (uid %u), who could put another in its "
		    "place; give --socket a folder of your own",
		    path, (unsigned)st.st_uid);
	if ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0)
		return err_set(err, ERR_DENIED,
		    "the socket %s lies in a folder that others can write to, who could put another in its "
		    "place; give --socket a folder of your own",
		    path);
	return 0;
}

/* The path is free for us, once a dead socket of ours is gone. */
static int check_place(const char *path, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_DENIED, "%s is there and is no socket", path);
	if (!is_ours(st.st_uid))
		return err_set(err, ERR_DENIED,
		    "%s is a socket of another user (uid %u); give --socket another path", path,
		    (unsigned)st.st_uid);
	if (listen_alive(path))
		return err_set(err, ERR_DENIED, "a daemon is already running on %s; 'ghoard stop' ends it",
		    path);
	return 0;
}

static int bind_unix(const char *path, const struct sockaddr_un *a, struct err *err)
{
	mode_t mask;
	int fd, rc = check_place(path, err);

	if (rc != 0)
		return rc;
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, ERR_IO, "making the socket %s", path);
	mask = umask(077);
	rc = bind(fd, (const struct sockaddr *)a, sizeof(*a));
	umask(mask);
	if (rc != 0 || chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0) {
		err_sys(err, ERR_IO, "listening on %s", path);
		close(fd);
		return err->cls;
	}
	return fd;
}

int listen_open_unix(const char *path, struct err *err)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	struct sockaddr_un a;
	int lock, fd;

	if (!unix_addr(&a, path))
		return err_set(err, ERR_CONFIG,
		    "the socket path %s is longer than %zu bytes; give --socket a shorter one", path,
		    sizeof(a.sun_path) - 1);
	if (check_folder(path, err) != 0)
		return err->cls;
	lock = lock_beside(path, name, sizeof(name), err);
	if (lock < 0)
		return lock;
	fd = bind_unix(path, &a, err);
	unlink(name);
	close(lock);
	return fd;
}

int listen_given(int fd, const char *path, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };
	socklen_t alen = sizeof(a), n = sizeof(int);
	int listens = 0;

	if (getsockname(fd, (struct sockaddr *)&a, &alen) != 0 || a.sun_family != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) != 0 || !listens)
		return err_set(err, ERR_CONFIG, "descriptor %d is not a listening unix socket; the service "
						"manager's unit wants ListenStream=%s",
		    fd, path);
	a.sun_path[sizeof(a.sun_path) - 1] = '\0';
	if (strcmp(a.sun_path, path) != 0)
		return err_set(err, ERR_CONFIG,
		    "the service manager listens on %.100s, clients look for %s; give --socket the first",
		    a.sun_path, path);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return err_sys(err, ERR_IO, "taking over the socket %s", path);
	return fd;
}

int listen_unix(struct loop *loop, const char *path, listen_fn *fn, void *arg, struct listener **list,
    struct err *err)
{
	int fd = listen_open_unix(path, err);

	return fd < 0 ? fd : listen_take(loop, fd, path, fn, arg, list, err);
}

int listen_open_tcp(const struct addr *addr, uint16_t *port, struct err *err)
{
	struct addr got = { .len = sizeof(got.ss) };
	char text[ADDR_TEXT_LEN];
	int one = 1, fd = socket(addr->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	addr_text(addr, text);
	if (fd < 0)
		return err_sys(err, ERR_IO, "making a socket for %s", text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&addr->ss, addr->len) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&got.ss, &got.len) != 0) {
		err_sys(err, ERR_IO, "listening on %s", text);
		close(fd);
		return err->cls;
	}
	*port = addr_port(&got);
	return fd;
}

int listen_tcp(struct loop *loop, const struct addr *addr, uint16_t *port, listen_fn *fn, void *arg,
    struct listener **list, struct err *err)
{
	int fd = listen_open_tcp(addr, port, err);

	return fd < 0 ? fd : listen_take(loop, fd, NULL, fn, arg, list, err);
}

void listen_close(struct listener **list)
{
	for (struct listener *l = *list; l != NULL; l = l->next)
		l->io.dead = true;
	*list = NULL;
}

void listen_say(int fd, struct span text)
{
	ssize_t n = send(fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);

	(void)n;
	shutdown(fd, SHUT_WR);
	close(fd);
}
