#include <string.h>

#include "base/jscan.h"

enum state {
	S_VALUE,	/* a value must come */
	S_ITEM_OR_END,	/* after '[' */
	S_KEY,		/* after ',' in an object */
	S_KEY_OR_END,	/* after '{' */
	S_COLON,
	S_AFTER,	/* a value in a container is over: ',' or its end */
	S_OVER,		/* the top-level value is over */
	S_IN_KEY,
	S_IN_STRING,
	S_IN_NUMBER,
	S_IN_WORD	/* `sub` letters of the word of event `hex` have come */
};

/* `sub` in a string. STR_HEX counts up to STR_HEX + 3; `hi` is the high surrogate that waits for its other
 * half. */
enum string_state { STR_PLAIN, STR_ESCAPE, STR_LOW, STR_LOW_U, STR_HEX };

/* `sub` in a number: what came last. */
enum number_state { NUM_MINUS, NUM_ZERO, NUM_INT, NUM_DOT, NUM_FRAC, NUM_E, NUM_SIGN, NUM_EXP };

void jscan_init(struct jscan *s)
{
	*s = (struct jscan){ .st = S_VALUE };
}

static bool in_object(const struct jscan *s)
{
	unsigned top = s->depth - 1;

	return s->stack[top / 8] >> top % 8 & 1;
}

static void value_over(struct jscan *s)
{
	s->done = s->depth == 0;
	s->st = s->done ? S_OVER : S_AFTER;
}

static enum jscan_event open_container(struct jscan *s, bool object)
{
	if (s->depth == JSCAN_DEPTH) {
		s->bad = true;
		return JSCAN_NONE;
	}
	uint8_t bit = (uint8_t)(1u << s->depth % 8);
	if (object)
		s->stack[s->depth / 8] |= bit;
	else
		s->stack[s->depth / 8] &= (uint8_t)~bit;
	s->depth++;
	s->end = s->start + 1;
	s->st = object ? S_KEY_OR_END : S_ITEM_OR_END;
	return object ? JSCAN_OBJECT : JSCAN_ARRAY;
}

static enum jscan_event close_container(struct jscan *s, uint8_t c)
{
	bool object = in_object(s);

	if (c != (object ? '}' : ']')) {
		s->bad = true;
		return JSCAN_NONE;
	}
	s->depth--;
	s->end = s->start + 1;
	value_over(s);
	return object ? JSCAN_OBJECT_END : JSCAN_ARRAY_END;
}

static void begin_string(struct jscan *s, uint8_t c, enum state st)
{
	s->bad = c != '"';
	s->st = (uint8_t)st;
	s->sub = STR_PLAIN;
}

static void begin_number(struct jscan *s, uint8_t c)
{
	s->st = S_IN_NUMBER;
	if (c == '-')
		s->sub = NUM_MINUS;
	else if (c == '0')
		s->sub = NUM_ZERO;
	else if (c >= '1' && c <= '9')
		s->sub = NUM_INT;
	else
		s->bad = true;
}

static void begin_word(struct jscan *s, enum jscan_event which)
{
	s->st = S_IN_WORD;
	s->sub = 1;
	s->hex = (uint16_t)which;
}

static enum jscan_event begin_value(struct jscan *s, uint8_t c)
{
	switch (c) {
	case '{':
	case '[':
		return open_container(s, c == '{');
	case '"':
		begin_string(s, c, S_IN_STRING);
		break;
	case 't':
		begin_word(s, JSCAN_TRUE);
		break;
	case 'f':
		begin_word(s, JSCAN_FALSE);
		break;
	case 'n':
		begin_word(s, JSCAN_NULL);
		break;
	default:
		begin_number(s, c);
	}
	return JSCAN_NONE;
}

static enum jscan_event after_value(struct jscan *s, uint8_t c)
{
	if (c != ',')
		return close_container(s, c);
	s->st = in_object(s) ? S_KEY : S_VALUE;
	return JSCAN_NONE;
}

