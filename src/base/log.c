#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define MSG_MAX 2048			/* formatted; longer ones are cut */
#define LINE_SIZE (6 * MSG_MAX + 128)	/* "\u0001" for each byte, and what stands around */

static struct {
	enum log_level level;
	bool json;
	void (*annotate)(enum log_level, const char *);
} cfg = { .level = LOG_WARN };

static const char *const names[] = { "error", "warning", "info", "debug" };

void log_setup(enum log_level level, bool json, void (*annotate)(enum log_level, const char *msg))
{
	cfg.level = level;
	cfg.json = json;
	cfg.annotate = annotate;
}

void log_set_level(enum log_level level)
{
	cfg.level = level;
}

bool log_level_parse(const char *s, enum log_level *level)
{
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (span_ieq(span_of(s), names[i])) {
			*level = (enum log_level)i;
			return true;
		}
	if (!span_ieq(span_of(s), "warn"))
		return false;
	*level = LOG_WARN;
	return true;
}

bool log_enabled(enum log_level level)
{
	return level <= cfg.level;
}

enum log_level log_ration(struct log_ration *r)
{
	int64_t minute = clock_mono() / 60000 + 1;	/* 0 is: never yet */

	if (r->minute != minute)
		*r = (struct log_ration){ .minute = minute };
	return r->n++ < LOG_RATION ? LOG_WARN : LOG_INFO;
}

struct line {
	char p[LINE_SIZE];
	size_t n;
};

static void put(struct line *l, const char *p, size_t n)
{
	assert(n < sizeof l->p - l->n);
	memcpy(l->p + l->n, p, n);
	l->n += n;
}

static void puts_to(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Bytes of the UTF-8 sequence at p that may be shown as they are, 0 if it is to be escaped. */
static size_t plain(const char *p, size_t n)
{
	unsigned char c = (unsigned char)p[0];

	if (c < 0x20 || c == 0x7f)
		return 0;
	/* "##[command]" is obeyed by a runner wherever it stands in a line, not only at its start. */
	if (c == '#')
		return !(n > 2 && p[1] == '#' && p[2] == '[');
	if (c < 0x80)
		return 1;
	/* U+0080..U+009F are controls too: U+009B opens an escape sequence. */
	if (c == 0xc2 && n > 1 && (unsigned char)p[1] < 0xa0)
		return 0;
	size_t len = span_utf8_char(span_make(p, n), NULL);
	/* U+2028 and U+2029 end a line for some readers. */
	return len == 3 && memcmp(p, "\xe2\x80", 2) == 0 && ((unsigned char)p[2] & 0xfe) == 0xa8 ? 0 : len;
}

static void escape_text(struct line *l, const char *p, size_t n)
{
	char hex[8];

	for (size_t i = 0; i < n;) {
		size_t len = plain(p + i, n - i);
		if (len) {
			put(l, p + i, len);
			i += len;
			continue;
		}
		snprintf(hex, sizeof hex, "\\x%02x", (unsigned char)p[i++]);
		put(l, hex, 4);
	}
}

static void escape_json(struct line *l, const char *p, size_t n)
{
	char hex[8];

	for (size_t i = 0; i < n;) {
		size_t len = plain(p + i, n - i);
		if (len == 0 && ((unsigned char)p[i] < 0x80)) {
			snprintf(hex, sizeof hex, "\\u%04x", (unsigned char)p[i++]);
			put(l, hex, 6);
		} else if (len == 0) {
			/* JSON has no way to write a byte; the backslash is itself escaped. */
			snprintf(hex, sizeof hex, "\\\\x%02x", (unsigned char)p[i++]);
			put(l, hex, 5);
		} else {
			if (p[i] == '"' || p[i] == '\\')
				put(l, "\\", 1);
			put(l, p + i, len);
			i += len;
		}
	}
}

static void write_line(struct line *l)
{
	ssize_t r;

	l->p[l->n++] = '\n';
	/* One write a line, so that two processes on one pipe do not mix; there is nowhere to report that
	 * stderr is gone. */
	do
		r = write(STDERR_FILENO, l->p, l->n);
	while (r < 0 && errno == EINTR);
}

static void as_json(enum log_level level, const char *msg, size_t n)
{
	char when[CLOCK_RFC3339_LEN];
	struct line l;

	l.n = 0;
	clock_rfc3339(when, clock_wall());
	puts_to(&l, "{\"time\":\"");
	puts_to(&l, when);
	puts_to(&l, "\",\"level\":\"");
	puts_to(&l, names[level]);
	puts_to(&l, "\",\"msg\":\"");
	escape_json(&l, msg, n);
	puts_to(&l, "\"}");
	write_line(&l);
}

static void as_text(enum log_level level, const char *msg, size_t n)
{
	struct line l;

	l.n = 0;
	puts_to(&l, "ghoard: ");
	if (level != LOG_INFO) {
		puts_to(&l, names[level]);
		puts_to(&l, ": ");
	}
	size_t from = l.n;
	escape_text(&l, msg, n);
	if (level <= LOG_WARN && cfg.annotate) {
		l.p[l.n] = '\0';
		cfg.annotate(level, l.p + from);
		return;
	}
	write_line(&l);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char msg[MSG_MAX];
	int saved = errno;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	int n = vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	if (n >= 0) {
		size_t len = (size_t)n < sizeof msg ? (size_t)n : sizeof msg - 1;
		if (cfg.json)
			as_json(level, msg, len);
		else
			as_text(level, msg, len);
	}
	errno = saved;
}
