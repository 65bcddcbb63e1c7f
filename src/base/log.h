/*
 * Diagnostics on stderr: one line a message, at or above a level, as text ("ghoard: warning: …") or JSON
 * ({"time":…,"level":…,"msg":…}). Control characters in a message are written as \xNN, so that a peer's bytes
 * can neither forge a line nor a workflow command. errno is preserved. No format here takes a secret.
 *
 * The sessions and cli log; engines and leaves return errors instead.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Called once, early; before that: text at LOG_WARN. `annotate`, when not NULL, is given errors and warnings
 * in place of the text line (inside GitHub Actions they become workflow commands). */
void log_setup(enum log_level, bool json, void (*annotate)(enum log_level, const char *msg));
void log_set_level(enum log_level);
bool log_level_parse(const char *, enum log_level *);
bool log_enabled(enum log_level);

void log_msg(enum log_level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For what strangers can cause at will: LOG_WARN a few times a minute, then LOG_INFO. */
#define LOG_RATION 5
struct log_ration {
	int64_t minute;
	unsigned n;
};
enum log_level log_ration(struct log_ration *);

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
