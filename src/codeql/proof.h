/*
 * Do these results belong to this tree? For each result with a primaryLocationLineHash the hash is computed
 * anew from the file it names; with `fill`, for each one that lacks it too, as the upload action would.
 *
 * It shows that what is listed belongs here, not that nothing was left out. Each file is read once, however
 * many results name it. Addresses are taken as the upload action takes them: percent-decoded, below the
 * source folder, "file://" allowed; one that leaves the folder or has another scheme cannot be filled, and a
 * hash on it is a mismatch. 32 bytes a result and each address once; at most PROOF_RESULTS_MAX results.
 */
#ifndef CODEQL_PROOF_H
#define CODEQL_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "codeql/linehash.h"
#include "codeql/sarifcount.h"

struct err;
struct proof;

#define PROOF_RESULTS_MAX 262144	/* GitHub takes 25,000 of a run */
#define PROOF_FILE_MAX ((size_t)64 << 20)

/* `source` is borrowed. NULL: no memory. */
struct proof *proof_new(const char *source, bool fill);
void proof_free(struct proof *);
/* A sarif_result_fn whose arg is the proof. ERR_LIMIT: too many. */
int proof_add(void *proof, const struct sarif_result *, struct err *);

struct proof_fault {
	uint64_t number;		/* of the result */
	char text[256];			/* "result 3 (py/x, a.py:12): …" */
};

/* 1: all fit; 0: one does not, and `fault` says which and why; ERR_INTERNAL. */
int proof_run(struct proof *, struct proof_fault *, struct err *);
size_t proof_checked(const struct proof *);

/* After proof_run with `fill`: the results that had none and can have one. `at` and `empty` say where. */
struct proof_fill {
	uint64_t at; /* behind a "{": of partialFingerprints if `inside`, else of the result */
	bool inside, empty;
	struct linehash_value value;
};
bool proof_next(const struct proof *, size_t *i, struct proof_fill *);

#endif
