/*
 * codeql/sarif: any file. However it is cut, the same events come; what is JSON after the cuts was JSON
 * before; what was read can be counted, and the counts add up.
 *
 * max_len: 8192
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "codeql/edits.h"
#include "codeql/sarifcount.h"
#include "codeql/sarifscan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int note(void *arg, const struct sarif_event *e, struct err *err)
{
	(void)err;
	buf_addf(arg, "%d %d %u %u %d\n", e->what, e->ev, (unsigned)e->at, (unsigned)e->end, e->empty);
	return 0;
}

static int scan(const uint8_t *data, size_t size, size_t step, struct buf *log)
{
	struct sarifscan *s = sarifscan_new(note, log);
	struct err err;
	int rc = 0;

	err_init(&err);
	for (size_t at = 0; at < size && rc == 0; at += step)
		rc = sarifscan_feed(s, data + at, size - at < step ? size - at : step, &err);
	if (rc == 0)
		rc = sarifscan_end(s, &err);
	sarifscan_free(s);
	return rc;
}

static int on_cut(void *arg, uint64_t from, uint64_t to)
{
	return edits_cut(arg, from, to);
}

static int append(void *arg, const void *p, size_t n, struct err *err)
{
	(void)err;
	buf_add(arg, p, n);
	return 0;
}

static void read_file(int fd)
{
	struct sarif_counts c;
	struct edits edits;
	struct sarif s;
	struct buf out;
	struct err err;

	err_init(&err);
	edits_init(&edits);
	buf_init(&out, BUF_MAX_ANY);
	if (sarif_read(fd, &s, on_cut, &edits, &err) == 0) {
		sarif_evidence(&s, &err);
		err_init(&err);
		if (sarifcount_walk(fd, &s, &c, NULL, NULL, &err) == 0)
			assert(c.results == c.level[0] + c.level[1] + c.level[2] + c.level[3]);
		assert(edits_apply(&edits, fd, append, &out, &err) == 0 && jscan_valid(buf_span(&out)));
	} else {
		assert(err.msg[0] != '\0');
	}
	sarif_free(&s);
	edits_free(&edits);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("sarif", MFD_CLOEXEC);
	struct buf whole, cut;

	buf_init(&whole, BUF_MAX_ANY);
	buf_init(&cut, BUF_MAX_ANY);
	int rc = scan(data, size, SIZE_MAX / 2, &whole);
	for (size_t step = 1; step < 40; step += 13) {
		buf_clear(&cut);
		assert(scan(data, size, step, &cut) == rc);
		assert(span_same(buf_span(&whole), buf_span(&cut)));
	}
	assert(write(fd, data, size) == (ssize_t)size);
	read_file(fd);
	close(fd);
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
