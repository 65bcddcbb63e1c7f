/*
 * Files: whole reads with a ceiling, writes that readers see whole or not at all, folders with the right
 * mode.
 *
 * A write is held (a temporary file beside the target, O_EXCL, 0600 until committed), then committed by
 * rename(2) or rolled back; between the two nothing is visible. This is the only file that calls rename.
 * Every system call of a write passes file_fault first, so that a test can stop the process at each one.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct buf;
struct err;

/* Append the whole file; 0, ERR_NOTFOUND, ERR_LIMIT (larger than `max` or than buf allows), ERR_IO. Symbolic
 * links in the last place are followed only with `follow`. Only regular files are read. */
int file_read(const char *path, size_t max, bool follow, struct buf *, struct err *);
int file_read_at(int dirfd, const char *name, size_t max, struct buf *, struct stat *, struct err *);

#define FILE_TMP_MAX 1024	/* longer paths below dirfd are refused with ERR_IO */
struct file_hold {
	int dirfd;		/* borrowed; AT_FDCWD allowed */
	int fd;			/* -1: nothing held */
	char tmp[FILE_TMP_MAX];	/* name of the temporary file below dirfd */
};

/* `name` is below dirfd; its temporary file is called that (or its start, if long) and `.tmp-<pid>-<random>`.
 * A symbolic link called `name` is replaced, not followed. */
int file_hold(struct file_hold *, int dirfd, const char *name, struct err *);
int file_hold_write(struct file_hold *, const void *, size_t, struct err *);
/* chmod to `mode`, fsync file and folder if `sync`, rename. On failure it is rolled back (only when the
 * folder's fsync fails is the new file in place all the same). */
int file_commit(struct file_hold *, const char *name, mode_t mode, bool sync, struct err *);
void file_rollback(struct file_hold *);
/* All of it in one go. */
int file_write(int dirfd, const char *name, mode_t mode, bool sync, const void *, size_t, struct err *);
/* rename within or between folders of one file system; 0, ERR_NOTFOUND or ERR_IO. */
int file_move(int fromfd, const char *from, int tofd, const char *to, struct err *);
bool file_is_tmp(const char *name);

/* Whether the folder has that name, be it a link to nowhere. (faccessat(2) with flags is of Linux 5.8.) */
bool file_is_there(int dirfd, const char *name);
/* Within one folder and to the disk: rename over what is there, and unlink (one that is not there is fine;
 * with `scrub` it is called `<name>.gone` and overwritten first). 0, ERR_NOTFOUND (replace) or ERR_IO. */
int file_replace(int dirfd, const char *from, const char *to, struct err *);
int file_remove(int dirfd, const char *name, bool scrub, struct err *);

/* mkdir -p; only folders it makes get `mode` (less the umask). */
int file_mkdirs(const char *path, mode_t mode, struct err *);

/* write(2) until done, also where the descriptor does not block; -1 with errno. */
int file_write_all(int fd, const void *, size_t);

/* For tests: the n-th system call of a write from now on ends the process with _exit(137) (0: never). */
void file_fault_after(unsigned n);
/* Other writers of what must last call it before each of their system calls. */
void file_fault(void);

#endif
