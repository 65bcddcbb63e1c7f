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

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
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

/* Whatever was read: rows of three columns, of visible bytes. */
static void check_file(struct store *s)
{
	struct span text, line, column;
	struct buf b;

	buf_init(&b, BUF_MAX_ANY);
	assert(file_read_at(store_dirfd(s), ".epochs", (size_t)8 << 20, &b, NULL, NULL) == 0);
	for (text = buf_span(&b); text.n > 0 && span_cut(&text, '\n', &line);)
		for (int i = 0; i < 3; i++) {
			assert(span_cut(&line, '\t', &column) && column.n > 0);
			for (size_t k = 0; k < column.n; k++)
				assert(column.p[k] > ' ' && column.p[k] <= '~');
			assert(i < 2 || (line.n == 0 && column.p[0] == '/'));
		}
	buf_free(&b);
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
	/* what would be another line or column is refused, and then nothing is written */
	if (!epochs_prefix_ok(target, true)) {
		assert(epochs_add(e, span_of("*"), &target, 1, now, NULL) == ERR_PROTO);
		assert(epochs_add(e, span_of(tag), NULL, 0, now, NULL) == 0);
	} else {
		assert(epochs_add(e, span_of("*"), &target, 1, now, NULL) == 0);
		assert(span_chr(target, '?') >= 0 || epochs_latest(e, span_of("other"), target) >= now);
	}
	check_file(s);
	check_seen(s, e, target, oldest);
	epochs_free(e);
	return 0;
}