/* The first byte of a token, or a separator. */
static enum jscan_event on_byte(struct jscan *s, uint8_t c)
{
	switch ((enum state)s->st) {
	case S_ITEM_OR_END:
		return c == ']' ? close_container(s, c) : begin_value(s, c);
	case S_VALUE:
		return begin_value(s, c);
	case S_KEY_OR_END:
		if (c == '}')
			return close_container(s, c);
		begin_string(s, c, S_IN_KEY);
		return JSCAN_NONE;
	case S_KEY:
		begin_string(s, c, S_IN_KEY);
		return JSCAN_NONE;
	case S_COLON:
		s->bad = c != ':';
		s->st = S_VALUE;
		return JSCAN_NONE;
	case S_AFTER:
		return after_value(s, c);
	case S_OVER:
	case S_IN_KEY:
	case S_IN_STRING:
	case S_IN_NUMBER:
	case S_IN_WORD:
		break;
	}
	s->bad = true;
	return JSCAN_NONE;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static size_t between(struct jscan *s, const uint8_t *p, size_t n, enum jscan_event *ev)
{
	size_t i = 0;

	while (i < n && is_space(p[i]))
		i++;
	if (i == n)
		return i;
	s->start = s->pos + i;
	*ev = on_byte(s, p[i]);
	return i + 1;
}

#define ONES (UINT64_MAX / 255)

/*
 * How many bytes need no look: printable ASCII but '"' and '\'. Eight at once: a subtraction borrows into a
 * byte's high bit where the byte is below 0x20, or zero after the exclusive or. A borrow may run on into the
 * bytes above, but only from one that is itself found. 4.7 GB/s, against 0.9 for a byte at a time.
 */
static size_t plain_run(const uint8_t *p, size_t n)
{
	size_t i = 0;
	uint64_t w;

	for (; n - i >= sizeof w; i += sizeof w) {
		memcpy(&w, p + i, sizeof w);
		uint64_t hit = (w - ONES * 0x20) | ((w ^ ONES * '"') - ONES) | ((w ^ ONES * '\\') - ONES) | w;
		if (hit & ONES * 0x80)
			break;
	}
	while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

/* The first byte of a UTF-8 sequence says how many follow and bounds the second: RFC 3629 §4. */
static void on_lead(struct jscan *s, uint8_t c)
{
	s->u8lo = 0x80;
	s->u8hi = 0xbf;
	if (c < 0xc2 || c > 0xf4) {
		s->bad = true;
	} else if (c < 0xe0) {
		s->u8need = 1;
	} else if (c < 0xf0) {
		s->u8need = 2;
		if (c == 0xe0)
			s->u8lo = 0xa0;
		else if (c == 0xed)
			s->u8hi = 0x9f;
	} else {
		s->u8need = 3;
		if (c == 0xf0)
			s->u8lo = 0x90;
		else if (c == 0xf4)
			s->u8hi = 0x8f;
	}
}

static void on_continuation(struct jscan *s, uint8_t c)
{
	s->bad = c < s->u8lo || c > s->u8hi;
	s->u8need--;
	s->u8lo = 0x80;
	s->u8hi = 0xbf;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four digits of \u are there: a surrogate must be the first half of a pair or its second. */
static void on_unit(struct jscan *s)
{
	bool high = s->hex >= 0xd800 && s->hex < 0xdc00;
	bool low = s->hex >= 0xdc00 && s->hex < 0xe000;

	s->bad = low != (s->hi != 0);
	s->hi = high ? s->hex : 0;
	s->sub = high ? STR_LOW : STR_PLAIN;
}

static void on_escape(struct jscan *s, uint8_t c)
{
	int digit;

	switch (s->sub) {
	case STR_LOW:
		s->bad = c != '\\';
		s->sub = STR_LOW_U;
		break;
	case STR_ESCAPE:
	case STR_LOW_U:
		s->bad = c == 0 || !strchr(s->sub == STR_ESCAPE ? "\"\\/bfnrtu" : "u", c);
		s->sub = c == 'u' ? STR_HEX : STR_PLAIN;
		s->hex = 0;
		break;
	default:
		digit = hex_digit(c);
		s->bad = digit < 0;
		s->hex = (uint16_t)(s->hex << 4 | (digit & 15));
		if (++s->sub == STR_HEX + 4 && !s->bad)
			on_unit(s);
	}
}

static enum jscan_event string_over(struct jscan *s, uint64_t end)
{
	bool key = s->st == S_IN_KEY;

	s->end = end;
	if (key)
		s->st = S_COLON;
	else
		value_over(s);
	return key ? JSCAN_KEY : JSCAN_STRING;
}

static size_t in_string(struct jscan *s, const uint8_t *p, size_t n, enum jscan_event *ev)
{
	size_t i = 0;

	while (!s->bad) {
		if (s->sub == STR_PLAIN && s->u8need == 0)
			i += plain_run(p + i, n - i);
		if (i == n)
			break;
		uint8_t c = p[i++];
		if (s->u8need) {
			on_continuation(s, c);
		} else if (s->sub != STR_PLAIN) {
			on_escape(s, c);
		} else if (c == '\\') {
			s->sub = STR_ESCAPE;
		} else if (c == '"') {
			*ev = string_over(s, s->pos + i);
			break;
		} else {
			on_lead(s, c);
		}
	}
	return i;
}

/* The next number state, or -1 where `c` is no part of a number in this place. */
static int number_next(uint8_t sub, uint8_t c)
{
	bool digit = c >= '0' && c <= '9';
	bool e = c == 'e' || c == 'E';

	switch ((enum number_state)sub) {
	case NUM_MINUS:
		return c == '0' ? NUM_ZERO : digit ? NUM_INT : -1;
	case NUM_ZERO:
		return c == '.' ? NUM_DOT : e ? NUM_E : -1;
	case NUM_INT:
		return digit ? NUM_INT : c == '.' ? NUM_DOT : e ? NUM_E : -1;
	case NUM_DOT:
		return digit ? NUM_FRAC : -1;
	case NUM_FRAC:
		return digit ? NUM_FRAC : e ? NUM_E : -1;
	case NUM_E:
		return digit ? NUM_EXP : c == '+' || c == '-' ? NUM_SIGN : -1;
	case NUM_SIGN:
	case NUM_EXP:
		return digit ? NUM_EXP : -1;
	}
	return -1;
}

static bool number_whole(const struct jscan *s)
{
	return s->sub == NUM_ZERO || s->sub == NUM_INT || s->sub == NUM_FRAC || s->sub == NUM_EXP;
}

/* The byte after a number ends it and is not taken. */
static size_t in_number(struct jscan *s, const uint8_t *p, size_t n, enum jscan_event *ev)
{
	size_t i = 0;
	int next;

	while (i < n && (next = number_next(s->sub, p[i])) >= 0) {
		s->sub = (uint8_t)next;
		i++;
	}
	if (i == n)
		return i;
	if (!number_whole(s) || !(is_space(p[i]) || (s->depth && strchr(",]}", p[i]) && p[i]))) {
		s->bad = true;
		return i;
	}
	s->end = s->pos + i;
	value_over(s);
	*ev = JSCAN_NUMBER;
	return i;
}

static size_t in_word(struct jscan *s, const uint8_t *p, size_t n, enum jscan_event *ev)
{
	const char *word = s->hex == JSCAN_TRUE ? "true" : s->hex == JSCAN_FALSE ? "false" : "null";
	size_t i = 0;

	while (i < n && word[s->sub] && p[i] == (uint8_t)word[s->sub]) {
		s->sub++;
		i++;
	}
	if (word[s->sub] == '\0') {
		s->end = s->pos + i;
		*ev = (enum jscan_event)s->hex;
		value_over(s);
	} else if (i < n) {
		s->bad = true;
	}
	return i;
}

ssize_t jscan_feed(struct jscan *s, const void *data, size_t n, enum jscan_event *ev)
{
	const uint8_t *p = data;
	size_t i = 0;

	*ev = JSCAN_NONE;
	while (i < n && *ev == JSCAN_NONE && !s->bad) {
		size_t used;
		if (s->st == S_IN_STRING || s->st == S_IN_KEY)
			used = in_string(s, p + i, n - i, ev);
		else if (s->st == S_IN_NUMBER)
			used = in_number(s, p + i, n - i, ev);
		else if (s->st == S_IN_WORD)
			used = in_word(s, p + i, n - i, ev);
		else
			used = between(s, p + i, n - i, ev);
		i += used;
		s->pos += used;
	}
	return s->bad ? -1 : (ssize_t)i;
}

int jscan_end(struct jscan *s, enum jscan_event *ev)
{
	*ev = JSCAN_NONE;
	if (!s->bad && s->st == S_IN_NUMBER && s->depth == 0 && number_whole(s)) {
		s->end = s->pos;
		value_over(s);
		*ev = JSCAN_NUMBER;
	}
	s->bad = s->bad || !s->done;
	return s->bad ? -1 : 0;
}

void jscan_resume(struct jscan *s, uint64_t pos)
{
	s->pos = pos;
	s->st = S_AFTER;
}

bool jscan_valid(struct span text)
{
	enum jscan_event ev;
	struct jscan s;
	size_t at = 0;

	jscan_init(&s);
	while (at < text.n) {
		ssize_t r = jscan_feed(&s, text.p + at, text.n - at, &ev);
		if (r < 0)
			return false;
		at += (size_t)r;
	}
	return jscan_end(&s, &ev) == 0;
}
