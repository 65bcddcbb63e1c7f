/*
 * store/epochs: the input is "target LF file". Whatever the file is, rows can be added, and who reads the
 * file that is written then sees what the writer sees.
 *
 * max_len: 4096
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/epochs.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char tag[] = "00112233445566778899aabbccddeeff";

/* Rows older than the file keeps, or as far ahead, may be gone for a new reader. */
static void check_seen(struct store *s, struct epochs *writer, struct span target, int64_t oldest)
{
	struct epochs *reader = epochs_new(s);
	int64_t a = epochs_latest(writer, span_of(tag), target),
		b = epochs_latest(reader, span_of(tag), target);

	assert(a >= 0 && b >= 0 && b <= a);
	assert(a == b || a < oldest || a > oldest + 2 * (EPOCHS_KEEP_S - 60) * CLOCK_SEC);
	epochs_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct store *s;		/* in the folder where the fuzzer runs */
	struct span file = span_make(data, size), target;
	int64_t now = clock_wall(), oldest = now - (EPOCHS_KEEP_S - 60) * CLOCK_SEC;
	struct epochs *e;

	if (s == NULL && store_open("store", &s, NULL) != 0)
		abort();
	if (size == 0 || !span_cut(&file, '\n', &target) || file.p == NULL)
		return 0;
	if (file_write(store_dirfd(s), ".epochs", 0600, false, file.p, file.n, NULL) != 0)
		abort();
	e = epochs_new(s);
	check_seen(s, e, target, oldest);
	/* a path that a request may have holds nothing that would be another line or column */
	if (span_starts(target, "/") && span_chr(target, '\t') < 0 && span_chr(target, '\0') < 0 &&
	    span_chr(target, '?') < 0) {
		assert(epochs_add(e, span_of("*"), &target, 1, now, NULL) == 0);
		assert(epochs_latest(e, span_of("other"), target) >= now);
	} else {
		assert(epochs_add(e, span_of(tag), NULL, 0, now, NULL) == 0);
	}
	check_seen(s, e, target, oldest);
	epochs_free(e);
	return 0;
}
