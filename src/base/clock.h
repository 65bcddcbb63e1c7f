/*
 * Two clocks. Monotonic milliseconds order events and bound waits; the loop samples them once a pass.
 * Wall-clock microseconds since 1970 stand in files and headers.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span;

int64_t clock_mono(void);		/* ms */
int64_t clock_wall(void);		/* µs since the epoch, UTC */

#define CLOCK_SEC ((int64_t)1000000)	/* µs in a second */

/* RFC 9110 IMF-fixdate ("Sun, 22 Nov 2026 10:00:00 GMT"), the two obsolete forms too, as seconds; false: not
 * a date. */
bool clock_http_parse(struct span, int64_t *seconds);
/* RFC 3339 ("2026-11-22T10:00:00Z", with fraction or offset) as µs. */
bool clock_rfc3339_parse(struct span, int64_t *us);
#define CLOCK_RFC3339_LEN 21
void clock_rfc3339(char out[static CLOCK_RFC3339_LEN], int64_t us);	/* whole seconds, Z */

/* A duration for people: "0 s", "4 min 3 s", "2 h 5 min", "3 d 4 h". */
#define CLOCK_HUMAN_LEN 32
void clock_human(char out[static CLOCK_HUMAN_LEN], int64_t seconds);

#endif
