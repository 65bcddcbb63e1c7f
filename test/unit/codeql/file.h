/* A text as an open file, for what reads descriptors. */
#ifndef UNIT_CODEQL_FILE_H
#define UNIT_CODEQL_FILE_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

static inline int file_of(struct span text)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
	return fd;
}

/* One run of the tool T with these rules and results. */
#define RUN(rules, results)                                                                                  \
	"{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"T\",\"rules\":[" rules           \
	"]}},\"results\":[" results "]}]}"

#endif
