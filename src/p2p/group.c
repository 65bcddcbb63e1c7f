#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/wipe.h"
#include "crypto/hmac.h"
#include "loop/loop.h"
#include "p2p/group.h"

struct group_job {
	struct io io;
	pid_t child;
	uint8_t key[WIRE_GROUP_KEY_LEN];
	size_t got;
	void (*done)(void *arg, const uint8_t *key, const struct err *err);
	void *arg;
};

static struct group_job *of(struct io *io)
{
	return (struct group_job *)(void *)((char *)io - offsetof(struct group_job, io));
}

/* ---- the choice ---- */

enum group_choice group_choose(struct span shared, struct span gh_token, struct span github_token,
    bool token_based, struct span *secret, const char **why)
{
	struct span token = gh_token.n > 0 ? gh_token : github_token;

	*secret = span_of("");
	*why = "";
	if (shared.n > 0) {
		*secret = shared;
		if (shared.n < GROUP_SECRET_MIN) {
			*why = "CACHE_P2P_SHARED_SECRET has fewer than 32 characters, which can be guessed: "
			       "P2P stays "
			       "off; 'openssl rand -hex 32' makes a good one";
			return GROUP_WEAK;
		}
	} else if (token_based && token.n > 0) {
		*secret = token;
	} else {
		return GROUP_NONE;
	}
	if (!span_starts(*secret, "ghs_"))
		return GROUP_SECRET;
	*why = "the token lives for one job (ghs_), so it can make no group of peers: P2P stays off; set "
	    "CACHE_P2P_SHARED_SECRET to a secret that the runners share";
	return GROUP_JOB_TOKEN;
}

/* ---- the key ---- */

/* PBKDF2 (RFC 8018 §5.2) of one block: WIRE_GROUP_KEY_LEN is the hash's length. */
void group_derive(uint8_t key[static WIRE_GROUP_KEY_LEN], struct span secret)
{
	static const uint8_t first[] = GROUP_SALT "\0\0\0\1";
	struct hmac keyed, h;
	uint8_t u[HMAC_LEN];

	hmac_init(&keyed, secret.p, secret.n);
	h = keyed;
	hmac_add(&h, first, sizeof(first) - 1);
	hmac_out(&h, u);
	memcpy(key, u, sizeof(u));
	for (int i = 1; i < GROUP_ROUNDS; i++) {
		h = keyed;
		hmac_add(&h, u, sizeof(u));
		hmac_out(&h, u);
		for (size_t k = 0; k < sizeof(u); k++)
			key[k] ^= u[k];
	}
	wipe(u, sizeof(u));
	wipe(&keyed, sizeof(keyed));
}

static unsigned want(struct io *io)
{
	(void)io;
	return LOOP_READ;
}

static void ready(struct io *io, unsigned got)
{
	struct group_job *j = of(io);
	ssize_t n = read(io->fd, j->key + j->got, sizeof(j->key) - j->got);
	struct err err;

	(void)got;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && (j->got += (size_t)n) < sizeof(j->key))
		return;
	io->dead = true;
	err_init(&err);
	if (n <= 0)
		err_set(&err, ERR_IO, "deriving the group key: the helper process ended early");
	j->done(j->arg, n > 0 ? j->key : NULL, &err);
}

static void reap(struct io *io)
{
	struct group_job *j = of(io);

	close(io->fd);
	if (j->child > 0) {
		kill(j->child, SIGKILL);
		while (waitpid(j->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	wipe(j, sizeof(*j));
	free(j);
}

static void __attribute__((noreturn)) child_main(int fd, struct span secret)
{
	uint8_t key[WIRE_GROUP_KEY_LEN];

	for (int other = 3; other < FD_SETSIZE; other++)
		if (other != fd)
			close(other);
	group_derive(key, secret);
	file_write_all(fd, key, sizeof(key));
	wipe(key, sizeof(key));
	_exit(0);
}

int group_derive_start(struct loop *loop, struct span secret,
    void (*done)(void *arg, const uint8_t *key, const struct err *err), void *arg, struct group_job **out,
    struct err *err)
{
	struct group_job *j = calloc(1, sizeof(*j));
	int pair[2];

	if (j == NULL)
		return err_set(err, ERR_INTERNAL, "no memory to derive the group key");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		free(j);
		return err_sys(err, ERR_IO, "deriving the group key");
	}
	j->io = (struct io){ .fd = pair[0], .want = want, .ready = ready, .reap = reap };
	j->done = done;
	j->arg = arg;
	if (loop_add(loop, &j->io, err) != 0) {
		close(pair[0]);
		close(pair[1]);
		free(j);
		return err->cls;
	}
	j->child = fork();
	if (j->child == 0)
		child_main(pair[1], secret);
	close(pair[1]);		/* where there is no child, this is the end that ready() sees */
	*out = j;
	return 0;
}

void group_derive_cancel(struct group_job *j)
{
	if (j != NULL)
		j->io.dead = true;
}
