#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "cache/inside.h"
#include "github/route.h"
#include "store/epochs.h"

/* "/repos/o/r/issues/5/labels" → "/repos/o/r/issues": the collection holds the item, its pages and everything
 * below it. */
static struct span collection(struct span path, struct span repo)
{
	struct span rest = span_sub(path, repo.n, path.n);
	ptrdiff_t end = rest.n > 1 ? span_chr(span_sub(rest, 1, rest.n), '/') : -1;

	return end < 0 ? path : span_sub(path, 0, repo.n + 1 + (size_t)end);
}

static size_t repo_prefixes(struct span path, struct span repo, struct span out[8], char alias[512],
    char lists[3][300])
{
	struct span item = collection(path, repo), owner = span_sub(repo, 7, repo.n);
	struct span tail = span_sub(item, repo.n, item.n);
	ptrdiff_t slash = span_chr(owner, '/');
	size_t n = 0;

	out[n++] = item;
	/* A repository has two names, and which number belongs to which is not known here: every one's
	 * collection of that name is asked again under the other. */
	snprintf(alias, 512, "%s%.*s", span_starts(repo, "/repos/") ? "/repositories/*" : "/repos/*/*",
	    (int)tail.n, tail.p);
	out[n++] = span_of(alias);
	if (tail.n > 0 || !span_starts(repo, "/repos/") || slash < 0)
		return n;
	snprintf(lists[0], 300, "/users/%.*s/repos", (int)slash, owner.p);
	snprintf(lists[1], 300, "/orgs/%.*s/repos", (int)slash, owner.p);
	snprintf(lists[2], 300, "/user/repos");
	for (size_t i = 0; i < 3; i++)
		out[n++] = span_of(lists[i]);
	return n;
}

/* Outside a repository: the item and the list above it. */
static size_t other_prefixes(struct span path, struct span out[8])
{
	size_t end = path.n;

	while (end > 1 && path.p[end - 1] != '/')
		end--;
	out[0] = path;
	if (end <= 2)
		return 1;
	out[1] = span_sub(path, 0, end - 1);
	return 2;
}

void cache_note_write(struct cache *c, struct span target)
{
	struct span path = span_before(target, '?'), repo = route_repo_prefix(path), prefixes[8];
	char alias[512], lists[3][300];
	struct err err;
	size_t n;

	err_init(&err);
	n = repo.n > 0 ? repo_prefixes(path, repo, prefixes, alias, lists) : other_prefixes(path, prefixes);
	c->epochs_pass = 0;
	if (epochs_add(c->p.epochs, span_of("*"), prefixes, n, clock_wall(), &err) != 0)
		log_warn("stored answers below %.*s may be served although it was written to: %s",
		    (int)path.n, path.p, err.msg);
}
