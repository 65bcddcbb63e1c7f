#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/serve_sockets.h"
#include "http/url.h"
#include "net/listen.h"

/* The socket that a service manager made (sd_listen_fds(3)); -1: none. Children must not take it for theirs.
 */
static int given(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	bool ours = pid != NULL && n != NULL && strtol(pid, NULL, 10) == getpid() && strtol(n, NULL, 10) > 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	return ours ? 3 : -1;
}

static int open_tcp(struct serve_sockets *s, const char *text, bool any, struct err *err)
{
	struct span colon = span_of(strrchr(text, ':') != NULL ? strrchr(text, ':') + 1 : "");
	struct url url;
	struct addr addr;
	const char *why;
	char full[300];
	uint64_t port = 0;
	uint16_t taken;

	/* a port of 0, which no URL may have, takes a free one */
	snprintf(full, sizeof(full), "http://%.*s:1/",
	    strrchr(text, ':') != NULL ? (int)(strrchr(text, ':') - text) : 0, text);
	if (!span_u64(colon, 65535, &port) || url_parse(span_of(full), &url, &why) != 0 ||
	    !addr_parse(&addr, url.host, (uint16_t)port))
		return err_set(err, ERR_USAGE,
		    "--listen takes an address and a port like " SERVE_LISTEN ", or none, not '%s'", text);
	if (!addr_is_loopback(&addr) && !any)
		return err_set(err, ERR_USAGE,
		    "--listen %s is not a loopback address: plain HTTP would carry tokens over the network; "
		    "--listen-any allows it",
		    text);
	s->fds[1] = listen_open_tcp(&addr, &taken, err);
	if (s->fds[1] < 0 || !addr_parse(&addr, url.host, taken))
		return err->cls;
	addr_text(&addr, s->tcp);
	return 0;
}

int serve_sockets(struct serve_sockets *s, const char *path, const char *listen, bool any, struct err *err)
{
	const char *tcp = listen != NULL ? listen : SERVE_LISTEN;
	int fd = given(), rc = 0;

	s->managed = fd >= 0;
	s->fds[0] = s->managed ? listen_given(fd, path, err) : listen_open_unix(path, err);
	if (s->fds[0] < 0)
		return s->fds[0];
	if (strcmp(tcp, "none") != 0)
		rc = open_tcp(s, tcp, any, err);
	if (rc != 0 && !s->managed)
		unlink(path);
	return rc;
}

void serve_sockets_room(int clients)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= FD_SETSIZE)
		return;
	r.rlim_cur = r.rlim_max < FD_SETSIZE ? r.rlim_max : FD_SETSIZE;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur < FD_SETSIZE)
		log_warn("no more than %llu open files are allowed (ulimit -n): fewer than %d clients can be "
			 "served at once",
		    (unsigned long long)r.rlim_cur, clients);
}
