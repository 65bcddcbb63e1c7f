#include <stdlib.h>

#include "cache/layer.h"
#include "cache/mem.h"
#include "github/identity.h"
#include "github/request.h"
#include "store/entry.h"

struct layer_mem {
	struct cache_layer layer;
	struct mem *mem;
};

static struct mem *mem_of(struct cache_layer *l)
{
	return ((struct layer_mem *)(void *)l)->mem;
}

static enum layer_result lookup(struct cache_layer *l, struct lookup *lk)
{
	struct entry *e = mem_get(mem_of(l), buf_span(&lk->req->key), span_of(lk->req->id->tag));

	if (e != NULL)
		lookup_set_own(lk, entry_ref(e), "memory");
	return LAYER_NEXT;
}

static bool store(struct cache_layer *l, struct entry *e)
{
	mem_put(mem_of(l), e);
	return true;
}

struct cache_layer *layer_mem_new(struct mem *m)
{
	struct layer_mem *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->layer = (struct cache_layer){ .name = "memory", .lookup = lookup, .store = store };
	l->mem = m;
	return &l->layer;
}

void layer_free(struct cache_layer *l)
{
	free(l);	/* every adapter begins with its struct cache_layer and owns nothing else */
}
