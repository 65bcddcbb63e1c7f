#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/siphash.h"
#include "base/wipe.h"
#include "http/heads.h"

struct heads {
	struct siphash_key key;
	void (*forget)(void *arg, void *note);
	void *arg;
	size_t n;			/* slots in use */
	uint64_t seen[HEADS_SEEN];
	struct heads_slot slots[HEADS_SETS * HEADS_WAYS];
};

struct heads *heads_new(void (*forget)(void *arg, void *note), void *arg)
{
	struct heads *h = calloc(1, sizeof(*h));

	if (h == NULL || rand_bytes(&h->key, sizeof(h->key), NULL) != 0) {
		free(h);
		return NULL;
	}
	h->forget = forget;
	h->arg = arg;
	for (size_t i = 0; i < HEADS_SETS * HEADS_WAYS; i++) {
		buf_init(&h->slots[i].ask, HEADS_LEN_MAX);
		buf_init(&h->slots[i].answer, (size_t)16 << 10);
	}
	return h;
}

void heads_drop(struct heads *h, struct heads_slot *s)
{
	void *note = s->note;

	if (note == NULL)
		return;
	s->note = NULL;
	h->n--;
	buf_wipe(&s->ask);
	buf_wipe(&s->answer);
	h->forget(h->arg, note);
}

static void drop_all(struct heads *h, int64_t now)
{
	for (size_t i = 0; i < HEADS_SETS * HEADS_WAYS && h->n > 0; i++)
		if (h->slots[i].due <= now)
			heads_drop(h, &h->slots[i]);
}

void heads_sweep(struct heads *h, int64_t now)
{
	drop_all(h, now);
}

void heads_free(struct heads *h)
{
	if (h == NULL)
		return;
	drop_all(h, INT64_MAX);
	wipe(&h->key, sizeof(h->key));
	free(h);
}

static uint64_t hash_of(const struct heads *h, unsigned door, struct span ask)
{
	return siphash(&h->key, ask) ^ door;
}

static struct heads_slot *set_of(struct heads *h, uint64_t hash)
{
	return &h->slots[hash % HEADS_SETS * HEADS_WAYS];
}

static struct heads_slot *lookup(struct heads *h, unsigned door, struct span ask, uint64_t hash)
{
	for (struct heads_slot *s = set_of(h, hash), *end = s + HEADS_WAYS; s < end; s++)
		if (s->note != NULL && s->hash == hash && s->door == door &&
		    span_same(buf_span(&s->ask), ask))
			return s;
	return NULL;
}

bool heads_seen(struct heads *h, unsigned door, struct span ask)
{
	uint64_t hash = hash_of(h, door, ask), *at = &h->seen[hash % HEADS_SEEN];
	bool seen = *at == hash;

	*at = hash;
	return seen && ask.n <= HEADS_LEN_MAX;
}

struct heads_slot *heads_find(struct heads *h, unsigned door, struct span in, size_t *len, int64_t now)
{
	struct heads_slot *s;
	const char *end;

	if (h->n == 0)
		return NULL;
	end = memmem(in.p, in.n < HEADS_LEN_MAX ? in.n : HEADS_LEN_MAX, "\r\n\r\n", 4);
	if (end == NULL)
		return NULL;
	*len = (size_t)(end - in.p) + 4;
	in.n = *len;
	s = lookup(h, door, in, hash_of(h, door, in));
	if (s == NULL || s->due > now)
		return s;
	heads_drop(h, s);
	return NULL;
}

/* Its own slot, a free one, or the one that is due first. */
static struct heads_slot *place(struct heads *h, unsigned door, struct span ask, uint64_t hash)
{
	struct heads_slot *s = lookup(h, door, ask, hash);

	if (s != NULL)
		return s;
	s = set_of(h, hash);
	for (size_t k = 1; k < HEADS_WAYS && s->note != NULL; k++) {
		struct heads_slot *other = set_of(h, hash) + k;

		if (other->note == NULL || other->due < s->due)
			s = other;
	}
	return s;
}

struct heads_slot *heads_keep(struct heads *h, unsigned door, struct span ask, void *note, int64_t now)
{
	uint64_t hash = hash_of(h, door, ask);
	struct heads_slot *s = place(h, door, ask, hash);

	heads_drop(h, s);
	buf_addspan(&s->ask, ask);
	if (s->ask.failed) {
		buf_clear(&s->ask);
		h->forget(h->arg, note);
		return NULL;
	}
	s->hash = hash;
	s->door = door;
	s->note = note;
	s->due = now + HEADS_MS;
	h->n++;
	return s;
}
