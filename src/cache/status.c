#include <inttypes.h>
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

void status_text(const struct cache_outcome *o, char out[static CACHE_STATUS_MAX])
{
	struct buf b;

	buf_init(&b, CACHE_STATUS_MAX - 1);
	buf_adds(&b, "ghoard");
	if (o->fwd == FWD_NONE)
		buf_addf(&b, "; hit; ttl=%" PRId64, o->ttl);
	else
		buf_addf(&b, "; fwd=%s", fwd_name(o->fwd));
	if (o->collapsed)
		buf_adds(&b, "; collapsed");
	else if (o->fwd_status != 0 && o->fwd != FWD_BYPASS && o->fwd != FWD_METHOD)
		buf_addf(&b, "; fwd-status=%d", o->fwd_status);
	if (o->stored)
		buf_adds(&b, "; stored");
	if (o->detail != NULL)
		buf_addf(&b, "; detail=%s", o->detail);
	snprintf(out, CACHE_STATUS_MAX, "%s", buf_cstr(&b));
	buf_free(&b);
}
