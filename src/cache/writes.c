#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "cache/inside.h"
#include "cache/layer.h"
#include "github/route.h"
#include "store/epochs.h"

/* Written to below these, other things of the repository change: commits, branches, tags, the repository's
 * own answer. */
static bool reaches_further(struct span rest)
{
	static const char *const names[] = { "branches", "contents", "git", "merge-upstream", "merges",
		"pages", "properties", "releases", "topics", "transfer" };
	struct span name;

	if (span_ends(rest, "/merge") || span_ends(rest, "/update-branch"))
		return true;
	span_cut(&rest, '/', &name);		/* what stands before the first slash: nothing */
	if (!span_cut(&rest, '/', &name))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(name, names[i]))
			return true;
	return false;
}

/* "/repos/o/r/issues/5/labels" → "/repos/o/r/issues": the collection holds the item, its pages and everything
 * below it. */
static struct span collection(struct span path, struct span repo)
{
	struct span rest = span_sub(path, repo.n, path.n);

	if (reaches_further(rest))
		return repo;
	ptrdiff_t end = rest.n > 1 ? span_chr(span_sub(rest, 1, rest.n), '/') : -1;

	return end < 0 ? path : span_sub(path, 0, repo.n + 1 + (size_t)end);
}

struct span cache_alias(struct span prefix, char *out, size_t size)
{
	struct span repo = route_repo_prefix(prefix), tail = span_sub(prefix, repo.n, prefix.n);
	const char *front = span_starts(repo, "/repos/") ? "/repositories/*" : "/repos/*/*";

	/* a shorter one reaches further */
	if (repo.n == 0 || snprintf(out, size, "%s%.*s", front, (int)tail.n, tail.p) >= (int)size)
		return span_of(repo.n == 0 ? "" : front);
	return span_of(out);
}

static size_t repo_prefixes(struct span path, struct span repo, struct span out[8], char alias[512],
    char lists[3][300])
{
	struct span item = collection(path, repo), owner = span_sub(repo, 7, repo.n);
	struct span tail = span_sub(item, repo.n, item.n);
	ptrdiff_t slash = span_chr(owner, '/');
	size_t n = 0;

	out[n++] = item;
	out[n++] = cache_alias(item, alias, 512);
	if (tail.n > 0 || !span_starts(repo, "/repos/") || slash < 0)
		return n;
	snprintf(lists[0], 300, "/users/%.*s/repos", (int)slash, owner.p);
	snprintf(lists[1], 300, "/orgs/%.*s/repos", (int)slash, owner.p);
	snprintf(lists[2], 300, "/user/repos");
	for (size_t i = 0; i < 3; i++)
		out[n++] = span_of(lists[i]);
	return n;
}

/* Outside a repository: the list above it, down to the first two segments, and so the item.
 * "/user/starred/o/r" → "/user/starred", "/gists/5" → "/gists". */
static size_t other_prefixes(struct span path, struct span out[8])
{
	size_t end = path.n, slashes = 0;

	for (size_t i = 1; i < path.n && slashes < 2; i++)
		if (path.p[i] == '/' && (++slashes == 2 || span_chr(span_sub(path, i + 1, path.n), '/') < 0))
			end = i;
	out[0] = span_sub(path, 0, end);
	return 1;
}

void cache_note_write(struct cache *c, struct span target)
{
	struct span path = span_before(target, '?'), repo = route_repo_prefix(path), prefixes[8];
	char alias[512], lists[3][300];
	struct err err;
	int64_t now = clock_wall();
	size_t n = 1;

	err_init(&err);
	if (!route_target_ok(path))	/* another spelling of nobody knows which path */
		prefixes[0] = span_of("/");
	else if (repo.n > 0)
		n = repo_prefixes(path, repo, prefixes, alias, lists);
	else
		n = other_prefixes(path, prefixes);
	c->epochs_pass = 0;
	for (size_t i = 0; repo.n > 0 && i < c->p.nlayers; i++)
		if (c->p.layers[i]->wrote != NULL)
			c->p.layers[i]->wrote(c->p.layers[i], prefixes[0].n > 1 ? prefixes[0] : repo, now);
	if (epochs_add(c->p.epochs, span_of("*"), prefixes, n, now, &err) != 0)
		log_warn("stored answers below %.*s may be served although it was written to: %s",
		    (int)path.n, path.p, err.msg);
}
