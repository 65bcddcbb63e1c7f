#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cred/audit_key.h"
#include "cred/sweep.h"

#define GONE ".gone"
#define OLD_S 3600

static const struct {
	const char *name;
	enum { VAULT, AUDIT, NONE } lock;	/* under which it is written */
} ours[] = { { "credentials.json.enc", VAULT }, { "credentials.json.enc.good", VAULT },
	{ ".master_key", VAULT }, { ".master_key.next", VAULT }, { ".passphrase", VAULT },
	{ ".passphrase.next", VAULT }, { ".keyring.next", VAULT }, { AUDIT_KEY_FILE, AUDIT },
	{ AUDIT_KEY_NEXT, AUDIT }, { ".access", NONE } };

static bool is_old(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < time(NULL) - OLD_S;
}

/* Is `file` a temporary file of one of ours, and nobody's at work? */
static bool is_left(int dirfd, const char *file, const char *tmp, bool audit)
{
	size_t stem = 0;

	if (!file_is_tmp(tmp))
		return false;
	for (const char *p = tmp; (p = strstr(p, ".tmp-")) != NULL; p++)
		stem = (size_t)(p - tmp);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strlen(ours[i].name) == stem && strncmp(ours[i].name, tmp, stem) == 0)
			return ours[i].lock == VAULT || (audit && ours[i].lock == AUDIT) ||
			    is_old(dirfd, file);
	return false;
}

static void look_at(int dirfd, const char *file, bool audit)
{
	char tmp[FILE_TMP_MAX];
	size_t n = strlen(file), tail = strlen(GONE);
	bool gone = n > tail && strcmp(file + n - tail, GONE) == 0;

	snprintf(tmp, sizeof(tmp), "%.*s", (int)(gone ? n - tail : n), file);
	/* one that is called gone was overwritten already, or is what an overwriting left */
	if (is_left(dirfd, file, tmp, audit))
		file_remove(dirfd, file, !gone, NULL);
}

void sweep_folder(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int lock = openat(dirfd, AUDIT_LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool audit = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		look_at(dirfd, e->d_name, audit);
	if (d != NULL)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	if (lock >= 0)
		close(lock);
}
