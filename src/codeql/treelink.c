#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codeql/treelink.h"

#define LINKS_MAX 40		/* the kernel's own limit, path_resolution(7) */

struct way {
	char at[PATH_MAX];	/* where we are, without a '/' at the end; "" is top */
	size_t n;
	char rest[PATH_MAX];	/* what is still to go, at its end so that it can grow in front */
	size_t from;
	treelink_stop *stop;
	void *arg;
};

static bool put_in_front(struct way *w, const char *p, size_t n)
{
	if (n + 1 > w->from)
		return false;
	w->rest[--w->from] = '/';
	w->from -= n;
	memcpy(w->rest + w->from, p, n);
	return true;
}

static void step_back(struct way *w)
{
	while (w->n > 0 && w->at[--w->n] != '/')
		;
	w->at[w->n] = '\0';
}

static bool step_into(struct way *w, struct span part)
{
	size_t need = part.n + (w->n > 0);

	if (w->n + need >= sizeof(w->at))
		return false;
	if (w->n > 0)
		w->at[w->n++] = '/';
	memcpy(w->at + w->n, part.p, part.n);
	w->n += part.n;
	w->at[w->n] = '\0';
	return true;
}

/* One component. 1: it leaves; 0: it stays so far; -1: it runs in a circle. */
static int go(struct way *w, int top, struct span part, int *links)
{
	char to[PATH_MAX];

	if (part.n == 0 || span_eq(part, "."))
		return 0;
	if (span_eq(part, "..")) {
		if (w->n == 0)
			return 1;
		step_back(w);
		return 0;
	}
	if (span_eq(part, ".git") || !step_into(w, part) || w->stop(w->arg, span_make(w->at, w->n)))
		return 1;
	ssize_t n = readlinkat(top, w->at, to, sizeof(to));
	if (n < 0)
		return 0;
	if (++*links > LINKS_MAX)
		return -1;
	if (n == 0 || to[0] == '/' || (size_t)n == sizeof(to))
		return 1;
	step_back(w);
	return !put_in_front(w, to, (size_t)n);
}

bool treelink_leaves(int top, struct span folder, struct span target, treelink_stop *stop, void *arg)
{
	struct way w = { .from = sizeof(w.rest), .stop = stop, .arg = arg };
	int links = 0, rc = 0;

	if (folder.n > 0)
		folder.n--;
	if (target.n == 0 || target.p[0] == '/' || folder.n >= sizeof(w.at) ||
	    !put_in_front(&w, target.p, target.n))
		return true;
	memcpy(w.at, folder.p, folder.n);
	w.n = folder.n;
	w.at[w.n] = '\0';
	while (rc == 0 && w.from < sizeof(w.rest)) {
		struct span rest = span_make(w.rest + w.from, sizeof(w.rest) - w.from), part;
		char name[NAME_MAX + 1];

		span_cut(&rest, '/', &part);
		w.from += part.n + 1;
		if (!span_copy(name, sizeof(name), part))
			return true;
		rc = go(&w, top, span_of(name), &links);
	}
	return rc == 1;
}
