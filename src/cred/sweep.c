#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cred/sweep.h"

#define GONE ".gone"
#define OLD_S 3600

static const struct {
	const char *name;
	bool unlocked;			/* written by readers, too */
} ours[] = { { "credentials.json.enc", false }, { "credentials.json.enc.good", false },
	{ ".master_key", false }, { ".master_key.next", false }, { ".passphrase", false },
	{ ".passphrase.next", false }, { ".keyring.next", false }, { ".audit_key", true },
	{ ".audit_key.next", true }, { ".access", true } };

static bool is_old(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < time(NULL) - OLD_S;
}

/* Is `file` a temporary file of one of ours, and nobody's at work? */
static bool is_left(int dirfd, const char *file, const char *tmp)
{
	size_t stem = 0;

	if (!file_is_tmp(tmp))
		return false;
	for (const char *p = tmp; (p = strstr(p, ".tmp-")) != NULL; p++)
		stem = (size_t)(p - tmp);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strlen(ours[i].name) == stem && strncmp(ours[i].name, tmp, stem) == 0)
			return !ours[i].unlocked || is_old(dirfd, file);
	return false;
}

static void look_at(int dirfd, const char *file)
{
	char tmp[FILE_TMP_MAX];
	size_t n = strlen(file), tail = strlen(GONE);
	bool gone = n > tail && strcmp(file + n - tail, GONE) == 0;

	snprintf(tmp, sizeof(tmp), "%.*s", (int)(gone ? n - tail : n), file);
	/* one that is called gone was overwritten already, or is what an overwriting left */
	if (is_left(dirfd, file, tmp))
		file_remove(dirfd, file, !gone, NULL);
}

void sweep_folder(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		look_at(dirfd, e->d_name);
	closedir(d);
}
