#include <stdio.h>

#include "base/buf.h"
#include "cache/status.h"

static const char *fwd_name(enum cache_fwd f)
{
	switch (f) {
	case FWD_NONE:
		return "";
	case FWD_URI_MISS:
		return "uri-miss";
	case FWD_VARY_MISS:
		return "vary-miss";
	case FWD_STALE:
		return "stale";
	case FWD_REQUEST:
		return "request";
	case FWD_BYPASS:
		return "bypass";
	case FWD_METHOD:
		return "method";
	}
	return "";
}

static void put(struct buf *b, const char *name, const char *value)
{
	buf_adds(b, name);
	buf_adds(b, value);
}

static void put_number(struct buf *b, const char *name, int64_t value)
{
	buf_adds(b, name);
	buf_addi(b, value);
}

void status_text(const struct cache_outcome *o, char out[static CACHE_STATUS_MAX])
{
	struct buf b;

	buf_init(&b, CACHE_STATUS_MAX - 1);
	buf_adds(&b, "ghoard");
	if (o->fwd == FWD_NONE)
		put_number(&b, "; hit; ttl=", o->ttl);
	else
		put(&b, "; fwd=", fwd_name(o->fwd));
	if (o->collapsed)
		buf_adds(&b, "; collapsed");
	else if (o->fwd_status != 0 && o->fwd != FWD_BYPASS && o->fwd != FWD_METHOD)
		put_number(&b, "; fwd-status=", o->fwd_status);
	if (o->stored)
		buf_adds(&b, "; stored");
	if (o->detail != NULL)
		put(&b, "; detail=", o->detail);
	snprintf(out, CACHE_STATUS_MAX, "%s", buf_cstr(&b));
	buf_free(&b);
}
