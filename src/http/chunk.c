#include "http/chunk.h"

#include <limits.h>
#include <string.h>

#include "http/parse.h"

/* Sixteen digits could hold 2^64-1; fifteen leave room to add without a check. */
#define DIGITS_MAX 15

enum state {
	S_SIZE,		/* digits of a chunk size */
	S_BWS,		/* white space between them and a ';' */
	S_EXT,
	S_SIZE_LF,
	S_DATA,
	S_DATA_CR,
	S_DATA_LF,
	S_LINE,		/* start of a line of the trailer section */
	S_NAME,
	S_VALUE,
	S_VALUE_LF,
	S_END_LF,
	S_DONE
};

static int bad(const char **why, const char *phrase)
{
	*why = phrase;
	return -1;
}

static int hex_digit(uint8_t b)
{
	uint8_t lower = b | 0x20;

	if (b >= '0' && b <= '9')
		return b - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_text(uint8_t b)
{
	return b == '\t' || (b >= ' ' && b != 0x7f);
}

static bool is_tchar(uint8_t b)
{
	return http_is_token(span_make(&b, 1));
}

static int on_size(struct http_chunk *c, uint8_t b, const char **why)
{
	int digit = hex_digit(b);

	if (digit >= 0 && c->line > DIGITS_MAX)
		return bad(why, "a chunk size of more than 15 digits");
	if (digit >= 0) {
		c->left = c->left << 4 | (uint64_t)digit;
		return S_SIZE;
	}
	if (c->line == 1)
		return bad(why, "a chunk without a size");
	if (b == ' ' || b == '\t')
		return S_BWS;
	if (b == ';')
		return S_EXT;
	return b == '\r' ? S_SIZE_LF : bad(why, "a malformed chunk size");
}

/* RFC 9112 §7.1.1 wants white space read before an extension; the grammar has none to pad a size with. */
static int on_bws(uint8_t b, const char **why)
{
	if (b == ';')
		return S_EXT;
	return b == ' ' || b == '\t' ? S_BWS : bad(why, "white space after a chunk size");
}

static int on_ext(uint8_t b, const char **why)
{
	if (b == '\r')
		return S_SIZE_LF;
	return is_text(b) ? S_EXT : bad(why, "a control character in a chunk extension");
}

static int on_lf(struct http_chunk *c, uint8_t b, int next, const char **why)
{
	if (b != '\n')
		return bad(why, "a bare CR in the chunked coding");
	c->line = 0;
	return next;
}

static int on_line(uint8_t b, const char **why)
{
	if (b == '\r')
		return S_END_LF;
	return is_tchar(b) ? S_NAME : bad(why, "a malformed trailer field");
}

static int on_name(uint8_t b, const char **why)
{
	if (b == ':')
		return S_VALUE;
	return is_tchar(b) ? S_NAME : bad(why, "a malformed trailer field");
}

static int on_value(uint8_t b, const char **why)
{
	if (b == '\r')
		return S_VALUE_LF;
	return is_text(b) ? S_VALUE : bad(why, "a control character in a trailer field");
}

/* One byte of framing; the next state or -1. */
static int step(struct http_chunk *c, uint8_t b, const char **why)
{
	switch ((enum state)c->st) {
	case S_SIZE:
		return on_size(c, b, why);
	case S_BWS:
		return on_bws(b, why);
	case S_EXT:
		return on_ext(b, why);
	case S_SIZE_LF:
		return on_lf(c, b, c->left > 0 ? S_DATA : S_LINE, why);
	case S_DATA_CR:
		return b == '\r' ? S_DATA_LF : bad(why, "chunk data that run past their size");
	case S_DATA_LF:
		return on_lf(c, b, S_SIZE, why);
	case S_LINE:
		return on_line(b, why);
	case S_NAME:
		return on_name(b, why);
	case S_VALUE:
		return on_value(b, why);
	case S_VALUE_LF:
		return on_lf(c, b, S_LINE, why);
	case S_END_LF:
		return on_lf(c, b, S_DONE, why);
	case S_DATA:
	case S_DONE:
		break;
	}
	return bad(why, "a chunk state without framing");
}

/* Counted before the byte is looked at: the limits include the CRLF. */
static int count(struct http_chunk *c, const char **why)
{
	if (c->st >= S_LINE)
		return ++c->trailer > HTTP_HEAD_MAX ? bad(why, "a trailer section of more than 64 KiB") : 0;
	return ++c->line > HTTP_CHUNK_LINE_MAX ? bad(why, "a chunk size line of more than 4096 bytes") : 0;
}

static void enter(struct http_chunk *c, int st)
{
	c->st = (uint8_t)st;
	c->done = st == S_DONE;
}

static size_t take_data(struct http_chunk *c, size_t n)
{
	size_t take = c->left < n ? (size_t)c->left : n;

	c->left -= take;
	if (c->left == 0)
		enter(c, S_DATA_CR);
	return take;
}

void http_chunk_init(struct http_chunk *c)
{
	memset(c, 0, sizeof(*c));
	enter(c, S_SIZE);
}

ssize_t http_chunk_feed(struct http_chunk *c, const void *p, size_t n, const uint8_t **data, size_t *ndata,
    const char **why)
{
	const uint8_t *b = p;
	size_t i = 0;

	*data = b;
	*ndata = 0;
	if (n > SSIZE_MAX)
		n = SSIZE_MAX;
	if (c->bad)
		return bad(why, "the chunked coding was broken before");
	while (i < n && !c->done && c->st != S_DATA) {
		int next = count(c, why) < 0 ? -1 : step(c, b[i], why);

		if (next < 0) {
			c->bad = true;
			return -1;
		}
		enter(c, next);
		i++;
	}
	if (c->st == S_DATA && i < n) {
		*data = b + i;
		*ndata = take_data(c, n - i);
	}
	return (ssize_t)(i + *ndata);
}
