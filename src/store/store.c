#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/rand.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "store/entry.h"
#include "store/store.h"

#define TOUCH_EVERY_S 60
#define KEY_HEX_BYTES 16

struct store {
	char *path;
	int fd;
	bool read_only;
	mode_t mode;		/* of the files: 0644, or 0600 in a folder that is not ours alone */
};

/* ---- the folder ---- */

static int check_owner(struct store *s, const struct stat *st, struct err *err)
{
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return err_set(err, ERR_DENIED,
		    "the cache folder %s belongs to another user (uid %u); give --cache-dir another", s->path,
		    (unsigned)st->st_uid);
	if (st->st_uid == geteuid() && (st->st_mode & 077) != 0 && fchmod(s->fd, 0700) == 0)
		return 0;
	if ((st->st_mode & 022) != 0)
		return err_set(err, ERR_DENIED,
		    "the cache folder %s can be written by other users; chmod 700 it, or give "
		    "--cache-dir another",
		    s->path);
	if ((st->st_mode & 077) != 0)
		s->mode = 0600;
	return 0;
}

static int open_folder(struct store *s, struct err *err)
{
	struct stat st;
	int rc;

	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0 && errno == ENOENT) {
		rc = file_mkdirs(s->path, 0700, err);
		if (rc != 0)
			return rc;
		s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (s->fd < 0)
		return err_sys(err, ERR_IO, "opening the cache folder %s", s->path);
	if (fstat(s->fd, &st) != 0)
		return err_sys(err, ERR_IO, "looking at the cache folder %s", s->path);
	rc = check_owner(s, &st, err);
	if (rc != 0)
		return rc;
	/* without flags: a container's rules of before Linux 5.8 answer EPERM to faccessat2 */
	if (faccessat(s->fd, ".", W_OK | X_OK, 0) != 0) {
		s->read_only = true;
		return err_sys(err, ERR_IO, "the cache folder %s cannot be written", s->path);
	}
	return 0;
}

int store_open(const char *path, struct store **out, struct err *err)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (s == NULL || (s->path = str_dup(path)) == NULL) {
		free(s);
		return err_set(err, ERR_INTERNAL, "no memory for the store");
	}
	s->fd = -1;
	s->mode = 0644;
	rc = open_folder(s, err);
	if (rc == 0 || s->read_only)
		*out = s;
	else
		store_free(s);
	return rc;
}

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

int store_dirfd(const struct store *s)
{
	return s->fd;
}

bool store_is_read_only(const struct store *s)
{
	return s->read_only;
}

/* ---- names ---- */

static void key_hex(char out[static 2 * KEY_HEX_BYTES + 1], struct span key)
{
	uint8_t digest[SHA256_LEN];

	hash_sha256(digest, key.p, key.n);
	hex_encode(out, digest, KEY_HEX_BYTES);
}

static bool reference_name(char out[static STORE_NAME_MAX + 1], struct span key)
{
	if (key.n == 0 || key.n + 5 > STORE_NAME_MAX || memchr(key.p, '\0', key.n) != NULL || key.p[0] == '.')
		return false;
	for (size_t i = 0; i < key.n; i++)
		out[i] = strchr("/:*", key.p[i]) != NULL ? '_' : key.p[i];
	strcpy(out + key.n, ".json");
	return true;
}

bool store_name(char out[static STORE_NAME_MAX + 1], struct span key, struct span auth)
{
	ptrdiff_t colon = span_chr(key, ':');
	char hex[2 * KEY_HEX_BYTES + 1];

	if (auth.n == 0)
		return reference_name(out, key);
	key_hex(hex, key);
	/* Keys and tags also come from other machines' files: a name stays in this folder. */
	if (colon <= 0 || colon > 100 || key.p[0] == '.' ||
	    span_chr(span_sub(key, 0, (size_t)colon), '/') >= 0 || span_chr(auth, '/') >= 0)
		return false;
	snprintf(out, STORE_NAME_MAX + 1, "%.*s-%s-%.*s.json", (int)colon, key.p, hex,
	    auth.n < 8 ? (int)auth.n : 8, auth.p);
	return true;
}

static bool last_name(char out[static STORE_NAME_MAX + 1], struct span key)
{
	char hex[2 * KEY_HEX_BYTES + 1];

	key_hex(hex, key);
	return snprintf(out, STORE_NAME_MAX + 1, "last/%s", hex) > 0;
}

/* ---- reading ---- */

int store_set_aside(struct store *s, const char *name, struct err *err)
{
	char to[STORE_NAME_MAX + 16];
	const char *base = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;

	if (s->read_only)
		return err_set(err, ERR_IO, "%s is read-only", s->path);
	mkdirat(s->fd, "corrupt", 0700);
	snprintf(to, sizeof(to), "corrupt/%s", base);
	return file_move(s->fd, name, s->fd, to, err);
}

