#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "codeql/manifest.h"
#include "codeql/scans_inner.h"
#include "crypto/hash.h"
#include "store/entry.h"
#include "store/store.h"

#define ENTRY_MAX ((size_t)256 << 10)


/* ---- opening ---- */

static int open_folder(const char *dir, const char *name, bool make)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
		return -1;
	if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* The parts of the kernel's struct statx that are asked for; libc's is not to be had everywhere. */
struct birth {
	uint32_t mask;
	uint8_t skipped[76];
	int64_t sec;
	uint32_t nsec;
	uint8_t rest[164];
};
_Static_assert(sizeof(struct birth) == 256, "statx(2) writes 256 bytes");
#define ASK_BIRTH 0x800u		/* STATX_BTIME */
#define EMPTY_PATH 0x1000		/* AT_EMPTY_PATH */

/* One file or folder, this and no copy of it: its inode and its time of birth. Where the kernel or the file
 * system knows none, the boot stands for it. */
static void add_identity(struct hash_sha256 *h, int fd, const char *name)
{
	int flags = name[0] == '\0' ? EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
	struct birth x;
	struct buf boot;
	struct stat st;
	char text[96];

	memset(&x, 0, sizeof(x));
	memset(&st, 0, sizeof(st));
	if ((name[0] == '\0' ? fstat(fd, &st) : fstatat(fd, name, &st, flags)) == 0 &&
	    syscall(SYS_statx, fd, name, flags, ASK_BIRTH, &x) == 0 && (x.mask & ASK_BIRTH)) {
		snprintf(text, sizeof(text), "%" PRIuMAX " %" PRIuMAX " %" PRId64 " %" PRIu32,
		    (uintmax_t)st.st_ino, (uintmax_t)st.st_uid, x.sec, x.nsec);
		hash_sha256_field(h, span_of(text));
		return;
	}
	snprintf(text, sizeof(text), "%" PRIuMAX " %" PRIuMAX, (uintmax_t)st.st_ino, (uintmax_t)st.st_uid);
	hash_sha256_field(h, span_of(text));
	buf_init(&boot, 4096);
	if (file_read("/proc/sys/kernel/random/boot_id", 4096, true, &boot, NULL) == 0)
		hash_sha256_field(h, buf_span(&boot));
	buf_free(&boot);
}

/* Of the open file `fd`, or of `name` in our folder. */
static void origin_of(const struct scans *s, int fd, const char *name, char out[static 33])
{
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;

	hash_sha256_init(&h);
	hash_sha256_field(&h, span_of("ghoard scan store 2"));
	add_identity(&h, store_dirfd(s->store), "");
	add_identity(&h, fd, name);
	hash_sha256_out(&h, digest);
	hex_encode(out, digest, 16);
}

int scans_open(const struct scans_params *p, struct scans **out, struct err *err)
{
	struct scans *s = calloc(1, sizeof(*s));
	char path[PATH_MAX];
	int rc;

	*out = NULL;
	if (s == NULL || (s->dir = str_dup(p->dir)) == NULL) {
		free(s);
		return err_set(err, ERR_INTERNAL, "no memory for the scans");
	}
	s->p = *p;
	s->sarif = s->trees = s->counted = -1;
	snprintf(path, sizeof(path), "%s/github_cache", p->dir);
	rc = store_open(path, &s->store, err);
	if (s->store == NULL) {
		scans_free(s);
		return rc != 0 ? rc : ERR_INTERNAL;
	}
	bool make = !store_is_read_only(s->store);
	s->sarif = open_folder(p->dir, "sarif", make);
	s->trees = open_folder(p->dir, "trees", make);
	s->counted = open_folder(p->dir, "counted", make);
	if (make && (s->sarif < 0 || s->trees < 0)) {
		rc = err_sys(err, ERR_IO, "opening the folders in %s", p->dir);
		scans_free(s);
		return rc;
	}
	*out = s;
	return rc;
}

void scans_free(struct scans *s)
{
	if (s == NULL)
		return;
	const int fds[] = { s->sarif, s->trees, s->counted };
	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	store_free(s->store);
	free(s->dir);
	free(s);
}

bool scans_is_read_only(const struct scans *s)
{
	return store_is_read_only(s->store);
}

int scans_sarif_fd(const struct scans *s)
{
	return s->sarif;
}

void scans_sarif_path(const struct scans *s, const char *cid, char out[static PATH_MAX])
{
	if (snprintf(out, PATH_MAX, "%s/sarif/%s.sarif", s->dir, cid) >= PATH_MAX)
		out[0] = '\0';
}

/* ---- evidence ---- */

