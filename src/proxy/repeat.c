#include <stdlib.h>
#include <string.h>

#include "cache/pin.h"
#include "proxy/recent.h"
#include "proxy/repeat.h"

struct repeat {
	struct cache_pin pin;
	struct recent_request seen;
	bool with_body;
	char text[];			/* what `seen` points into: target, tag */
};

struct repeat *repeat_new(struct lookup *lk, const struct recent_request *seen, bool with_body)
{
	struct span path = span_sub(span_before(seen->target, '?'), 0, RECENT_PATH_MAX),
		    tag = span_of(seen->tag);
	struct repeat *r = malloc(sizeof(*r) + path.n + tag.n + 1);

	if (r == NULL || !cache_pin(lk, &r->pin)) {
		free(r);
		return NULL;
	}
	r->with_body = with_body;
	r->seen = *seen;
	r->seen.outcome = &r->pin.outcome;
	memcpy(r->text, path.p, path.n);
	memcpy(r->text + path.n, tag.p, tag.n);
	r->text[path.n + tag.n] = '\0';
	r->seen.method = span_of("GET");
	r->seen.target = span_make(r->text, path.n);
	r->seen.tag = r->text + path.n;
	return r;
}

void repeat_free(struct repeat *r)
{
	if (r == NULL)
		return;
	cache_unpin(&r->pin);
	free(r);
}

bool repeat_again(struct repeat *r, struct cache *c, struct recent *recent, int64_t now, struct span *body)
{
	struct recent_request q = r->seen;

	if (!cache_again(c, &r->pin, body))
		return false;
	if (!r->with_body)
		*body = span_make("", 0);
	q.begun = now;
	recent_add(recent, &q, now);
	return true;
}