/* A last/ link names the file of an entry, which is set aside (and counted) under its own name. */
static void damaged(struct store *s, const char *name, unsigned *corrupt)
{
	bool link = span_starts(span_of(name), "last/");

	log_debug("%s/%s is damaged: set aside", s->path, name);
	if (corrupt != NULL && (!link || *corrupt == 0))
		++*corrupt;
	if (link && !s->read_only)
		store_remove(s, name, NULL);
	else if (!link)
		store_set_aside(s, name, NULL);
}

/* 1, 0 not there, ERR_DAMAGED */
static int load(struct store *s, const char *name, struct entry **out)
{
	struct buf image;
	struct stat st;
	int rc;

	buf_init(&image, ENTRY_FILE_MAX);
	rc = file_read_at(s->fd, name, ENTRY_FILE_MAX, &image, &st, NULL);
	if (rc != 0) {
		buf_free(&image);
		return rc == ERR_LIMIT ? ERR_DAMAGED : 0; /* what cannot be read is as good as not there */
	}
	rc = entry_parse(&image, out, NULL);
	if (rc == 0)
		(*out)->mtime = st.st_mtime;
	return rc == 0 ? 1 : rc == ERR_DAMAGED ? ERR_DAMAGED : 0;
}

static int load_checked(struct store *s, const char *name, struct entry **out, unsigned *corrupt)
{
	int rc = load(s, name, out);

	if (rc == 1 && !entry_cid_ok(*out)) {
		entry_unref(*out);
		*out = NULL;
		rc = ERR_DAMAGED;
	}
	if (rc == ERR_DAMAGED) {
		damaged(s, name, corrupt);
		return 0;
	}
	return rc;
}

int store_get(struct store *s, struct span key, struct span auth, const uint8_t *proof_key,
    struct entry **out, unsigned *corrupt)
{
	char name[STORE_NAME_MAX + 1];

	if (!store_name(name, key, auth) || load_checked(s, name, out, corrupt) != 1)
		return 0;
	if (!span_same((*out)->key, key) || !(*out)->ours || !span_same((*out)->auth, auth) ||
	    (*out)->url.n == 0)
		goto miss;
	if (proof_key != NULL && !entry_proof_ok(*out, proof_key)) {
		damaged(s, name, corrupt);
		goto miss;
	}
	return 1;
miss:
	entry_unref(*out);
	*out = NULL;
	return 0;
}

/* `auth` empty: anybody's. */
static bool is_of(const struct entry *e, struct span key, struct span auth, const uint8_t *proof_key)
{
	return e->ours && e->url.n > 0 && span_same(e->key, key) &&
	    (auth.n == 0 ||
		(span_same(e->auth, auth) && (proof_key == NULL || entry_proof_ok(e, proof_key))));
}

int store_get_last(struct store *s, struct span key, struct entry **out, unsigned *corrupt)
{
	char name[STORE_NAME_MAX + 1];

	if (!last_name(name, key) || load_checked(s, name, out, corrupt) != 1)
		return 0;
	if (is_of(*out, key, span_of(""), NULL))
		return 1;
	entry_unref(*out);
	*out = NULL;
	return 0;
}

/* The head, made a whole entry by its last byte. */
static bool load_head(int fd, struct entry **out)
{
	struct buf image;
	uint8_t *p;

	buf_init(&image, ENTRY_HEAD_MAX);
	p = buf_reserve(&image, ENTRY_HEAD_MAX);
	if (p == NULL || pread(fd, p, ENTRY_HEAD_MAX, 0) != (ssize_t)ENTRY_HEAD_MAX) {
		buf_free(&image);
		return false;
	}
	p[ENTRY_HEAD_MAX - 1] = '}';
	buf_commit(&image, ENTRY_HEAD_MAX);
	return entry_parse(&image, out, NULL) == 0;
}

int store_get_head(struct store *s, struct span key, struct span auth, const uint8_t *proof_key,
    struct entry **out, int *fd, uint64_t *at, uint64_t *n)
{
	char name[STORE_NAME_MAX + 1];
	struct stat st;
	struct entry *e;

	if (!(auth.n > 0 ? store_name(name, key, auth) : last_name(name, key)) ||
	    (*fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
		return 0;
	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode) || (uintmax_t)st.st_size <= STORE_LARGE) {
		close(*fd);
		return 0;
	}
	e = NULL;
	if (load_head(*fd, &e) && is_of(e, key, auth, proof_key) && e->body.p == e->data.p) {
		*out = e;
		*at = (uint64_t)((const uint8_t *)e->data.p - buf_data(&e->image));
		*n = (uint64_t)st.st_size - *at - 1;
		return 1;
	}
	entry_unref(e);
	close(*fd);
	return -1;
}

