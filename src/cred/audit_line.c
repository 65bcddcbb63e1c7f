#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/wipe.h"
#include "cred/audit.h"
#include "cred/audit_line.h"

#define DETAIL_MAX 256
#define LINE_USUAL 768		/* room for one that grants a credential */

void audit_detail(struct buf *b, const char *name, struct span text)
{
	size_t n = text.n < DETAIL_MAX ? text.n : DETAIL_MAX;

	if (buf_len(b) > 0)
		buf_adds(b, ", ");
	buf_addc(b, '"');
	buf_adds(b, name);
	buf_adds(b, "\": ");
	if (text.p == NULL)
		buf_adds(b, "null");
	else
		json_quote(b, span_sub(text, 0, n), true);
}

/* Both shapes stand in strings only, where an escape says the same. */
static void put_neutral(struct buf *out, struct span text)
{
	size_t from = 0;

	for (size_t i = 1; i < text.n; i++) {
		bool colon = text.p[i] == ':' && text.p[i - 1] == ':';

		if (!colon && !(i > 1 && text.p[i] == '[' && text.p[i - 1] == '#' && text.p[i - 2] == '#'))
			continue;
		buf_add(out, text.p + from, i - from);
		buf_adds(out, colon ? "\\u003a" : "\\u005b");
		from = i + 1;
	}
	buf_addspan(out, span_sub(text, from, text.n));
}

/* As the reference writes it. */
static void now(char out[static AUDIT_TIME_LEN])
{
	int64_t at = clock_wall();
	time_t s = (time_t)(at / CLOCK_SEC);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(out, AUDIT_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, AUDIT_TIME_LEN - n, ".%06" PRId64, at % CLOCK_SEC);
}

static void line_mac(const struct hmac *keyed, struct span prev, struct span body,
    char out[static AUDIT_MAC_HEX + 1])
{
	uint8_t mac[HMAC_LEN];
	struct hmac h = *keyed;

	hmac_add(&h, prev.p, prev.n);
	hmac_add(&h, body.p, body.n);
	hmac_out(&h, mac);
	hex_encode(out, mac, HMAC_LEN);
}

/* The newest write: in a line that tells of another itself it would be in the way. */
static void put_store(const struct audit *a, struct buf *b)
{
	buf_adds(b, ", \"store\": [");
	buf_addi(b, (int64_t)a->gen);
	buf_adds(b, ", ");
	buf_addi(b, (int64_t)a->high);
	buf_adds(b, ", \"");
	buf_adds(b, a->sha);
	buf_adds(b, "\"]");
}

void audit_lines_init(struct audit_lines *l, const struct audit *a, size_t n)
{
	buf_init(&l->out, (n + 1) * AUDIT_LINE_MAX);
	buf_init(&l->plain, AUDIT_LINE_MAX);
	buf_reserve(&l->out, n * LINE_USUAL);
	buf_reserve(&l->plain, LINE_USUAL);
	hmac_init(&l->keyed, a->key, AUDIT_KEY_LEN);
	now(l->now);
}

void audit_lines_free(struct audit_lines *l)
{
	buf_free(&l->out);
	buf_free(&l->plain);
	wipe(&l->keyed, sizeof(l->keyed));
}

void audit_put_line(struct audit *a, const struct audit_event *e, struct audit_lines *l)
{
	char mac[AUDIT_MAC_HEX + 1];
	size_t at = buf_len(&l->out);

	buf_clear(&l->plain);
	buf_adds(&l->plain, "{\"timestamp\": \"");
	buf_adds(&l->plain, l->now);
	buf_adds(&l->plain, "\", \"action\": \"");
	buf_adds(&l->plain, e->action);
	buf_adds(&l->plain, "\", \"credential\": ");
	json_quote(&l->plain, e->credential, true);
	buf_adds(&l->plain, ", \"details\": {");
	buf_addspan(&l->plain, e->details);
	buf_addc(&l->plain, '}');
	if (a->has_gen && !e->tells_store)
		put_store(a, &l->plain);
	buf_adds(&l->plain, ", \"seq\": ");
	buf_addi(&l->plain, (int64_t)(a->seq + 1));
	buf_adds(&l->plain, ", \"prev\": \"");
	buf_adds(&l->plain, a->head);
	buf_addc(&l->plain, '"');
	put_neutral(&l->out, buf_span(&l->plain));
	line_mac(&l->keyed, span_of(a->head), span_sub(buf_span(&l->out), at, buf_len(&l->out) - at), mac);
	buf_adds(&l->out, ", \"mac\": \"");
	buf_adds(&l->out, mac);
	buf_adds(&l->out, "\"}\n");
	if (l->plain.failed || buf_len(&l->out) - at > AUDIT_LINE_MAX)
		l->out.failed = true;
	memcpy(a->head, mac, sizeof(mac));
	a->seq++;
}

bool audit_parse(struct span text, struct audit_line *l)
{
	static const char *const keys[] = { "timestamp", "action", "credential", "details", "seq", "prev",
		"mac", "store" };
	struct span m[8];

	memset(l, 0, sizeof(*l));
	l->text = text;
	if (text.n < 2 || text.n > AUDIT_LINE_MAX || text.p[0] != '{' || jscan_pick(text, keys, 8, m) != 0 ||
	    m[0].p == NULL || m[1].p == NULL || m[2].p == NULL || m[3].p == NULL)
		return false;
	l->timestamp = m[0];
	l->action = m[1];
	l->credential = m[2];
	l->details = m[3];
	if (m[4].p == NULL)
		return true;
	if (!span_u64(m[4], INT64_MAX, &l->seq) || m[5].p == NULL || m[5].n != AUDIT_MAC_HEX + 2 ||
	    m[6].p == NULL || m[6].n != AUDIT_MAC_HEX + 2)
		return false;
	l->prev = span_sub(m[5], 1, AUDIT_MAC_HEX);
	l->mac = span_sub(m[6], 1, AUDIT_MAC_HEX);
	l->store = m[7];
	l->chained = true;
	return true;
}

bool audit_mac_ok(const struct audit *a, const struct audit_line *l)
{
	static const size_t tail = sizeof(", \"mac\": \"\"}") - 1 + AUDIT_MAC_HEX;
	char mac[AUDIT_MAC_HEX + 1];
	struct hmac keyed;

	if (!l->chained || l->text.n < tail || l->mac.p + AUDIT_MAC_HEX + 2 != l->text.p + l->text.n)
		return false;
	hmac_init(&keyed, a->key, AUDIT_KEY_LEN);
	line_mac(&keyed, l->prev, span_sub(l->text, 0, l->text.n - tail), mac);
	wipe(&keyed, sizeof(keyed));
	return mem_same_ct(mac, l->mac.p, AUDIT_MAC_HEX);
}

bool audit_line_gen(const struct audit_line *l, uint64_t *gen, uint64_t *high, char sha[static 65])
{
	static const char *const keys[] = { "gen", "high", "sha256" };
	struct span m[3];

	return l->details.p != NULL && jscan_pick(l->details, keys, 3, m) == 0 && m[0].p != NULL &&
	    span_u64(m[0], INT64_MAX, gen) && m[1].p != NULL && span_u64(m[1], INT64_MAX, high) &&
	    m[2].p != NULL && jscan_str(m[2], sha, 65);
}
