#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/safe.h"
#include "cred/foreign.h"
#include "cred/rekey.h"
#include "cred/sweep.h"
#include "cred/vault.h"
#include "crypto/aead.h"

static void say(const struct vault *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct vault *v, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (v->p.note != NULL)
		v->p.note(v->p.note_arg, text);
}

/* ---- opening ---- */

static int say_none(const struct vault *v, struct err *err)
{
	return err_set(err, ERR_NOTFOUND, "there are no credentials in %s; 'ghoard cred set' keeps one",
	    v->p.dir);
}

static int open_dir(struct vault *v, struct err *err)
{
	struct stat st;

	if (v->p.write && !v->p.existing && file_mkdirs(v->p.dir, 0700, err) != 0)
		return ERR_IO;
	v->dirfd = open(v->p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->dirfd < 0 && errno == ENOENT)
		return say_none(v, err);
	if (v->dirfd < 0 || fstat(v->dirfd, &st) != 0)
		return err_sys(err, ERR_IO, "opening %s", v->p.dir);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_DENIED, "%s belongs to another user; run this as its owner",
		    v->p.dir);
	if ((st.st_mode & 022) != 0)
		return err_set(err, ERR_DENIED, "others can write in %s (mode %03o); chmod 700 it", v->p.dir,
		    (unsigned)st.st_mode & 0777);
	if ((st.st_mode & 077) != 0)
		fchmod(v->dirfd, 0700);
	return 0;
}

