#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/daemon.h"
#include "config/layers.h"
#include "http/parse.h"
#include "http/url.h"
#include "store/store.h"

#define PID_NAME "ghoard.pid"
#define ASK_TIMEOUT_S 10
#define STATUS_MAX 65536

int daemon_socket(const struct app *a, char *path, size_t size, struct err *err)
{
	const char *set = settings_str(a->settings, "daemon.socket");
	int n;

	if (set != NULL && set[0] != '\0')
		n = snprintf(path, size, "%s", set);
	else if (a->cache_dir != NULL)
		n = snprintf(path, size, "%s/ghoard.sock", a->cache_dir);
	else
		return err_set(err, ERR_CONFIG,
		    "there is no cache folder for the daemon's socket; give --socket");
	return n > 0 && (size_t)n < size
	    ? 0
	    : err_set(err, ERR_CONFIG, "the socket's path is too long; give --socket a shorter one");
}

/* A connected fd, -1. */
static int dial_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = ASK_TIMEOUT_S };
	struct ucred peer;
	socklen_t n = sizeof(peer);
	int fd;

	if (!span_copy(a.sun_path, sizeof(a.sun_path), span_of(path)))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	    (peer.uid == geteuid() || peer.uid == 0))
		return fd;
	close(fd);
	return -1;
}

bool daemon_is_ours(const char *socket)
{
	int fd = dial_socket(socket);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int read_answer(int fd, struct buf *all)
{
	ssize_t n;

	do {
		uint8_t *p = buf_reserve(all, 65536);

		if (p == NULL)
			return -1;
		n = recv(fd, p, 65536, 0);
		if (n > 0)
			buf_commit(all, (size_t)n);
	} while (n > 0);
	return n == 0 ? 0 : -1;
}

int daemon_ask(const char *socket, const char *method, const char *path, struct buf *body, struct err *err)
{
	struct buf all;
	struct http_head head;
	const char *why;
	int fd = dial_socket(socket), rc = 0;
	ssize_t n = -1;

	if (fd < 0)
		return err_set(err, ERR_UNAVAIL, "no daemon answers on %s", socket);
	buf_init(&all, (size_t)9 << 20);
	buf_addf(&all, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
	    method, path);
	if (file_write_all(fd, buf_data(&all), buf_len(&all)) == 0) {
		buf_clear(&all);
		if (read_answer(fd, &all) == 0)
			n = http_parse_response(buf_data(&all), buf_len(&all), &head, &why);
	}
	close(fd);
	if (n < 0)
		rc = err_set(err, ERR_UNAVAIL, "the daemon on %s did not answer", socket);
	else if (head.status == 503)
		rc = err_set(err, ERR_LIMIT, "the daemon on %s has all the connections that it takes",
		    socket);
	else if (head.status != 200)
		rc = err_set(err, ERR_PROTO, "the daemon answered %s with %d", path, head.status);
	else if (body != NULL)
		buf_add(body, buf_data(&all) + n, buf_len(&all) - (size_t)n);
	buf_free(&all);
	return rc;
}

void daemon_upstream(const struct app *a, char *text, size_t size)
{
	snprintf(text, size, "%s%s", a->upstream.origin, a->upstream.base);
}

/* Does what answers here ask whom we would ask? ERR_UNAVAIL: nobody answers. */
static int check_upstream(const struct app *a, struct err *err)
{
	char ours[600];
	const char *theirs;
	struct json *o = NULL;
	struct buf b;
	int rc;

	buf_init(&b, STATUS_MAX);
	rc = daemon_ask(a->daemon, "GET", "/_ghoard/status", &b, err);
	if (rc == 0 && json_parse(buf_span(&b), &o) != 0)
		rc = err_set(err, ERR_PROTO, "the daemon on %s does not say what it is", a->daemon);
	buf_wipe(&b);
	if (rc != 0)
		return rc;
	daemon_upstream(a, ours, sizeof(ours));
	theirs = json_str(json_get(o, "upstream"));
	if (theirs == NULL || strcmp(ours, theirs) != 0)
		rc = err_set(err, ERR_CONFIG, "the daemon on %s asks %s, not %s", a->daemon,
		    theirs != NULL ? theirs : "nobody knows whom", ours);
	json_free(o);
	return rc;
}

void daemon_find(struct app *a)
{
	struct err err;

	err_init(&err);
	if (daemon_socket(a, a->daemon, sizeof(a->daemon), &err) == 0 && check_upstream(a, &err) == 0)
		return;
	a->daemon[0] = '\0';
	if (err.cls == ERR_CONFIG)
		log_info("%s; doing without", err.msg);
	else if (err.cls != ERR_UNAVAIL)
		log_warn("%s; doing without", err.msg);
}

void daemon_forget(const struct app *a)
{
	char socket[256];
	struct err err;

	err_init(&err);
	if (daemon_socket(a, socket, sizeof(socket), &err) != 0 ||
	    daemon_ask(socket, "POST", "/_ghoard/cache/forget", NULL, &err) == 0)
		return;
	if (err.cls != ERR_UNAVAIL || daemon_is_ours(socket))
		log_warn("%s: it may serve from memory what was changed; 'ghoard stop' ends it", err.msg);
}

void daemon_told(const struct app *a, struct span key)
{
	char socket[256];
	struct buf path;
	struct err err;

	err_init(&err);
	buf_init(&path, 1024);
	buf_adds(&path, "/_ghoard/cache/put?key=");
	url_encode(&path, key);
	if (daemon_socket(a, socket, sizeof(socket), &err) == 0 && daemon_is_ours(socket) &&
	    daemon_ask(socket, "POST", buf_cstr(&path), NULL, &err) != 0)
		log_info("%s: it sends this entry to no peer", err.msg);
	buf_free(&path);
}

void daemon_write_pid(const struct app *a)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (a->store != NULL && !store_is_read_only(a->store))
		file_write(store_dirfd(a->store), PID_NAME, 0600, false, text, (size_t)n, NULL);
}

void daemon_remove_pid(const struct app *a)
{
	if (daemon_read_pid(a) == getpid())
		unlinkat(store_dirfd(a->store), PID_NAME, 0);
}

pid_t daemon_read_pid(const struct app *a)
{
	struct buf b;
	struct stat st;
	uint64_t pid = 0;

	buf_init(&b, 64);
	if (a->store != NULL && file_read_at(store_dirfd(a->store), PID_NAME, 64, &b, &st, NULL) == 0 &&
	    !span_u64(span_trim(span_sub(buf_span(&b), 0, buf_len(&b) > 0 ? buf_len(&b) - 1 : 0)), INT32_MAX,
		&pid))
		pid = 0;
	buf_free(&b);
	return (pid_t)pid;
}
