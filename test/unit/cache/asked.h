/*
 * Requests of tokens, and entries that answer them.
 */
#ifndef UNIT_CACHE_ASKED_H
#define UNIT_CACHE_ASKED_H

#include <string.h>

#include "../base/cm.h"
#include "base/clock.h"
#include "base/err.h"
#include "github/etag.h"
#include "github/identity.h"
#include "github/request.h"
#include "github/route.h"
#include "store/entry.h"

#define TOKEN_A "token ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TOKEN_B "Bearer ghp_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct asked {
	struct identity id;
	struct request req;
};

static struct upstream upstream = { .agent = "ghoard/test" };

/* `token` NULL: nobody's. */
static inline void asked_with(struct asked *a, const char *token, const char *method, const char *target,
    const char *body)
{
	struct request_in in = { .method = method, .target = span_of(target), .has_body = body != NULL,
		.body = span_of(body) };

	if (upstream.origin[0] == '\0')
		assert_int_equal(upstream_parse(&upstream, "https://api.github.com", NULL), 0);
	assert_true(identity_init(&a->id, span_of(token)));
	assert_int_equal(request_init(&a->req, &upstream, &a->id, &in, NULL), 0);
}

static inline void asked_get(struct asked *a, const char *token, const char *target)
{
	asked_with(a, token, "GET", target, NULL);
}

static inline void asked_wipe(struct asked *a)
{
	request_wipe(&a->req);
	identity_wipe(&a->id);
}

/* An entry that answers it, GitHub's of `age` seconds ago. `etag` NULL: none. */
static inline struct entry *entry_for(const struct asked *a, int64_t age, const char *body, const char *etag)
{
	const struct entry_header h[] = { { { "content-type", 12 }, { "application/json", 16 } },
		{ { "etag", 4 }, span_of(etag) } };
	struct entry_parts p = { .key = buf_span(&a->req.key), .url = buf_span(&a->req.url),
		.auth = span_of(a->id.tag), .variant = buf_span(&a->req.variant),
		.proof_key = identity_key(&a->id), .timestamp = clock_wall() - age * CLOCK_SEC,
		.ttl = a->req.ttl, .status = 200, .headers = h, .nheaders = etag != NULL ? 2 : 1,
		.body = span_of(body) };
	struct entry *e = NULL;

	assert_int_equal(entry_build(&p, &e, NULL), 0);
	return e;
}

/* The tag GitHub gives this request's token for this body. */
static inline const char *tag_for(const struct asked *a, const char *body)
{
	static char tag[4][ETAG_LEN + 1];
	static unsigned at;

	at = (at + 1) % 4;
	etag_derive(tag[at], a->req.accept,
	    span_make(a->id.authorization.bytes, a->id.authorization.len), span_of(body));
	return tag[at];
}

#endif
