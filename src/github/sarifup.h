/*
 * Code scanning's upload (REST, POST /repos/{o}/{r}/code-scanning/sarifs): the request's body and what the
 * answers say. Pure, but for reading the SARIF file.
 *
 * GitHub takes gzip of at most 10 MB, in base64, for a full ref (refs/heads/x, refs/tags/x, refs/pull/N/merge
 * or /head) and a commit; it processes the file afterwards: pending, then complete or failed.
 */
#ifndef GITHUB_SARIFUP_H
#define GITHUB_SARIFUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct err;

#define SARIFUP_GZIP_MAX ((size_t)10 << 20)
#define SARIFUP_BODY_MAX (SARIFUP_GZIP_MAX / 3 * 4 + 65536)

struct sarifup {
	const char *commit, *ref, *tool, *checkout;	/* tool, checkout (a file URI): may be NULL */
	int64_t started;				/* µs; 0: not known */
};

/* Append the JSON body. ERR_USAGE (not a commit id, not a full ref), ERR_LIMIT (above 10 MB), ERR_IO. */
int sarifup_body(const struct sarifup *, int fd, struct buf *, struct err *);
/* refs/heads/…, refs/tags/…, refs/pull/N/merge, refs/pull/N/head */
bool sarifup_ref_ok(struct span ref);

enum sarifup_status { SARIFUP_PENDING, SARIFUP_COMPLETE, SARIFUP_FAILED, SARIFUP_ODD };
/* The id in the answer to the upload; false: there is none. */
bool sarifup_id(struct span answer, char *out, size_t size);
/* Of GET …/sarifs/{id}; `why` gets the errors of a failed one. */
enum sarifup_status sarifup_status(struct span answer, struct buf *why);

#endif
