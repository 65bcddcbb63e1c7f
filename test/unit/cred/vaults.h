/*
 * A credential folder of its own, "c" below an empty folder, for each test.
 */
#ifndef UNIT_CRED_VAULTS_H
#define UNIT_CRED_VAULTS_H

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/safe.h"
#include "cred/rekey.h"
#include "cred/vault.h"

static struct safe safe;
static struct err err;
static char notes[4096];
static const char *words, *new_words;	/* the passphrase, where it is another than below */
static unsigned rounds;			/* of a new passphrase */
static unsigned kernel_s;		/* of the kernel's keyring as a cache */

static void note(void *arg, const char *sentence)
{
	(void)arg;
	strncat(notes, sentence, sizeof(notes) - strlen(notes) - 1);
}

static inline int vaults_setup(void **state)
{
	char dir[] = "cred.XXXXXX";

	(void)state;
	err_init(&err);
	notes[0] = '\0';
	if (mkdtemp(dir) == NULL || chdir(dir) != 0)
		return -1;
	return safe_new(&safe, 16 << 20, NULL);
}

static inline int vaults_teardown(void **state)
{
	(void)state;
	safe_free(&safe);
	return chdir("..");
}

static inline int ask_words(void *arg, bool fresh, struct buf *out, struct err *e)
{
	(void)e;
	buf_adds(out, arg != NULL				? arg
		: fresh && new_words != NULL ? new_words
		: words != NULL				     ? words
							     : "correct horse battery");
	return 0;
}

static inline struct vault_params params(bool write)
{
	return (struct vault_params){ .dir = "c", .safe = &safe, .write = write, .note = note,
		.place = { .ask = ask_words, .cache_s = kernel_s, .rounds = rounds } };
}

/* NULL: it failed, and err says how. */
static inline struct vault *try_open(bool write)
{
	struct vault_params p = params(write);
	struct vault *v = NULL;

	err_init(&err);
	safe.used = 0;
	return vault_open(&p, &v, &err) == 0 ? v : NULL;
}

static inline struct vault *opened(bool write)
{
	struct vault *v = try_open(write);

	if (v == NULL)
		print_message("%s\n", err.msg);
	assert_non_null(v);
	return v;
}

static inline int commit(struct vault *v, const char *action)
{
	const struct audit_event e = { .action = action, .credential = span_of("X") };

	return vault_commit(v, &e, &err);
}

static inline void put(struct vault *v, const char *name, enum scope scope, const char *filter,
    const char *value)
{
	const struct vault_entry e = { .name = span_of(name), .scope = scope,
		.filter = filter != NULL ? span_of(filter) : span_make(NULL, 0), .value = span_of(value),
		.expires = RECORD_NEVER };

	assert_int_equal(vault_put(v, &e, &err), 0);
}

static inline void keep(const char *name, const char *value)
{
	struct vault *v = opened(true);

	put(v, name, SCOPE_GLOBAL, NULL, value);
	assert_int_equal(commit(v, "store"), 0);
	vault_free(v);
}

/* The value in `room`, NULL: there is none such or it does not open. */
static inline const char *value_of(const struct vault *v, const char *name, char room[static 256])
{
	const struct scope_caller nobody = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	bool others;
	struct record *r = recordset_match(&v->set, span_of(name), &nobody, &others);
	struct buf b;

	if (r == NULL || r->state == RECORD_BAD || r->state == RECORD_ROTATED)
		return NULL;
	safe_buf(&safe, &b, 256);
	if (vault_value(v, r->value, &b, NULL) != 0)
		return NULL;
	span_copy(room, 256, buf_span(&b));
	return room;
}

static inline size_t slurp(const char *path, uint8_t *to, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, to, room);

	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static inline void spill(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

#endif