/* `name`: of the file it was read from; NULL: it came from a peer. */
static enum scan_answer judge(const struct scans *s, const struct entry *e, const struct scan *scan,
    const char *name, bool *is_signed)
{
	char origin[33] = "";

	*is_signed = s->p.ntrusted > 0 && scan_signed_by(e, s->p.trusted, s->p.ntrusted);
	if (*is_signed)
		return SCANS_FOUND;
	if (s->p.ntrusted > 0)
		return e->sig.n > 0 ? SCANS_UNTRUSTED : SCANS_UNSIGNED;
	if (name != NULL)
		origin_of(s, store_dirfd(s->store), name, origin);
	return name != NULL && strcmp(scan->origin, origin) == 0 ? SCANS_FOUND : SCANS_UNSIGNED;
}

static enum scan_answer judge_age(const struct entry *e, int64_t now, int64_t max_age, int64_t *age)
{
	int64_t life = e->ttl < max_age ? e->ttl : max_age;

	*age = (now - e->timestamp) / CLOCK_SEC;
	if (e->timestamp > now + SCANS_AHEAD_S * CLOCK_SEC)
		return SCANS_DAMAGED;
	return *age >= life ? SCANS_EXPIRED : SCANS_FOUND;
}

/* ---- reading ---- */

static bool name_of(const struct scan *scan, char key[static SCAN_KEY_MAX], char tag[static 32],
    char name[static STORE_NAME_MAX + 1])
{
	scan_key(scan, false, key);
	scan_tag(scan, tag);
	return store_name(name, span_of(key), span_of(tag));
}

/* A scan of a pull request may be of the lines that differ from its base alone, and not every action says so:
 * it answers only where the base is the same, which one that is not known never is. */
static bool of_unknown_base(const struct scan *scan)
{
	return (scan->class == SCAN_PULL || scan->class == SCAN_FORK) && scan->base[0] == '\0' &&
	    (scan->head_repo[0] != '\0' || span_starts(span_of(scan->event), "pull_request"));
}

/* 1 with *out, 0 there is none, ERR_DAMAGED. */
static int load(struct scans *s, const char *name, struct entry **out)
{
	struct buf image;
	int rc;

	buf_init(&image, ENTRY_MAX);
	rc = file_read_at(store_dirfd(s->store), name, ENTRY_MAX, &image, NULL, NULL);
	if (rc != 0) {
		buf_free(&image);
		return rc == ERR_NOTFOUND ? 0 : ERR_DAMAGED;
	}
	rc = entry_parse(&image, out, NULL);
	if (rc == 0 && entry_cid_ok(*out))
		return 1;
	if (rc == 0) {
		entry_unref(*out);
		*out = NULL;
	}
	return rc == ERR_NOTFOUND ? 0 : ERR_DAMAGED;
}

/* What an entry that was read is to the asker; moves it into *f if that tells more than what is there. */
static void weigh(struct scans *s, const struct scan_ask *ask, struct span key, struct entry *e,
    const char *name, struct scan_found *f)
{
	struct scan scan = { .pinned = false };
	enum scan_answer answer = SCANS_UNSIGNED, aged;
	bool is_signed = false;
	int64_t age = 0;

	if (!span_same(e->key, key))
		answer = SCANS_NONE;
	else if (scan_parse(e, &scan)) {
		answer = judge(s, e, &scan, name, &is_signed);
		aged = judge_age(e, ask->now, ask->max_age, &age);
		/* what made it unpinned may be no part of the key: only who asks can allow it */
		if (answer == SCANS_FOUND && ask->want->pinned && !scan.pinned)
			answer = SCANS_NONE;
		if (answer == SCANS_FOUND)
			answer = scan.class == SCAN_PARTIAL ? SCANS_PARTIAL : aged;
	}
	if (answer <= f->answer) {
		entry_unref(e);
		return;
	}
	entry_unref(f->entry);
	f->entry = e;
	f->answer = answer;
	f->scan = scan;
	f->is_signed = is_signed;
	f->from_peer = name == NULL;
	f->age = age;
	scans_sarif_path(s, scan.cid, f->sarif);
}

static void find_on_disk(struct scans *s, const struct scan_ask *ask, const struct scan *want,
    struct scan_found *f)
{
	char key[SCAN_KEY_MAX], tag[32], name[STORE_NAME_MAX + 1];
	struct entry *e = NULL;

	if (of_unknown_base(want) || !name_of(want, key, tag, name))
		return;
	switch (load(s, name, &e)) {
	case 1:
		weigh(s, ask, span_of(key), e, name, f);
		break;
	case ERR_DAMAGED:
		store_set_aside(s->store, name, NULL);
		if (f->answer < SCANS_DAMAGED)
			f->answer = SCANS_DAMAGED;
	}
}

static int keep_sarif(struct scans *s, const char *cid, struct span text)
{
	char name[CID_TEXT_LEN + 16], got[CID_TEXT_LEN + 1];

	cid_of(got, text.p, text.n);
	if (strcmp(got, cid) != 0 || s->sarif < 0)
		return ERR_DAMAGED;
	snprintf(name, sizeof(name), "%s.sarif", cid);
	return file_write(s->sarif, name, 0600, false, text.p, text.n, NULL);
}

