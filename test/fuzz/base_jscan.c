/*
 * jscan: however a text is cut, the events are the same; what it takes cJSON takes too; the walk over members
 * agrees with the scan.
 */
#include <assert.h>
#include <stdlib.h>

#include <cJSON.h>

#include "base/buf.h"
#include "base/jscan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Events as text, fed in pieces of `step`; false: not JSON. */
static bool scan(struct span text, size_t step, struct buf *log)
{
	enum jscan_event ev;
	struct jscan s;
	size_t at = 0;

	jscan_init(&s);
	while (at < text.n) {
		size_t n = text.n - at < step ? text.n - at : step;
		ssize_t r = jscan_feed(&s, text.p + at, n, &ev);
		if (r < 0)
			return false;
		at += (size_t)r;
		assert(s.pos == at && s.depth <= JSCAN_DEPTH);
		if (ev != JSCAN_NONE)
			buf_addf(log, "%d %u %u %u\n", ev, (unsigned)s.start, (unsigned)s.end, s.depth);
	}
	int r = jscan_end(&s, &ev);
	buf_addf(log, "%d %d\n", r, ev);
	return r == 0;
}

static int walk(struct span text, int depth)
{
	struct span key, value;
	size_t at = 0;
	int r;

	while ((r = jscan_next(text, &at, &key, &value)) > 0) {
		struct buf b;
		buf_init(&b, BUF_MAX_ANY);
		assert(at <= text.n && jscan_valid(value) && (key.n == 0 || jscan_valid(key)));
		if (jscan_unescape(key.n ? key : value, &b) == 0)
			assert(span_utf8(buf_span(&b)) && b.end <= text.n);
		buf_free(&b);
		assert(depth > 4 || walk(value, depth + 1) == 0);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make(data, size);
	struct buf whole, cut;

	buf_init(&whole, BUF_MAX_ANY);
	buf_init(&cut, BUF_MAX_ANY);
	bool ok = scan(text, SIZE_MAX, &whole);
	for (size_t step = 1; step < 12; step += 2) {
		buf_clear(&cut);
		assert(scan(text, step, &cut) == ok);
		assert(span_same(buf_span(&whole), buf_span(&cut)));
	}
	assert(jscan_valid(text) == ok);
	assert((walk(text, 0) == 0) == ok);
	cJSON *tree = cJSON_ParseWithLengthOpts((const char *)data, size, NULL, false);
	assert(!ok || tree);
	cJSON_Delete(tree);
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
