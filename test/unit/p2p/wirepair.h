/*
 * Two sessions on one loop, and between them a wire that passes on `step` bytes a pass each way and may be
 * cut after so many bytes.
 */
#ifndef UNIT_P2P_WIREPAIR_H
#define UNIT_P2P_WIREPAIR_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "p2p/noise.h"
#include "p2p/session.h"

struct wire {
	int end[2];			/* the sessions' other ends */
	struct buf way[2];		/* read and not yet passed on */
	size_t step, passed[2];
	size_t cut_at;			/* of way 0: both are closed there; 0: never */
	bool stopped;			/* nothing passes */
};

static inline void wire_close(struct wire *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->end[i] >= 0)
			close(w->end[i]);
		w->end[i] = -1;
		buf_free(&w->way[i]);
	}
}

static inline void wire_init(struct wire *w, int fds[2])
{
	memset(w, 0, sizeof(*w));
	w->step = (size_t)1 << 16;
	for (int i = 0; i < 2; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
		fds[i] = pair[0];
		w->end[i] = pair[1];
		buf_init(&w->way[i], BUF_MAX_ANY);
	}
}

static inline void wire_one(struct wire *w, int from)
{
	struct buf *b = &w->way[from];
	size_t n = w->step;
	ssize_t k;

	if (buf_len(b) < n) {
		uint8_t *p = buf_reserve(b, n);

		k = read(w->end[from], p, n);
		buf_commit(b, k > 0 ? (size_t)k : 0);
		if (k == 0)
			shutdown(w->end[1 - from], SHUT_WR);
	}
	n = buf_len(b) < n ? buf_len(b) : n;
	if (from == 0 && w->cut_at > 0 && w->passed[0] + n > w->cut_at - 1)
		n = w->cut_at - 1 - w->passed[0];
	k = n > 0 ? send(w->end[1 - from], buf_data(b), n, MSG_NOSIGNAL) : 0;
	if (k > 0) {
		buf_consume(b, (size_t)k);
		w->passed[from] += (size_t)k;
	}
}

static inline void wire_pass(struct wire *w)
{
	if (w->stopped || w->end[0] < 0)
		return;
	wire_one(w, 0);
	wire_one(w, 1);
	if (w->cut_at > 0 && w->passed[0] == w->cut_at - 1)
		wire_close(w);
}

struct pass_job {
	struct job job;
	bool done;
};

static inline void pass_end(struct job *j)
{
	((struct pass_job *)(void *)j)->done = true;
}

/* One pass of the loop. */
static inline void pass_one(struct loop *l)
{
	struct pass_job j = { .job.run = pass_end };

	job_queue(l, &j.job);
	assert_int_equal(loop_run(l, &j.done, NULL), 0);
	job_cancel(l, &j.job);
}

static inline void identity(struct noise_identity *id, uint8_t seed)
{
	uint8_t s[ED25519_SEED_LEN];
	struct ed25519_key key;

	memset(s, seed, sizeof(s));
	ed25519_keygen(&key, s);
	assert_int_equal(noise_identity_init(id, &key, NULL, NULL), 0);
}

#endif
