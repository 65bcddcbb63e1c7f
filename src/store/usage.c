#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "store/store.h"
#include "store/usage.h"

struct usage {
	DIR *dir;
	int64_t entries, bytes;
};

struct usage *usage_start(struct store *s)
{
	int fd = openat(store_dirfd(s), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct usage *u = fd >= 0 ? calloc(1, sizeof(*u)) : NULL;

	if (u != NULL && (u->dir = fdopendir(fd)) != NULL)
		return u;
	if (fd >= 0)
		close(fd);
	free(u);
	return NULL;
}

void usage_free(struct usage *u)
{
	if (u == NULL)
		return;
	closedir(u->dir);
	free(u);
}

int usage_step(struct usage *u, int64_t *entries, int64_t *bytes)
{
	for (unsigned n = 0; n < USAGE_SLICE; n++) {
		const struct dirent *de = readdir(u->dir);
		struct stat st;

		if (de == NULL) {
			*entries = u->entries;
			*bytes = u->bytes;
			return 0;
		}
		if (de->d_name[0] == '.' || !span_ends(span_of(de->d_name), ".json") ||
		    fstatat(dirfd(u->dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		u->entries++;
		u->bytes += st.st_size;
	}
	return 1;
}
