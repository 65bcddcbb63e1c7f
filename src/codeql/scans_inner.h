/*
 * The folder of scans as its own two files see it: scans.c finds and keeps, scans_sweep.c removes.
 */
#ifndef CODEQL_SCANS_INNER_H
#define CODEQL_SCANS_INNER_H

#include "codeql/scans.h"

struct store;

struct scans {
	struct scans_params p;
	struct store *store;
	char *dir;
	int sarif, trees, counted;	/* descriptors of the folders; -1: not there */
};

#endif
