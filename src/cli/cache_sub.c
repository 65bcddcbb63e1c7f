#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/cache_sub.h"
#include "store/entry.h"
#include "store/store.h"

void cache_sub_print(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			printf("\\x%02x", (unsigned char)s.p[i]);
		else
			putchar(s.p[i]);
}

bool cache_sub_is_dash(const char *file)
{
	return strcmp(file, "-") == 0;
}

int cache_sub_load(struct store *s, const char *name, struct entry **out)
{
	struct buf image;
	int rc;

	buf_init(&image, ENTRY_FILE_MAX);
	rc = file_read_at(store_dirfd(s), name, ENTRY_FILE_MAX, &image, NULL, NULL);
	if (rc != 0) {
		buf_free(&image);
		return rc == ERR_LIMIT ? ERR_DAMAGED : 0;
	}
	return entry_parse(&image, out, NULL) == 0 ? 1 : ERR_DAMAGED;
}

bool cache_sub_is_sound(const struct entry *e, const char *name)
{
	return entry_cid_ok(e) && cache_named_hash_ok(e, name);
}

int cache_sub_reopen(const struct file_hold *h, struct err *err)
{
	int fd = openat(h->dirfd, h->tmp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 ? fd : err_sys(err, ERR_IO, "reading %s", h->tmp);
}

int cache_sub_copy(int from, int to, const char *what, struct err *err)
{
	static uint8_t bytes[65536];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) != 0)
		if ((n < 0 && errno != EINTR) || (n > 0 && file_write_all(to, bytes, (size_t)n) != 0))
			return err_sys(err, ERR_IO, "%s", what);
	return 0;
}
