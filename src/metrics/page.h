/*
 * The page that shows the counters live: one document that asks nothing but `stats` beside it, every two
 * seconds, and passes its own query (the key) on. Text reaches it through textContent alone.
 *
 * It shows what the JSON has; keys it knows beyond report.h and recent.h are optional: credentials,
 * rate_limits [{token, resource, remaining, limit, reset}].
 */
#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

#define PAGE_MAX 24576		/* bytes of the document */

/* What the document may do, as its Content-Security-Policy says it; good for any other answer too. */
#define PAGE_POLICY "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " \
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

extern const char page_html[];

#endif
