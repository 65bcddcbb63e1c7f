#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "codeql/filehash.h"

#define BUF_SIZE ((size_t)128 << 10)
#define TRIES 3

int filehash_init(struct filehash *h, enum objid_format f)
{
	h->format = f;
	h->bytes = 0;
	h->buf = malloc(BUF_SIZE);
	return h->buf ? 0 : ERR_INTERNAL;
}

void filehash_free(struct filehash *h)
{
	free(h->buf);
	h->buf = NULL;
}

static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t r;

	do
		r = read(fd, p, n);
	while (r < 0 && errno == EINTR);
	return r;
}

/* Exactly `size` bytes and then the end. One read does for what fits with a byte to spare. */
static enum filehash_result read_all(struct filehash *h, int fd, uint64_t size, uint8_t id[static OBJID_MAX])
{
	struct objid_hash o;
	uint64_t got = 0;

	objid_blob_start(&o, h->format, size);
	for (;;) {
		size_t want = size - got < BUF_SIZE ? (size_t)(size - got) + 1 : BUF_SIZE;
		ssize_t n = read_some(fd, h->buf, want);

		if (n < 0)
			return errno == EISDIR ? FILEHASH_CHANGING : FILEHASH_UNREADABLE;
		got += (uint64_t)n;
		h->bytes += (uint64_t)n;
		if (got > size)
			return FILEHASH_CHANGING;
		objid_add(&o, h->buf, (size_t)n);
		/* a regular file gives less than was asked for at its end alone */
		if ((size_t)n < want)
			break;
	}
	if (got != size)
		return FILEHASH_CHANGING;
	objid_out(&o, id);
	return FILEHASH_OK;
}

enum filehash_result filehash_fd(struct filehash *h, int fd, struct stat *st, uint8_t id[static OBJID_MAX])
{
	enum filehash_result rc = FILEHASH_CHANGING;

	for (int i = 0; rc == FILEHASH_CHANGING && i < TRIES; i++) {
		if (i > 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || lseek(fd, 0, SEEK_SET) < 0))
			break;
		rc = read_all(h, fd, (uint64_t)st->st_size, id);
	}
	return rc;
}

enum filehash_result filehash_file(struct filehash *h, int dir, const char *name, struct stat *st,
    uint8_t id[static OBJID_MAX])
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno == ENOENT ? FILEHASH_GONE
		    : errno == ELOOP   ? FILEHASH_CHANGING
				       : FILEHASH_UNREADABLE;
	enum filehash_result rc = filehash_fd(h, fd, st, id);
	int saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/* 1: git would make this blob of it; 0: another one; -1: it would change nothing. */
static int adds_as(struct filehash *h, int dir, const char *name, const struct convert *c,
    const uint8_t *blob)
{
	struct buf bytes, clean;
	uint8_t now[OBJID_MAX];
	int rc = 0;

	buf_init(&bytes, FILEHASH_CLEAN_MAX);
	buf_init(&clean, FILEHASH_CLEAN_MAX + FILEHASH_CLEAN_MAX / 8);
	if (file_read_at(dir, name, FILEHASH_CLEAN_MAX, &bytes, NULL, NULL) < 0)
		goto out;
	rc = -1;
	if (!convert_clean(c, buf_span(&bytes), &clean))
		goto out;
	objid_blob(now, h->format, buf_data(&clean), buf_len(&clean));
	rc = !clean.failed && memcmp(now, blob, objid_len(h->format)) == 0;
out:
	buf_free(&bytes);
	buf_free(&clean);
	return rc;
}

bool filehash_same(struct filehash *h, int dir, const char *name, const struct convert *c, const uint8_t *raw,
    const uint8_t *blob)
{
	bool equal = memcmp(raw, blob, objid_len(h->format)) == 0;
	/* these change a file whatever the blob holds; AUTO and LFS leave alone what is like the blob */
	bool always = c->crlf == CONVERT_TEXT || c->ident;

	if (!c->any || (equal && !always))
		return equal;
	int rc = adds_as(h, dir, name, c, blob);
	return rc < 0 ? equal : rc;
}
