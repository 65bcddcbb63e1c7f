#include <stdlib.h>
#include <string.h>

#include "github/identity.h"
#include "proxy/who.h"

struct who_ref {
	struct who_ref *next;
	unsigned users;
	struct identity id;
};

struct who {
	struct who_ref *list;		/* most recently used first */
	size_t n;
};

struct who *who_new(void)
{
	return calloc(1, sizeof(struct who));
}

static void destroy(struct who *w, struct who_ref **at)
{
	struct who_ref *r = *at;

	*at = r->next;
	w->n--;
	identity_wipe(&r->id);
	free(r);
}

void who_free(struct who *w)
{
	if (w == NULL)
		return;
	while (w->list != NULL)
		destroy(w, &w->list);
	free(w);
}

/* Drop the least recently used that nobody holds, until the table is small again. */
static void shrink(struct who *w)
{
	struct who_ref **victim;

	while (w->n > WHO_MAX) {
		victim = NULL;
		for (struct who_ref **at = &w->list; *at != NULL; at = &(*at)->next)
			if ((*at)->users == 0)
				victim = at;
		if (victim == NULL)
			return;
		destroy(w, victim);
	}
}

static struct who_ref *find(struct who *w, struct span authorization)
{
	for (struct who_ref **at = &w->list; *at != NULL; at = &(*at)->next) {
		struct who_ref *r = *at;

		if (r->id.authorization.len != authorization.n ||
		    !mem_same_ct(r->id.authorization.bytes, authorization.p, authorization.n))
			continue;
		*at = r->next;
		r->next = w->list;
		w->list = r;
		return r;
	}
	return NULL;
}

struct who_ref *who_get(struct who *w, struct span authorization)
{
	struct who_ref *r = find(w, authorization);

	if (r == NULL) {
		r = calloc(1, sizeof(*r));
		if (r == NULL || !identity_init(&r->id, authorization)) {
			free(r);
			return NULL;
		}
		r->next = w->list;
		w->list = r;
		w->n++;
	}
	r->users++;
	shrink(w);
	return r;
}

const struct identity *who_identity(const struct who_ref *r)
{
	return &r->id;
}

void who_release(struct who_ref *r)
{
	if (r != NULL)
		r->users--;
}