struct entry *scans_shared(struct scans *s, struct span key, struct scan *scan)
{
	char name[STORE_NAME_MAX + 1];
	struct entry *e = NULL;

	if (!store_name(name, key, span_of(scan_class_name(SCAN_FULL))) || load(s, name, &e) != 1)
		return NULL;
	if (span_same(e->key, key) && scan_parse(e, scan) && scan->class == SCAN_FULL &&
	    scan_signed_by(e, s->p.trusted, s->p.ntrusted))
		return e;
	entry_unref(e);
	return NULL;
}

/* A peer's entry counts when it is signed by a key that is trusted here, and its SARIF is what its CID says.
 */
static void find_at_peers(struct scans *s, const struct scan_ask *ask, const struct scan *want,
    struct scan_found *f)
{
	const struct scan_peers *peers = s->p.peers;
	char key[SCAN_KEY_MAX], tag[32], name[STORE_NAME_MAX + 1];
	struct entry *e = NULL;
	struct buf file, sarif;

	if (peers == NULL || s->p.ntrusted == 0 || of_unknown_base(want) || !name_of(want, key, tag, name))
		return;
	buf_init(&file, ENTRY_MAX);
	buf_init(&sarif, (size_t)SARIF_FILE_MAX);
	if (peers->entry(peers->arg, span_of(key), span_of(tag), &file) == 1 &&
	    entry_parse(&file, &e, NULL) == 0) {
		struct entry *kept = entry_ref(e);
		weigh(s, ask, span_of(key), e, NULL, f);
		if (f->entry == kept && f->answer == SCANS_FOUND &&
		    (peers->sarif(peers->arg, f->scan.cid, &sarif) != 1 ||
			keep_sarif(s, f->scan.cid, buf_span(&sarif)) != 0))
			f->answer = SCANS_NONE;
		else if (f->entry == kept && f->answer == SCANS_FOUND)
			file_write(store_dirfd(s->store), name, 0600, false, buf_data(&kept->image),
			    buf_len(&kept->image), NULL);
		entry_unref(kept);
	}
	buf_free(&file);
	buf_free(&sarif);
}

void scans_find(struct scans *s, const struct scan_ask *ask, struct scan_found *f)
{
	/* Whose results may answer: everybody's, then the narrower ones; the last is looked for to say so. */
	static const enum scan_class full[] = { SCAN_FULL, SCAN_PARTIAL };
	static const enum scan_class pull[] = { SCAN_FULL, SCAN_PULL, SCAN_PARTIAL };
	static const enum scan_class fork[] = { SCAN_FULL, SCAN_PULL, SCAN_FORK, SCAN_PARTIAL };
	enum scan_class own = ask->want->class;
	const enum scan_class *list = own == SCAN_FORK ? fork : own == SCAN_PULL ? pull : full;
	size_t n = own == SCAN_FORK ? 4 : own == SCAN_PULL ? 3 : 2;
	struct scan want = *ask->want;

	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < n && f->answer != SCANS_FOUND; i++) {
		want.class = list[i];
		find_on_disk(s, ask, &want, f);
	}
	for (size_t i = 0; i + 1 < n && f->answer != SCANS_FOUND; i++) {
		want.class = list[i];
		find_at_peers(s, ask, &want, f);
	}
}

void scan_found_free(struct scan_found *f)
{
	entry_unref(f->entry);
	f->entry = NULL;
}

void scans_set_aside(struct scans *s, const struct scan_found *f)
{
	char key[SCAN_KEY_MAX], tag[32], name[STORE_NAME_MAX + 1], sarif[CID_TEXT_LEN + 16];

	if (f->entry == NULL || store_is_read_only(s->store))
		return;
	if (name_of(&f->scan, key, tag, name))
		store_set_aside(s->store, name, NULL);
	snprintf(sarif, sizeof(sarif), "%s.sarif", f->scan.cid);
	if (s->sarif >= 0)
		unlinkat(s->sarif, sarif, 0);
}

/* ---- writing ---- */

/* The file is there before its entry is made, which says whose file it is. */
static int put_entry(struct scans *s, const struct scan *scan, bool label, int64_t ttl, const char *name,
    struct err *err)
{
	struct scan own = *scan;
	struct entry *e = NULL;
	struct file_hold h;
	char path[PATH_MAX];
	int rc = file_hold(&h, store_dirfd(s->store), name, err);

