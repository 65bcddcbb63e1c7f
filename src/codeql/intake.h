/*
 * From the SARIF a tool wrote to the one that is kept: checked, without noise, with a category and
 * fingerprints.
 *
 * The file is read as it is and copied by offsets (codeql/edits): noise goes (codeql/sarifscan), a run
 * without automationDetails.id gets the one that the CodeQL action would give, a result without
 * primaryLocationLineHash gets it. Of a folder all *.sarif become one file with all their runs. The copy is
 * then read again: only what is said of the copy counts, so a file that changes meanwhile harms nobody.
 */
#ifndef CODEQL_INTAKE_H
#define CODEQL_INTAKE_H

#include "base/str.h"
#include "codeql/sarifcount.h"
#include "crypto/cid.h"

struct buf;
struct err;

/* Append what github/codeql-action gives a run: the category and a '/', else "<workflow path>:<job>/" and for
 * each member of the matrix (a JSON object, or "") in order "name:value/", where only strings have a value.
 * Nothing where neither is known. */
void intake_category(const char *category, const char *workflow, const char *job, const char *matrix,
    struct buf *);

struct intake_params {
	int folder;			/* of the store's SARIF; the copy gets the name <cid>.sarif there */
	const char *source;		/* the tree, for fingerprints */
	int64_t not_before;		/* µs: a file that was last written before it is of another scan */
	const char *category;		/* as intake_category made it; "" none */
};

struct intake {
	char cid[CID_TEXT_LEN + 1];
	struct sarif sarif;		/* of the copy */
	struct sarif_counts counts;
	size_t proven;			/* results whose fingerprint was checked */
};

/* 0; ERR_DAMAGED (not SARIF), ERR_PROTO (no evidence of a scan, or of another tree), ERR_LIMIT, ERR_NOTFOUND,
 * ERR_IO, ERR_INTERNAL. intake_free in every case. */
int intake_take(const struct intake_params *, const char *path, struct intake *, struct err *);
void intake_free(struct intake *);

/* The stored file again: is it what its CID says, evidence, and of this tree? 0 with the counts; ERR_DAMAGED
 * (not there, other bytes, not SARIF), ERR_PROTO (not of this tree, the sentence names the result). */
int intake_prove(const char *path, const char *cid, const char *source, struct intake *, struct err *);

#endif
