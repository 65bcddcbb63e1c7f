#include <string.h>

#include "tls/validity.h"

#define TAG_INTEGER 0x02
#define TAG_UTCTIME 0x17
#define TAG_GENERALIZEDTIME 0x18
#define TAG_SEQUENCE 0x30
#define TAG_VERSION 0xA0

/* Cut one element off the front of `*in`; its content may be longer than what is there (only the front of a
 * certificate is kept). */
static bool element(struct span *in, uint8_t *tag, struct span *content)
{
	size_t len, head = 2;

	if (in->n < 2)
		return false;
	*tag = (uint8_t)in->p[0];
	len = (uint8_t)in->p[1];
	if (len >= 0x80) {
		size_t k = len & 0x7F;

		if (k == 0 || k > 3 || in->n < 2 + k)
			return false;
		len = 0;
		for (size_t i = 0; i < k; i++)
			len = len << 8 | (uint8_t)in->p[2 + i];
		head += k;
	}
	*content = span_sub(*in, head, len);
	*in = span_sub(*in, head + content->n, in->n);
	return true;
}

static bool enter(struct span *in, uint8_t want)
{
	struct span content;
	uint8_t tag;

	if (!element(in, &tag, &content) || tag != want)
		return false;
	*in = content;
	return true;
}

static bool skip(struct span *in, uint8_t want)
{
	struct span content;
	uint8_t tag;

	return element(in, &tag, &content) && tag == want;
}

static bool time_of(struct span *in, char out[static VALIDITY_LEN + 1])
{
	struct span t;
	uint8_t tag;

	if (!element(in, &tag, &t) || !span_ends(t, "Z"))
		return false;
	for (size_t i = 0; i + 1 < t.n; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	if (tag == TAG_UTCTIME && t.n == 13) {		/* RFC 5280 §4.1.2.5.1: 50 and above are 19xx */
		memcpy(out, t.p[0] >= '5' ? "19" : "20", 2);
		memcpy(out + 2, t.p, 12);
	} else if (tag == TAG_GENERALIZEDTIME && t.n == 15) {
		memcpy(out, t.p, VALIDITY_LEN);
	} else {
		return false;
	}
	out[VALIDITY_LEN] = '\0';
	return true;
}

bool validity_parse(struct span der, struct validity *v)
{
	struct span in = der;

	if (!enter(&in, TAG_SEQUENCE) || !enter(&in, TAG_SEQUENCE))
		return false;
	if (in.n > 0 && (uint8_t)in.p[0] == TAG_VERSION && !skip(&in, TAG_VERSION))
		return false;
	if (!skip(&in, TAG_INTEGER) || !skip(&in, TAG_SEQUENCE) || !skip(&in, TAG_SEQUENCE))
		return false;
	if (!enter(&in, TAG_SEQUENCE))
		return false;
	return time_of(&in, v->not_before) && time_of(&in, v->not_after);
}
