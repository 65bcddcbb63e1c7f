/*
 * jcanon: what it prints is ASCII JSON and its own canonical form, and numbers keep their value; and
 * base/json, which takes part of the same texts, prints what it reads without loss.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jcanon.h"
#include "base/jscan.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void canon(struct span text)
{
	struct buf once, twice;

	buf_init(&once, BUF_MAX_ANY);
	buf_init(&twice, BUF_MAX_ANY);
	int r = jcanon(text, &once);
	assert(r == 0 || (r == ERR_PROTO && buf_len(&once) == 0));
	assert(r < 0 || jscan_valid(text));
	if (r == 0) {
		assert(jscan_valid(buf_span(&once)));
		for (size_t i = 0; i < buf_len(&once); i++)
			assert(buf_data(&once)[i] >= 0x20 && buf_data(&once)[i] < 0x7f);
		assert(jcanon(buf_span(&once), &twice) == 0);
		assert(span_same(buf_span(&once), buf_span(&twice)));
		if (text.n && (text.p[0] == '-' || (text.p[0] >= '0' && text.p[0] <= '9'))) {
			char *before = span_dup(text);
			assert(strtod(before, NULL) == strtod(buf_cstr(&once), NULL));
			free(before);
		}
	}
	buf_free(&once);
	buf_free(&twice);
}

static void reprint(struct span text)
{
	struct buf flat, pretty, a, b;
	struct json *o;

	if (json_parse(text, &o) < 0)
		return;
	buf_init(&flat, BUF_MAX_ANY);
	buf_init(&pretty, BUF_MAX_ANY);
	buf_init(&a, BUF_MAX_ANY);
	buf_init(&b, BUF_MAX_ANY);
	assert(json_print(o, false, &flat) == 0 && json_print(o, true, &pretty) == 0);
	json_free(o);
	int r = jcanon(text, &a);
	assert(jcanon(buf_span(&flat), &b) == r && span_same(buf_span(&a), buf_span(&b)));
	buf_clear(&b);
	assert(jcanon(buf_span(&pretty), &b) == r && span_same(buf_span(&a), buf_span(&b)));
	buf_free(&flat);
	buf_free(&pretty);
	buf_free(&a);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	canon(span_make(data, size));
	reprint(span_make(data, size));
	return 0;
}
