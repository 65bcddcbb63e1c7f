/*
 * A store in a folder of its own, "s" below an empty folder, for each test; and what tests do to its files.
 */
#ifndef UNIT_STORE_FOLDER_H
#define UNIT_STORE_FOLDER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "made.h"
#include "store/store.h"

static struct store *store;

static inline int folder_setup(void **state)
{
	char dir[] = "store.XXXXXX";

	(void)state;
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) != 0 || chdir(dir) != 0)
		return -1;
	return store_open("s", &store, NULL);
}

static inline int folder_teardown(void **state)
{
	(void)state;
	store_free(store);
	store = NULL;
	return chdir("..");
}

/* Run in a process of its own, `fn` says 0 or the line that failed; the exit status. */
static inline int in_child(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define CHECK(what) do { if (!(what)) return __LINE__ % 256; } while (0)
#define NOBODY 65534

/* For a child: nobody whom a file's mode does not concern. */
static inline int be_nobody(void)
{
	return geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0);
}

/* What a child may read and not write. */
static inline void make_read_only(void)
{
	if (geteuid() == 0)
		assert_int_equal(chown("s", NOBODY, NOBODY), 0);
	assert_int_equal(chmod("s", 0500), 0);
}

static inline void put_body(struct span auth, const char *body)
{
	struct entry_parts p = made_parts();
	struct entry *e;

	p.auth = auth;
	p.body = span_of(body);
	if (span_eq(auth, ENTRY_PUBLIC))
		p.proof_key = NULL;
	e = made(&p);
	assert_int_equal(store_put(store, e, NULL), 0);
	entry_unref(e);
}

/* The stored body of KEY and this auth is that; NULL: there is none. */
static inline void expect_body(const char *auth, const char *body)
{
	struct entry *e = NULL;
	unsigned corrupt = 0;
	int rc = store_get(store, span_of(KEY), span_of(auth),
	    strcmp(auth, ENTRY_PUBLIC) != 0 ? made_key : NULL, &e, &corrupt);

	assert_int_equal(rc, body != NULL);
	assert_int_equal(corrupt, 0);
	if (body != NULL)
		assert_true(span_eq(e->body, body));
	entry_unref(body != NULL ? e : NULL);
}

static inline void expect_last(const char *body)
{
	struct entry *e = NULL;
	unsigned corrupt = 0;

	assert_int_equal(store_get_last(store, span_of(KEY), &e, &corrupt), body != NULL);
	assert_int_equal(corrupt, 0);
	if (body != NULL)
		assert_true(span_eq(e->body, body));
	entry_unref(body != NULL ? e : NULL);
}

static inline void write_file(const char *name, const void *p, size_t n)
{
	assert_int_equal(file_write(AT_FDCWD, name, 0600, false, p, n, NULL), 0);
}

static inline void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static inline void set_mtime(const char *name, int64_t seconds)
{
	struct timespec t[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	assert_int_equal(utimensat(AT_FDCWD, name, t, 0), 0);
}

static inline bool is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

/* Files of a folder whose names are not of the kind that `ignore` says. */
static inline unsigned count_files(const char *dir, bool (*ignore)(const char *))
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	if (d == NULL)
		return 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_type == DT_REG && (ignore == NULL || !ignore(e->d_name));
	closedir(d);
	return n;
}

#endif
