#include <string.h>

#include "actions/command.h"
#include "actions/mask.h"
#include "base/b64.h"
#include "base/buf.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/wipe.h"

#define COLUMNS 76		/* of base64(1) */

struct masks {
	struct buf *scratch;
	void (*one)(void *arg, struct span);
	void *arg;
};

static bool is_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(" \t\r\n\v\f", s.p[i]) == NULL || s.p[i] == '\0')
			return false;
	return true;
}

static struct span trim(struct span s)
{
	while (s.n > 0 && is_blank(span_sub(s, 0, 1)))
		s = span_sub(s, 1, s.n);
	while (s.n > 0 && is_blank(span_sub(s, s.n - 1, 1)))
		s.n--;
	return s;
}

static void tell(const struct masks *m, struct span s, size_t least)
{
	if (s.n >= least && !is_blank(s))
		m->one(m->arg, s);
}

static void forget(struct buf *b, size_t upto)
{
	uint8_t *p = buf_data(b);

	if (p != NULL && buf_len(b) > upto)
		wipe(p + upto, buf_len(b) - upto);
	buf_truncate(b, upto);
}

/* The runner splits at CR and LF. */
static void tell_lines(const struct masks *m, struct span value)
{
	size_t from = 0;

	for (size_t i = 0; i <= value.n; i++) {
		if (i < value.n && value.p[i] != '\r' && value.p[i] != '\n')
			continue;
		if (from > 0 || i < value.n)
			tell(m, trim(span_sub(value, from, i - from)), MASK_LINE_LEAST);
		from = i + 1;
	}
}

/* What is certain of the encoding of a text that goes on: no padding, nor the character before it. */
static struct span certain(struct span code)
{
	size_t n = code.n;

	while (n > 0 && code.p[n - 1] == '=')
		n--;
	return span_make(code.p, n < code.n && n > 0 ? n - 1 : n);
}

static void tell_columns(const struct masks *m, struct span code)
{
	if (code.n <= COLUMNS)
		return;
	for (size_t at = 0; at < code.n; at += COLUMNS)
		tell(m, span_sub(code, at, COLUMNS), MASK_LINE_LEAST);
}

static void tell_url(const struct masks *m, struct span code)
{
	size_t at = buf_len(m->scratch);
	char *p;

	if (span_chr(code, '+') < 0 && span_chr(code, '/') < 0)
		return;
	/* the code stands in the same buffer, which may move it */
	p = (char *)buf_reserve(m->scratch, code.n);
	if (p == NULL)
		return;
	for (size_t i = 0; i < code.n; i++) {
		char c = ((char *)buf_data(m->scratch))[i];

		p[i] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
	buf_commit(m->scratch, code.n);
	tell(m, span_sub(buf_span(m->scratch), at, code.n), MASK_LINE_LEAST);
	forget(m->scratch, at);
}

static void tell_base64(const struct masks *m, struct span value)
{
	for (size_t skip = 0; skip < 3 && skip < value.n; skip++) {
		struct span code;

		b64_encode(m->scratch, value.p + skip, value.n - skip);
		code = certain(buf_span(m->scratch));
		if (code.n < buf_len(m->scratch))
			tell(m, code, MASK_LINE_LEAST);
		if (skip == 0)
			tell_columns(m, code);
		tell_url(m, code);
		forget(m->scratch, 0);
	}
}

static void tell_leaves(const struct masks *m, struct span value)
{
	struct span text = trim(value);
	enum jscan_event ev = JSCAN_NONE;
	struct jscan s;
	size_t at = 0;

	if (text.n < 2 || (text.p[0] != '{' && text.p[0] != '[') || !jscan_valid(text))
		return;
	jscan_init(&s);
	while (at < text.n) {
		ssize_t n = jscan_feed(&s, text.p + at, text.n - at, &ev);

		if (n < 0)
			return;
		at += (size_t)n;
		if (ev != JSCAN_STRING ||
		    jscan_unescape(span_sub(text, (size_t)s.start, (size_t)(s.end - s.start)), m->scratch) !=
			0)
			continue;
		tell(m, buf_span(m->scratch), MASK_LINE_LEAST);
		tell_lines(m, buf_span(m->scratch));
		forget(m->scratch, 0);
	}
}

void mask_each(struct span value, struct buf *scratch, void (*one)(void *arg, struct span), void *arg)
{
	struct masks m = { scratch, one, arg };

	tell(&m, value, 1);
	tell_lines(&m, value);
	tell_base64(&m, value);
	tell_leaves(&m, value);
}

/* ---- forms ---- */

static void tell_new(const struct masks *m, struct span value, struct span form)
{
	if (!span_same(value, form))
		tell(m, form, MASK_LINE_LEAST);
	forget(m->scratch, 0);
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_' || c == '.' || c == '~';
}

static const struct percent {
	const char *keeps, *digits;
	bool plus;
} percents[] = { { "", "0123456789ABCDEF", false }, { "", "0123456789abcdef", false },
	{ "/", "0123456789ABCDEF", false }, { "!'()*", "0123456789ABCDEF", false },
	{ "", "0123456789ABCDEF", true } };

static void tell_percent(const struct masks *m, struct span value, const struct percent *how)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (how->plus && c == ' ') {
			buf_addc(m->scratch, '+');
		} else if (is_unreserved(c) || (c != '\0' && strchr(how->keeps, c) != NULL)) {
			buf_addc(m->scratch, c);
		} else {
			buf_addc(m->scratch, '%');
			buf_addc(m->scratch, how->digits[(uint8_t)c >> 4]);
			buf_addc(m->scratch, how->digits[(uint8_t)c & 15]);
		}
	}
	tell_new(m, value, buf_span(m->scratch));
}

void mask_forms(struct span value, struct buf *scratch, void (*one)(void *arg, struct span), void *arg)
{
	struct masks m = { scratch, one, arg };

	for (size_t skip = 0; skip < 3 && skip < value.n; skip++) {
		b64_encode(scratch, value.p + skip, value.n - skip);
		tell_new(&m, value, certain(buf_span(scratch)));
	}
	for (int ascii = 0; ascii < 2; ascii++) {
		json_quote(scratch, value, ascii != 0);
		tell_new(&m, value,
		    buf_len(scratch) < 2 ? value : span_sub(buf_span(scratch), 1, buf_len(scratch) - 2));
	}
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		tell_percent(&m, value, &percents[i]);
}

static void write_one(void *arg, struct span text)
{
	actions_command(arg, "add-mask", NULL, text);
}

void mask_write(struct span value, struct buf *scratch, struct buf *out)
{
	mask_each(value, scratch, write_one, out);
	if (scratch->failed)
		out->failed = true;
}