	if (rc != 0)
		return rc;
	scans_sarif_path(s, scan->cid, path);
	origin_of(s, h.fd, "", own.origin);
	rc = scan_entry(&own, label, ttl, path, s->p.key, &e, err);
	if (rc == 0)
		rc = file_hold_write(&h, buf_data(&e->image), buf_len(&e->image), err);
	entry_unref(e);
	if (rc == 0)
		return file_commit(&h, name, 0600, true, err);
	file_rollback(&h);
	return rc;
}

static bool stays(struct scans *s, const char *name)
{
	struct entry *old = NULL;
	bool is_signed = false;

	if (s->p.key != NULL || s->p.ntrusted == 0 || load(s, name, &old) != 1)
		return false;
	is_signed = scan_signed_by(old, s->p.trusted, s->p.ntrusted);
	entry_unref(old);
	return is_signed;
}

int scans_put(struct scans *s, const struct scan *scan, int64_t ttl, struct err *err)
{
	char key[SCAN_KEY_MAX], tag[32], name[STORE_NAME_MAX + 1];
	int rc;

	if (store_is_read_only(s->store))
		return err_set(err, ERR_IO, "the folder %s cannot be written", s->dir);
	if (!name_of(scan, key, tag, name))
		return err_set(err, ERR_LIMIT, "the key '%.60s…' is too long", key);
	if (stays(s, name))
		return 1;
	rc = put_entry(s, scan, false, ttl, name, err);
	/* The label only says which commit was scanned: where its name is too long there is none. */
	scan_key(scan, true, key);
	if (rc == 0 && scan->commit[0] != '\0' && store_name(name, span_of(key), span_of("")))
		put_entry(s, scan, true, ttl, name, NULL);
	if (rc != 0)
		err_prefix(err, "keeping a scan in %s", s->dir);
	return rc;
}

static bool tree_name(const char *whole, char out[static 80])
{
	return hex_is(span_of(whole), false) && snprintf(out, 80, "%s.tree", whole) < 80;
}

int scans_put_manifest(struct scans *s, const char *whole, const struct manifest *m, struct err *err)
{
	char name[80];
	struct buf b;
	int rc;

	if (s->trees < 0 || !tree_name(whole, name))
		return err_set(err, ERR_IO, "the folder %s/trees cannot be written", s->dir);
	if (faccessat(s->trees, name, R_OK, 0) == 0)
		return utimensat(s->trees, name, NULL, 0);
	buf_init(&b, MANIFEST_FILE_MAX);
	rc = manifest_write(m, &b, err);
	if (rc == 0)
		rc = file_write(s->trees, name, 0600, false, buf_data(&b), buf_len(&b), err);
	buf_free(&b);
	return rc;
}

struct manifest *scans_manifest(struct scans *s, const char *whole)
{
	struct manifest *m = NULL;
	char name[80];
	struct buf b;

	if (s->trees < 0 || !tree_name(whole, name))
		return NULL;
	buf_init(&b, MANIFEST_FILE_MAX);
	if (file_read_at(s->trees, name, MANIFEST_FILE_MAX, &b, NULL, NULL) == 0)
		m = manifest_read(buf_span(&b), NULL);
	buf_free(&b);
	return m;
}

/* ---- all of them ---- */

struct each {
	struct scans *s;
	int64_t now, max_age;
	int (*fn)(void *arg, const struct scan_row *);
	void *arg;
};

static int each_entry(void *arg, const char *name, struct entry *e)
{
	struct each *each = arg;
	struct scan_row row = { .name = name, .entry = e, .answer = SCANS_DAMAGED };
	struct scan scan;
	int64_t age;

	if (e != NULL && entry_cid_ok(e)) {
		row.answer = SCANS_UNSIGNED;
		row.label = span_starts(e->key, SCAN_LABEL_OP);
		if (scan_parse(e, &scan)) {
			row.scan = &scan;
			row.answer = judge(each->s, e, &scan, name, &row.is_signed);
			enum scan_answer aged = judge_age(e, each->now, each->max_age, &age);
			if (row.answer == SCANS_FOUND)
				row.answer = scan.class == SCAN_PARTIAL ? SCANS_PARTIAL : aged;
		}
	}
	return each->fn(each->arg, &row);
}

int scans_each(struct scans *s, int64_t now, int64_t max_age, int (*fn)(void *arg, const struct scan_row *),
    void *arg, struct err *err)
{
	struct each each = { s, now, max_age, fn, arg };

	return store_each(s->store, each_entry, &each, err);
}

int scans_remove(struct scans *s, const char *name, struct err *err)
{
	return store_remove(s->store, name, err);
}

/* ---- once ---- */

bool scans_count_once(struct scans *s, struct span what)
{
	uint8_t digest[SHA256_LEN];
	char name[2 * 16 + 1];
	int fd;

	hash_sha256(digest, what.p, what.n);
	hex_encode(name, digest, 16);
	fd = s->counted >= 0 ? openat(s->counted, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return false;
	close(fd);
	return true;
}