static int take_lock(struct vault *v, struct err *err)
{
	v->lockfd = openat(v->dirfd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* A folder that cannot be written can be read all the same; nobody writes there. */
	if (v->lockfd < 0 && !v->p.write && (errno == EROFS || errno == EACCES))
		return 0;
	if (v->lockfd < 0)
		return err_sys(err, ERR_IO, "locking %s", v->p.dir);
	while (flock(v->lockfd, v->p.write ? LOCK_EX : LOCK_SH) != 0)
		if (errno != EINTR)
			return err_sys(err, ERR_IO, "locking %s", v->p.dir);
	return 0;
}

struct opening {
	const struct vault *v;
	struct buf *image;
	bool open;			/* the image is its text, behind the nonce */
};

static bool opens(void *arg, const uint8_t *key)
{
	struct opening *o = arg;
	struct buf copy;

	buf_init(&copy, VAULT_FILE_MAX);
	buf_addspan(&copy, buf_span(o->image));
	o->open = !copy.failed && vault_unseal(key, buf_data(&copy), buf_len(&copy)) == 0;
	if (o->open) {
		buf_free(o->image);
		*o->image = copy;
		return true;
	}
	buf_free(&copy);
	/* A damaged store says nothing about the key; its good copy does. */
	return o->v->p.repair && vault_open_file(o->v, VAULT_GOOD, key, NULL, NULL) == 0;
}

static bool is_there(const struct vault *v, const char *name)
{
	return file_is_there(v->dirfd, name);
}

static int find_key(struct vault *v, struct buf *image, bool *open, struct err *err)
{
	struct opening o = { v, image, false };
	bool good = is_there(v, VAULT_GOOD);
	struct err why;
	int rc;

	if (!v->exists && good && !v->p.repair)
		return err_set(err, ERR_DAMAGED,
		    "%s/%s is gone, though there was one; 'ghoard cred doctor --repair' takes the last good "
		    "copy",
		    v->p.dir, VAULT_STORE);
	err_init(&why);
	rc = masterkey_find(&v->p.place, v->exists || good ? opens : NULL, &o, v->master, &v->source, &why);
	*open = o.open;
	/* A new key would lock us out of what is there. */
	if (rc == ERR_NOTFOUND && (v->exists || good || is_there(v, ".audit_key")))
		return err_set(err, ERR_DAMAGED,
		    "%s is in use and no key for it is there: put back .master_key, or name its "
		    "file in GHOARD_MASTER_KEY_FILE; nothing was changed",
		    v->p.dir);
	if (rc == ERR_NOTFOUND && (!v->p.write || v->p.existing))
		return say_none(v, err);
	if (rc != ERR_NOTFOUND)
		return rc == 0 ? 0 : err_set(err, rc, "%s", why.msg);
	v->source = MASTERKEY_MADE;
	rc = rand_bytes(v->master, MASTERKEY_LEN, err);
	return rc != 0 ? rc : masterkey_write(&v->p.place, MASTERKEY_MADE, v->master, err);
}

/* Is something in its place that cannot be one? */
static bool is_no_store(const struct vault *v)
{
	struct stat st;

	return fstatat(v->dirfd, VAULT_STORE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (!S_ISREG(st.st_mode) || (size_t)st.st_size > VAULT_FILE_MAX);
}

static int read_store(struct vault *v, struct buf *image, struct err *err)
{
	struct stat st;
	int rc;

	rc = file_read_at(v->dirfd, VAULT_STORE, VAULT_FILE_MAX, image, &st, err);
	v->exists = rc == 0;
	if (rc == ERR_NOTFOUND) {
		err_init(err);
		return 0;
	}
	if (rc == ERR_LIMIT || (rc == ERR_IO && err != NULL))
		err->cls = rc = ERR_DAMAGED;
	/* to be put aside, as a store that does not open is; a disk that fails now is another matter */
	if (rc == ERR_DAMAGED && v->p.repair && is_no_store(v)) {
		v->exists = true;
		buf_clear(image);
		err_init(err);
		rc = 0;
	}
	vault_sha(v, buf_span(image));
	return rc;
}

static int parse_store(struct vault *v, struct buf *image, bool open, struct err *err)
{
	struct err why;
	int rc;

	/* only its good copy is there: find_key has refused that but to repair it */
	v->damaged = !v->exists && is_there(v, VAULT_GOOD);
	if (!v->exists)
		return 0;
	err_init(&why);
	rc = open ? 0 : ERR_DAMAGED;
	if (rc == 0)
		rc = recordset_parse(&v->set,
		    span_make(buf_data(image) + AEAD_NONCE_LEN, buf_len(image) - VAULT_SEAL_EXTRA), v->mac,
		    &why);
	else
		err_set(&why, rc, "its seal does not fit");
	if (rc == ERR_DAMAGED && v->p.repair) {
		recordset_free(&v->set);
		v->damaged = true;
		return 0;
	}
	return rc == 0 ? 0
		       : err_set(err, rc, "%s/%s: %s; nothing was changed, see 'ghoard cred doctor'",
			     v->p.dir, VAULT_STORE, why.msg);
}

/* ---- what the log says about it ---- */

static int note_change(struct vault *v, const char *action, struct err *err)
{
	struct audit_event e = { .action = action, .credential = span_of("") };

	return vault_note(v, &e, err);
}

static int on_rollback(struct vault *v, uint64_t gen, struct err *err)
{
	if (v->p.accept_rollback) {
		say(v, "the older store is accepted: generation %" PRIu64 " in place of %" PRIu64, gen,
		    v->audit.gen);
		return note_change(v, "rollback_accepted", err);
	}
	v->rolled_back = true;
	if (v->p.repair)
		return 0;
	return err_set(err, ERR_DAMAGED,
	    "%s/%s is rolled back: its generation is %" PRIu64 ", and the log knows a later one, of %" PRIu64
	    "; nothing was changed, 'ghoard cred doctor' says what can be done", v->p.dir, VAULT_STORE, gen,
	    v->audit.gen);
}

/* With p.repair and a broken log: what is wrong with it is kept. */
static int tolerate(struct vault *v, int rc, struct err *err)
{
	if (rc != ERR_DAMAGED || !v->p.repair)
		return rc;
	v->log_broken = true;
	err_set(&v->log_why, rc, "%s", err->msg);
	err_init(err);
	return 0;
}

/* Of the newest line, by another program on top of it, by us without a line, or older. */
static int compare_store(struct vault *v, uint64_t gen, struct err *err)
{
	bool same = strcmp(v->sha, v->audit.sha) == 0, unlogged = gen > v->audit.high;
	int rc = 0;

	if (v->exists && !same && !unlogged && foreign_is_known(v)) {
		/* another reader may have noted it just now */
		rc = audit_tail(&v->audit, err);
		same = strcmp(v->sha, v->audit.sha) == 0;
		if (rc != 0 || !same)
			return rc != 0 ? rc : on_rollback(v, gen, err);
	}
	/* between the last write's and the highest ever lies only what was written before */
	if (!same && !unlogged && gen != v->audit.gen && (gen > v->audit.gen || !foreign_follows(v)))
		return on_rollback(v, gen, err);
	if (!v->exists)
		return 0;
	if (!same) {
		bool looks = v->p.repair && !v->p.write;

		say(v, "%s%s%s",
		    unlogged ? "the store's last write did not get as far as the log"
			     : "the store was written by another program since (the Python reference?)",
		    gen < v->audit.gen ? ", and its newest record is changed or gone" : "",
		    looks ? "" : "; noted");
		if (!looks)
			rc = note_change(v, unlogged ? "unlogged_write" : "foreign_write", err);
		if (rc != 0 || !unlogged)
			return rc;
	}
	/* cut off between the two, a write of ours left a value in the copy that it took from the store */
	return v->p.write && recordset_bad(&v->set) == 0 ? vault_renew_good(v, err) : 0;
}

/* A damaged record says of itself what it likes: that is no proof of a write. */
static uint64_t proven_gen(const struct recordset *s)
{
	uint64_t gen = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].state == RECORD_BOUND && s->list[i].gen > gen)
			gen = s->list[i].gen;
	return gen;
}

