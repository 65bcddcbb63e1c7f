/*
 * github/link: the input is "target LF link". Targets lie inside, one after the other; what is believed leads
 * only to the upstream, is not the last page, and is believed again.
 *
 * max_len: 4096
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "github/link.h"

#define ORIGIN "https://api.github.com"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_members(struct span link)
{
	struct span rest = link, url, params;
	const char *at = link.p;

	while (link_next(&rest, &url, &params)) {
		assert(url.p > at && url.p + url.n < link.p + link.n && url.p[-1] == '<' &&
		    url.p[url.n] == '>');
		assert(params.p == url.p + url.n + 1 && params.p + params.n <= link.p + link.n);
		at = url.p + url.n;
	}
}

static void check_believable(struct span link, const char *base, struct span target)
{
	struct buf out, again;
	struct span url;

	buf_init(&out, BUF_MAX_ANY);
	buf_init(&again, BUF_MAX_ANY);
	link_believable(link, ORIGIN, base, target, &out);
	assert(link_within(buf_span(&out), ORIGIN));
	assert(buf_len(&out) == 0 || link_within(link, ORIGIN));
	assert(!link_rel(buf_span(&out), "last", &url));
	link_believable(buf_span(&out), ORIGIN, base, target, &again);
	assert(span_same(buf_span(&out), buf_span(&again)));
	buf_free(&out);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span link = span_make(data, size), target, url;

	if (size == 0 || !span_cut(&link, '\n', &target) || link.p == NULL)
		return 0;
	check_members(link);
	if (link_rel(link, "next", &url))
		assert(url.p >= link.p && url.p + url.n <= link.p + link.n);
	check_believable(link, "", target);
	check_believable(link, "/api/v3", target);
	return 0;
}
