/*
 * One request through the cache, run to its end: what `ghoard api` does for each page, and other commands for
 * what they ask GitHub.
 *
 * Redirects are followed here (at most five): within the upstream through the cache, elsewhere by a plain
 * request without Authorization.
 */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include <stdbool.h>

#include "base/buf.h"
#include "cache/cache.h"
#include "github/answer.h"
#include "github/request.h"

struct app;
struct err;

struct fetch {
	struct request_in in;
	struct cache_ask ask;
	/* The final answer, as it comes; NULL: collected in the result's body. */
	void (*on_head)(void *arg, const struct http_head *);
	int (*on_body)(void *arg, const void *, size_t, struct err *);
	void *arg;
};

struct fetch_result {
	struct answer answer;		/* head; and body, where it was not streamed */
	struct cache_outcome outcome;
};

/* 0 with the result (also for 4xx and 5xx), or the failure. The result is to be freed in any case. */
int fetch_run(struct app *, const struct fetch *, struct fetch_result *, struct err *);
void fetch_free(struct fetch_result *);

#endif
