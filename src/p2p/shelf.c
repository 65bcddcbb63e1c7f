#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/cid.h"
#include "p2p/shelf.h"

struct held {
	uint8_t digest[SHA256_LEN];
	size_t n;
	char key[];
};

struct shelf {
	struct held *rows[SHELF_ROWS];
};

static size_t place(const uint8_t digest[static SHA256_LEN])
{
	return ((size_t)digest[0] << 8 | digest[1]) % SHELF_ROWS;
}

struct shelf *shelf_new(void)
{
	return calloc(1, sizeof(struct shelf));
}

void shelf_free(struct shelf *s)
{
	for (size_t i = 0; s != NULL && i < SHELF_ROWS; i++)
		free(s->rows[i]);
	free(s);
}

void shelf_put(struct shelf *s, struct span cid, struct span key)
{
	uint8_t digest[SHA256_LEN];
	struct held *h;

	if (!cid_parse(cid, digest) || (h = malloc(sizeof(*h) + key.n)) == NULL)
		return;
	memcpy(h->digest, digest, sizeof(digest));
	h->n = key.n;
	memcpy(h->key, key.p, key.n);
	free(s->rows[place(digest)]);
	s->rows[place(digest)] = h;
}

struct span shelf_find(const struct shelf *s, struct span cid)
{
	uint8_t digest[SHA256_LEN];
	const struct held *h = cid_parse(cid, digest) ? s->rows[place(digest)] : NULL;

	if (h == NULL || memcmp(h->digest, digest, sizeof(digest)) != 0)
		return span_of("");
	return span_make(h->key, h->n);
}
