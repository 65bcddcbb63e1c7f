#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codeql/ahead.h"

/* Seen by both processes. */
struct board {
	atomic_size_t at;	/* where the walk is */
	atomic_size_t low;	/* all from here on are known */
	struct stat list[];	/* st_mode 0: it could not be had */
};

struct ahead {
	struct board *board;
	size_t size;
	pid_t child;
};

static void go_back(struct board *b, int top, const struct gitindex *ix)
{
	char path[GITINDEX_PATH_MAX + 1];

	for (size_t i = ix->n; i-- > 0 && i >= atomic_load(&b->at);) {
		const struct gitindex_entry *e = &ix->list[i];

		if (e->len >= sizeof(path))
			break;
		memcpy(path, e->path, e->len);
		path[e->len] = '\0';
		if (fstatat(top, path, &b->list[i], AT_SYMLINK_NOFOLLOW) < 0)
			b->list[i].st_mode = 0;
		atomic_store(&b->low, i);
	}
}

struct ahead *ahead_begin(int top, const struct gitindex *ix)
{
	struct ahead *a = malloc(sizeof(*a));
	pid_t parent = getpid();

	if (a == NULL)
		return NULL;
	a->size = sizeof(*a->board) + ix->n * sizeof(a->board->list[0]);
	a->board =
	    mmap(NULL, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->board == MAP_FAILED) {
		free(a);
		return NULL;
	}
	atomic_init(&a->board->at, 0);
	atomic_init(&a->board->low, ix->n);
	a->child = fork();
	if (a->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			go_back(a->board, top, ix);
		_exit(0);
	}
	if (a->child > 0)
		return a;
	munmap(a->board, a->size);
	free(a);
	return NULL;
}

bool ahead_stat(struct ahead *a, size_t i, struct stat *st)
{
	atomic_store(&a->board->at, i);
	if (i < atomic_load(&a->board->low) || a->board->list[i].st_mode == 0)
		return false;
	*st = a->board->list[i];
	return true;
}

void ahead_end(struct ahead *a)
{
	if (a == NULL)
		return;
	kill(a->child, SIGKILL);
	while (waitpid(a->child, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(a->board, a->size);
	free(a);
}