static int compare_log(struct vault *v, struct err *err)
{
	uint64_t gen = recordset_gen(&v->set);
	int rc = v->audit.has_key ? audit_tail(&v->audit, err) : 0;

	/* what we write has a generation, and a log that was begun before */
	if (rc == 0 && (gen > 0 || is_there(v, VAULT_GOOD)) && (v->audit.fresh || !v->audit.has_key))
		rc = err_set(err, ERR_DAMAGED,
		    "the audit log of %s and its key are gone, and an older store could not be told from the "
		    "newest: put them back, or 'ghoard cred doctor --restart-audit' begins another",
		    v->p.dir);
	/* a crash keeps one write from it, and the next command notes that */
	if (rc == 0 && proven_gen(&v->set) > v->audit.high + 1)
		rc = err_set(err, ERR_DAMAGED,
		    "the end of the audit log of %s was cut off: its last generation is %" PRIu64
		    ", the store's %" PRIu64
		    "; put that back, or 'ghoard cred doctor --restart-audit' begins another",
		    v->p.dir, v->audit.high, gen);
	v->high = v->audit.high > gen ? v->audit.high : gen;
	if (rc == 0 && !v->damaged && (v->audit.has_gen || gen > 0))
		return compare_store(v, gen, err);
	return tolerate(v, rc, err);
}

static void tell_records(const struct vault *v)
{
	for (size_t i = 0; i < v->set.n; i++) {
		const struct record *r = &v->set.list[i];
		struct buf which;

		buf_init(&which, ERR_MSG_MAX);
		record_which(r, &which);
		if (r->state == RECORD_ROTATED)
			say(v,
			    "credential %.*s was given another value by another program (the Python "
			    "reference?): it is "
			    "not handed out until 'ghoard cred doctor --adopt %s'",
			    (int)r->name.n, r->name.p, buf_cstr(&which));
		else if (r->state == RECORD_BAD)
			say(v, "credential %.*s is damaged and is not handed out: %s; the others are intact",
			    (int)r->name.n, r->name.p, r->why);
		buf_free(&which);
	}
}

/* The line is the price of a read: without a key for it there is none. */
static int open_log(struct vault *v, struct err *err)
{
	int rc = audit_open(&v->audit, v->dirfd, v->master, v->exists || v->p.write, err);

	/* a key alone: a first write was cut off */
	if (rc == 0 && !v->audit.has_key && !v->damaged)
		return say_none(v, err);
	return tolerate(v, rc, err);
}

static int open_steps(struct vault *v, struct err *err)
{
	struct buf image;
	bool open = false;
	int rc;

	buf_init(&image, VAULT_FILE_MAX);
	v->master = safe_take(v->p.safe, MASTERKEY_LEN);
	v->mac = safe_take(v->p.safe, RECORD_KEY_LEN);
	rc = v->mac == NULL ? err_set(err, ERR_INTERNAL, "no memory for a key") : open_dir(v, err);
	if (rc == 0)
		rc = take_lock(v, err);
	if (rc == 0 && v->p.write)
		sweep_folder(v->dirfd);
	v->p.place.dirfd = v->dirfd;
	v->p.place.dir = v->p.dir;
	v->p.place.safe = v->p.safe;
	if (rc == 0)
		rc = read_store(v, &image, err);
	if (rc == 0)
		rc = find_key(v, &image, &open, err);
	if (rc == 0) {
		vault_mac_key(v->master, v->mac);
		rc = parse_store(v, &image, open, err);
	}
	if (rc == 0 && v->p.write)
		rc = rekey_settle(v, err);
	if (rc == 0)
		rc = open_log(v, err);
	if (rc == 0)
		rc = compare_log(v, err);
	if (rc == 0)
		tell_records(v);
	buf_free(&image);		/* values in it are still sealed */
	safe_scrub_stack();
	return rc;
}

int vault_open(const struct vault_params *p, struct vault **out, struct err *err)
{
	struct vault *v = calloc(1, sizeof(*v));
	int rc;

	if (v == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the credentials");
	v->p = *p;
	v->dirfd = v->lockfd = -1;
	recordset_init(&v->set);
	rc = open_steps(v, err);
	if (rc != 0) {
		vault_free(v);
		return rc;
	}
	if (!p->write && v->lockfd >= 0) {
		close(v->lockfd);
		v->lockfd = -1;
	}
	*out = v;
	return 0;
}
