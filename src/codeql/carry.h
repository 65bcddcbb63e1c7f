/*
 * Scans of one configuration, with their SARIF, into an archive (store/carfile.h) and out of it: how results
 * travel from job to job in a sealed archive.
 *
 * Out go entries that are evidence in this folder: signed by a trusted key, or this folder's own. Coming in,
 * an entry that a trusted key signed stays as it is. Where no key is configured an entry becomes this
 * folder's own, whatever folder it was made in: that is for archives alone whose seal shows that a job with
 * the same secret made them, from its own evidence. Where keys are configured an unsigned one is left out.
 * Nothing is signed here.
 *
 * A block is an entry's file, or a SARIF; that stands before the entry that names it by its CID.
 */
#ifndef CODEQL_CARRY_H
#define CODEQL_CARRY_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct scans;

#define CARRY_SCANS_MAX 256

struct carried {
	size_t n;			/* entries written out, or taken in */
	size_t kept;			/* in: as new or newer here */
	size_t left_out;		/* out: did not fit; in: no evidence, or without its SARIF */
	char newest[65];		/* out: the fingerprint of the newest */
};

/* The newest first, as many as fit into `max` bytes. */
int carry_out(struct scans *, const char *config, int64_t max_age, int fd, uint64_t max, struct carried *,
    struct err *);
/* All of it is checked before anything is written. ERR_DAMAGED: no such archive. */
int carry_in(struct scans *, int fd, struct carried *, struct err *);

#endif