int store_get_named(struct store *s, struct span key, struct entry **out, unsigned *corrupt)
{
	char name[STORE_NAME_MAX + 1];

	if (!store_name(name, key, span_of("")) || load_checked(s, name, out, corrupt) != 1)
		return 0;
	/* Two keys may share a name under the reference's rule; its older form holds no key to compare. */
	if ((*out)->url.n == 0 && ((*out)->key.n == 0 || span_same((*out)->key, key)))
		return 1;
	entry_unref(*out);
	*out = NULL;
	return 0;
}

/* ---- writing ---- */

/* A hard link made under another name and moved over the old one. Where links are not to be had, no other
 * token finds this body. */
static void link_last(struct store *s, const char *name, struct span key)
{
	char last[STORE_NAME_MAX + 1], tmp[STORE_NAME_MAX + 64];

	if (!last_name(last, key))
		return;
	snprintf(tmp, sizeof(tmp), "%s.tmp-%ld-%08x%08x", last, (long)getpid(), rand_below(UINT32_MAX),
	    rand_below(UINT32_MAX));
	if (linkat(s->fd, name, s->fd, tmp, 0) != 0) {
		if (errno != ENOENT || mkdirat(s->fd, "last", 0700) != 0 ||
		    linkat(s->fd, name, s->fd, tmp, 0) != 0)
			return;
	}
	file_move(s->fd, tmp, s->fd, last, NULL);
	unlinkat(s->fd, tmp, 0);	/* rename(2) of two links to one file does nothing */
}

int store_put(struct store *s, const struct entry *e, struct err *err)
{
	char name[STORE_NAME_MAX + 1];
	int rc;

	if (s->read_only)
		return err_set(err, ERR_IO, "the cache folder %s cannot be written", s->path);
	if (!store_name(name, e->key, e->url.n > 0 ? e->auth : span_of("")))
		return err_set(err, ERR_LIMIT, "the key '%.*s…' is too long for a file name", 40, e->key.p);
	rc = file_write(s->fd, name, s->mode, false, buf_data(&e->image), buf_len(&e->image), err);
	if (rc != 0) {
		err_prefix(err, "keeping an answer in %s", s->path);
		return rc;
	}
	if (e->url.n > 0)
		link_last(s, name, e->key);
	return 0;
}

void store_link_last(struct store *s, const struct entry *e)
{
	char name[STORE_NAME_MAX + 1];

	if (!s->read_only && e->url.n > 0 && store_name(name, e->key, e->auth))
		link_last(s, name, e->key);
}

void store_touch(struct store *s, const struct entry *e)
{
	char name[STORE_NAME_MAX + 1];
	struct timespec now;

	if (s->read_only || e->mtime == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec - e->mtime < TOUCH_EVERY_S ||
	    !store_name(name, e->key, e->url.n > 0 ? e->auth : span_of("")))
		return;
	utimensat(s->fd, name, NULL, 0);
}

int store_remove(struct store *s, const char *name, struct err *err)
{
	if (unlinkat(s->fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(err, ERR_IO, "removing %s/%s", s->path, name);
}

/* ---- walking ---- */

int store_each_name(struct store *s, int (*fn)(void *arg, const char *name), void *arg, struct err *err)
{
	int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	int rc = 0;

	if (d == NULL) {
		err_sys(err, ERR_IO, "reading the cache folder %s", s->path);
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	while (rc >= 0 && (de = readdir(d)) != NULL)
		if (de->d_name[0] != '.' && span_ends(span_of(de->d_name), ".json"))
			rc = fn(arg, de->d_name);
	closedir(d);
	return rc < 0 ? rc : 0;
}

struct each {
	struct store *store;
	int (*fn)(void *arg, const char *name, struct entry *);
	void *arg;
};

static int each_entry(void *arg, const char *name)
{
	struct each *each = arg;
	struct entry *e = NULL;
	int rc = load(each->store, name, &e);

	if (rc == 0)
		return 0;		/* removed meanwhile, or not to be read */
	rc = each->fn(each->arg, name, rc == 1 ? e : NULL);
	entry_unref(e);
	return rc;
}

int store_each(struct store *s, int (*fn)(void *arg, const char *name, struct entry *), void *arg,
    struct err *err)
{
	struct each each = { s, fn, arg };

	return store_each_name(s, each_entry, &each, err);
}

struct usage {
	struct store *store;
	int64_t entries, bytes;
};

static int add_usage(void *arg, const char *name)
{
	struct usage *u = arg;
	struct stat st;

	if (fstatat(u->store->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		u->entries++;
		u->bytes += st.st_size;
	}
	return 0;
}

int store_usage(struct store *s, int64_t *entries, int64_t *bytes, struct err *err)
{
	struct usage u = { .store = s };
	int rc = store_each_name(s, add_usage, &u, err);

	*entries = u.entries;
	*bytes = u.bytes;
	return rc;
}
