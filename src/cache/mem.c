#include <stdint.h>
#include <stdlib.h>

#include "cache/mem.h"
#include "store/entry.h"

struct node {
	struct node *chain;		/* of its bucket */
	struct node *newer, *older;
	struct entry *entry;
	uint64_t hash;
};

struct mem {
	struct node **buckets;
	size_t nbuckets;		/* a power of two */
	struct node *newest, *oldest;
	size_t count, bytes, max_entries, max_bytes;
};

/* FNV-1a: the keys are ours, and a collision costs a comparison. */
static uint64_t hash_of(struct span key, struct span auth)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (uint8_t)key.p[i]) * 1099511628211u;
	for (size_t i = 0; i < auth.n; i++)
		h = (h ^ (uint8_t)auth.p[i]) * 1099511628211u;
	return h;
}

struct mem *mem_new(size_t max_entries, size_t max_bytes)
{
	struct mem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->nbuckets = 64;
	while (m->nbuckets < max_entries && m->nbuckets < (size_t)1 << 16)
		m->nbuckets *= 2;
	m->buckets = calloc(m->nbuckets, sizeof(struct node *));
	m->max_entries = max_entries;
	m->max_bytes = max_bytes;
	if (m->buckets == NULL) {
		free(m);
		return NULL;
	}
	return m;
}

static void unlink_age(struct mem *m, struct node *n)
{
	*(n->newer != NULL ? &n->newer->older : &m->newest) = n->older;
	*(n->older != NULL ? &n->older->newer : &m->oldest) = n->newer;
}

static void link_newest(struct mem *m, struct node *n)
{
	n->newer = NULL;
	n->older = m->newest;
	*(m->newest != NULL ? &m->newest->newer : &m->oldest) = n;
	m->newest = n;
}

static void drop(struct mem *m, struct node *n)
{
	struct node **at = &m->buckets[n->hash & (m->nbuckets - 1)];

	while (*at != n)
		at = &(*at)->chain;
	*at = n->chain;
	unlink_age(m, n);
	m->count--;
	m->bytes -= entry_size(n->entry);
	n->entry->held = false;
	entry_unref(n->entry);
	free(n);
}

void mem_clear(struct mem *m)
{
	while (m->oldest != NULL)
		drop(m, m->oldest);
}

void mem_free(struct mem *m)
{
	if (m == NULL)
		return;
	mem_clear(m);
	free(m->buckets);
	free(m);
}

static struct node *find(struct mem *m, struct span key, struct span auth)
{
	uint64_t h = hash_of(key, auth);
	struct node *n = m->buckets[h & (m->nbuckets - 1)];

	while (n != NULL &&
	    (n->hash != h || !span_same(n->entry->key, key) || !span_same(n->entry->auth, auth)))
		n = n->chain;
	return n;
}

struct entry *mem_get(struct mem *m, struct span key, struct span auth)
{
	struct node *n = find(m, key, auth);

	if (n == NULL)
		return NULL;
	unlink_age(m, n);
	link_newest(m, n);
	return n->entry;
}

void mem_drop(struct mem *m, struct span key, struct span auth)
{
	struct node *n = find(m, key, auth);

	if (n != NULL)
		drop(m, n);
}

void mem_put(struct mem *m, struct entry *e)
{
	struct node *n = find(m, e->key, e->auth), **bucket;
	size_t size = entry_size(e);

	if (n != NULL && n->entry == e)
		return;
	if (n != NULL)
		drop(m, n);
	if (size > m->max_bytes || m->max_entries == 0 || (n = calloc(1, sizeof(*n))) == NULL)
		return;
	while (m->oldest != NULL && (m->count >= m->max_entries || m->bytes + size > m->max_bytes))
		drop(m, m->oldest);
	n->entry = entry_ref(e);
	e->held = true;
	n->hash = hash_of(e->key, e->auth);
	bucket = &m->buckets[n->hash & (m->nbuckets - 1)];
	n->chain = *bucket;
	*bucket = n;
	link_newest(m, n);
	m->count++;
	m->bytes += size;
}

size_t mem_count(const struct mem *m)
{
	return m->count;
}

size_t mem_bytes(const struct mem *m)
{
	return m->bytes;
}
