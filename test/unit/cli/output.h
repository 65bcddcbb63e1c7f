/*
 * What a function prints on stdout, as text.
 */
#ifndef UNIT_CLI_OUTPUT_H
#define UNIT_CLI_OUTPUT_H

#include <stdlib.h>
#include <unistd.h>

#include "../base/cm.h"

static int output_saved;
static FILE *output_file;

static inline void output_begin(void)
{
	fflush(stdout);
	output_file = tmpfile();
	output_saved = dup(STDOUT_FILENO);
	assert_true(output_file != NULL && output_saved >= 0);
	assert_true(dup2(fileno(output_file), STDOUT_FILENO) >= 0);
}

/* To be freed. */
static inline char *output_end(void)
{
	char *text;
	long n;

	fflush(stdout);
	dup2(output_saved, STDOUT_FILENO);
	close(output_saved);
	n = lseek(fileno(output_file), 0, SEEK_END);
	text = calloc(1, (size_t)n + 1);
	assert_int_equal(pread(fileno(output_file), text, (size_t)n, 0), n);
	fclose(output_file);
	return text;
}

#endif
