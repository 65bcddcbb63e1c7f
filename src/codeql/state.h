/*
 * What `check` leaves for `store` of the same job: key and fingerprint as they were before the build. A file
 * of mode 0600 in the runner's folder for the job's temporary files.
 */
#ifndef CODEQL_STATE_H
#define CODEQL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "codeql/scan.h"

struct err;

#define STATE_MAX ((size_t)256 << 10)

struct state {
	struct scan scan; /* all that is known before the scan: key, event, ref, class, fields; as `started`
			     the time of the check */
	char run[256];				/* which job: "<run id>/<attempt>/<job>"; "" none */
	bool sampled;				/* a hit that is scanned all the same */
	uint64_t expected[2];			/* then: the digest of the stored results */
	struct buf text;			/* scan.fields points into it */
};

/* Replaces what is there. ERR_IO, ERR_INTERNAL. */
int state_write(const char *path, const struct state *, struct err *);
/* ERR_NOTFOUND; ERR_DENIED (a link, another user's, or others can write it); ERR_DAMAGED. state_free in every
 * case. */
int state_read(const char *path, struct state *, struct err *);
void state_free(struct state *);

#endif
