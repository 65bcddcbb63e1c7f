#include <stddef.h>

#include "p2p/standing.h"

struct standing *standing_find(struct standing *list, const struct peerid *id)
{
	for (size_t i = 0; i < STANDINGS_MAX; i++)
		if (peerid_same(&list[i].id, id))
			return &list[i];
	return NULL;
}

static bool is_before(const struct standing *a, const struct standing *b)
{
	return a->member != b->member ? !a->member : a->gone < b->gone;
}

struct standing *standing_enter(struct standing *list, const struct peerid *id)
{
	struct standing *s = standing_find(list, id), *oldest = NULL;

	for (size_t i = 0; s == NULL && i < STANDINGS_MAX; i++)
		if (list[i].users == 0 && (oldest == NULL || is_before(&list[i], oldest)))
			oldest = &list[i];
	if (oldest != NULL) {
		s = oldest;
		*s = (struct standing){ .id = *id };
	}
	if (s != NULL)
		s->users++;
	return s;
}

void standing_leave(struct standing *s, int64_t now)
{
	s->users--;
	s->gone = now;
}
