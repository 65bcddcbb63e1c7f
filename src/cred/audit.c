#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/jscan.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "cred/audit.h"
#include "cred/audit_key.h"
#include "cred/audit_line.h"

#define LOG "audit.log"
#define TAIL ((size_t)AUDIT_LINE_MAX)	/* as much as a line's, and more than a few usual ones */
#define READ_MAX ((size_t)64 << 20)	/* of one file: the reference never rotates its own */

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";

/* ---- the key ---- */

static void numbered(char out[static AUDIT_NAME_LEN], size_t n)
{
	snprintf(out, AUDIT_NAME_LEN, "%s.%zu", LOG, n);
}

/* Numbers begin at 1 and have no gaps. */
static size_t newest_number(int dirfd)
{
	char name[AUDIT_NAME_LEN];
	size_t n = 0;

	for (size_t i = 1; i < AUDIT_FILES_MAX; i++) {
		numbered(name, i);
		if (!file_is_there(dirfd, name))
			break;
		n = i;
	}
	return n;
}

/* Any of the chain, in any of the files. */
static bool has_lines(int dirfd)
{
	char name[AUDIT_NAME_LEN];
	struct buf b;
	struct span rest, line;
	struct audit_line l;
	bool found = false;

	buf_init(&b, READ_MAX);
	for (size_t i = 0; !found && audit_read_file(dirfd, i, name, &b, NULL) == 0; i++) {
		rest = buf_span(&b);
		while (!found && span_cut(&rest, '\n', &line))
			found = audit_parse(line, &l) && l.chained;
		buf_clear(&b);
	}
	buf_free(&b);
	return found;
}

/* The one on its way is the one where the other is under the old master key, or was not put in place yet. */
static int find_key(struct audit *a)
{
	int rc = audit_key_read(a->dirfd, AUDIT_KEY_FILE, a->master, a->key);

	if (rc != 0 && (rc != ERR_NOTFOUND || has_lines(a->dirfd)) &&
	    audit_key_read(a->dirfd, AUDIT_KEY_NEXT, a->master, a->key) == 0)
		return 0;
	/* another process may have begun the log since */
	return rc == ERR_NOTFOUND ? audit_key_read(a->dirfd, AUDIT_KEY_FILE, a->master, a->key) : rc;
}

int audit_open(struct audit *a, int dirfd, const uint8_t master[static 32], bool make, struct err *err)
{
	int rc;

	memset(a, 0, sizeof(*a));
	a->dirfd = dirfd;
	a->master = master;
	memcpy(a->head, zeros, sizeof(a->head));
	rc = find_key(a);
	if (rc == ERR_NOTFOUND && !has_lines(dirfd)) {
		rc = make ? rand_bytes(a->key, sizeof(a->key), err) : 0;
		a->fresh = a->has_key = make && rc == 0;
		return rc;
	}
	if (rc != 0)
		return err_set(err, ERR_DAMAGED,
		    "the key of the audit log (%s) is %s, and nothing can be noted; 'ghoard cred "
		    "doctor --restart-audit' puts the log aside and begins another",
		    AUDIT_KEY_FILE, rc == ERR_NOTFOUND ? "gone" : "damaged or of another master key");
	a->has_key = true;
	return 0;
}

void audit_wipe(struct audit *a)
{
	wipe(a, sizeof(*a));
}

int audit_reseal(const struct audit *a, const uint8_t master[static 32], struct err *err)
{
	return audit_key_write(a->dirfd, AUDIT_KEY_NEXT, master, a->key, err);
}

int audit_settle(int dirfd, const uint8_t master[static 32], struct err *err)
{
	uint8_t key[AUDIT_KEY_LEN];
	bool counts = audit_key_read(dirfd, AUDIT_KEY_NEXT, master, key) == 0 &&
	    (file_is_there(dirfd, AUDIT_KEY_FILE) || has_lines(dirfd));

	wipe(key, sizeof(key));
	/* Of a rekey that did not get as far as the store, or a log without a line: in the way of nothing. */
	return counts ? file_replace(dirfd, AUDIT_KEY_NEXT, AUDIT_KEY_FILE, err)
		      : file_remove(dirfd, AUDIT_KEY_NEXT, true, err);
}

/* ---- the newest ---- */

/* The last line of `*rest`, cut off its end; false: none is left. */
static bool cut_last(struct span *rest, struct span *line)
{
	size_t end = rest->n, at;

	while (end > 0 && rest->p[end - 1] == '\n')
		end--;
	for (at = end; at > 0 && rest->p[at - 1] != '\n'; at--)
		;
	*line = span_make(rest->p + at, end - at);
	rest->n = at;
	return end > 0;
}

/* What it says of the store: a write's line in its details, any other in "store". */
static bool take_store(struct audit *a, const struct audit_line *l)
{
	struct span v;

	if (audit_line_gen(l, &a->gen, &a->high, a->sha))
		return true;
	return l->store.p != NULL && jscan_path(l->store, "0", &v) == 1 &&
	    span_u64(v, INT64_MAX, &a->gen) && jscan_path(l->store, "1", &v) == 1 &&
	    span_u64(v, INT64_MAX, &a->high) && jscan_path(l->store, "2", &v) == 1 &&
	    jscan_str(v, a->sha, sizeof(a->sha));
}

static int take_tail(struct audit *a, struct span rest, struct err *err)
{
	struct audit_line l;
	struct span line;

	a->seq = 0;
	a->has_gen = false;
	a->gen = a->high = 0;
	memcpy(a->head, zeros, sizeof(a->head));
	while (cut_last(&rest, &line)) {
		if (!audit_parse(line, &l) || !l.chained)
			continue;
		if (!audit_mac_ok(a, &l))
			return err_set(err, ERR_DAMAGED,
			    "line %" PRIu64 " of the audit log was changed; see 'ghoard cred audit verify'. "
					    "Nothing is handed "
			    "out until 'ghoard cred doctor --restart-audit' puts the log aside",
			    l.seq);
		a->seq = l.seq;
		span_copy(a->head, sizeof(a->head), l.mac);
		a->has_gen = take_store(a, &l);
		return 0;
	}
	return 0;
}

/* At most `most` bytes of the file's end; one that is not there is empty. */
static int read_end(const struct audit *a, const char *name, size_t most, struct buf *text, size_t *size,
    struct err *err)
{
	int fd = openat(a->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
	struct stat st;
	ssize_t n = 0;

	*size = 0;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) != 0) {
		rc = err_sys(err, ERR_IO, "reading the audit log");
	} else if (!S_ISREG(st.st_mode)) {
		rc = err_set(err, ERR_IO, "reading the audit log: %s is not a regular file", name);
	} else {
		*size = (size_t)st.st_size;
		if (most > *size)
			most = *size;
		if (buf_reserve(text, most + 1) == NULL)
			rc = err_set(err, ERR_LIMIT, "the audit log is too long to be read");
		else
			n = pread(fd, buf_data(text), most, st.st_size - (off_t)most);
		if (rc == 0 && n < 0)
			rc = err_sys(err, ERR_IO, "reading the audit log");
		else if (rc == 0)
			buf_commit(text, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A line of ours says all there is to know, and is near the end unless others wrote behind it. */
static int read_tail(struct audit *a, const char *name, struct buf *text, size_t *size, struct err *err)
{
	int rc = read_end(a, name, TAIL, text, size, err);

	if (rc == 0)
		rc = take_tail(a, buf_span(text), err);
	if (rc != 0 || a->seq > 0 || *size <= TAIL)
		return rc;
	buf_clear(text);
	rc = read_end(a, name, READ_MAX, text, size, err);
	return rc != 0 ? rc : take_tail(a, buf_span(text), err);
}

/* A rotation that was cut off leaves the newest line in the newest of the numbered files. `anew`: there need
 * be none at all. `text` and `size` are of audit.log. */
static int read_newest(struct audit *a, bool anew, struct buf *text, size_t *size, struct err *err)
{
	char name[AUDIT_NAME_LEN];
	struct buf old;
	size_t ignored;
	int rc = read_tail(a, LOG, text, size, err);

	buf_init(&old, READ_MAX);
	for (size_t n = rc == 0 && a->seq == 0 ? newest_number(a->dirfd) : 0;
	    rc == 0 && a->seq == 0 && n > 0; n--) {
		numbered(name, n);
		buf_clear(&old);
		rc = read_tail(a, name, &old, &ignored, err);
	}
	buf_free(&old);
	if (rc == 0 && a->seq == 0 && !anew)
		rc = err_set(err, ERR_DAMAGED,
		    "the audit log is gone, though its key is there, and an older store could not be told "
		    "from the newest: put %s back, or 'ghoard cred doctor --restart-audit' begins another",
		    LOG);
	return rc;
}

int audit_tail(struct audit *a, struct err *err)
{
	struct buf text;
	size_t size;
	int rc;

	buf_init(&text, READ_MAX);
	rc = read_newest(a, a->fresh, &text, &size, err);
	buf_free(&text);
	return rc;
}

/* ---- files ---- */

int audit_read_file(int dirfd, size_t i, char name[static AUDIT_NAME_LEN], struct buf *out, struct err *err)
{
	size_t last = newest_number(dirfd);
	struct stat st;

	if (i > last)
		return ERR_NOTFOUND;
	if (i == last)
		snprintf(name, AUDIT_NAME_LEN, "%s", LOG);
	else
		numbered(name, i + 1);
	return file_read_at(dirfd, name, READ_MAX, out, &st, err);
}

static int rotate(struct audit *a, struct audit_lines *l, struct err *err)
{
	char name[AUDIT_NAME_LEN];
	struct buf details;
	struct audit_event e = { .action = "log_rotated", .credential = span_of(""), .tells_store = true };
	int rc;

	numbered(name, newest_number(a->dirfd) + 1);
	rc = file_replace(a->dirfd, LOG, name, err);
	if (rc != 0)
		return rc;
	buf_init(&details, AUDIT_LINE_MAX);
	audit_detail(&details, "file", span_of(name));
	if (a->has_gen)
		buf_addf(&details, ", \"gen\": %" PRIu64 ", \"high\": %" PRIu64 ", \"sha256\": \"%s\"",
		    a->gen, a->high, a->sha);
	e.details = buf_span(&details);
	audit_put_line(a, &e, l);
	buf_free(&details);
	return 0;
}

/* The reference makes it readable by all; it names repositories and secrets. */
static int open_log(const struct audit *a, bool torn, struct err *err)
{
	int fd =
	    openat(a->dirfd, LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return err_sys(err, ERR_IO, "opening the audit log");
	if (fchmod(fd, 0600) == 0 && (!torn || file_write_all(fd, "\n", 1) == 0))
		return fd;
	err_sys(err, ERR_IO, "writing the audit log");
	close(fd);
	return ERR_IO;
}

/* A disk that is full takes some of it: those lines tell of what did not happen. */
static int take_back(int fd, ssize_t n, struct err *err)
{
	if (n >= 0 && ftruncate(fd, lseek(fd, 0, SEEK_END) - n) == 0)
		errno = ENOSPC;
	return err_sys(err, ERR_IO, "writing the audit log");
}

static int write_lines(const struct audit *a, struct span lines, bool torn, struct err *err)
{
	int fd = open_log(a, torn, err), rc = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	file_fault();
	n = write(fd, lines.p, lines.n);
	if (n != (ssize_t)lines.n)
		rc = take_back(fd, n, err);
	file_fault();
	if (rc == 0 && fdatasync(fd) != 0)
		rc = err_sys(err, ERR_IO, "writing the audit log to the disk");
	close(fd);
	return rc;
}

static int append_locked(struct audit *a, const struct audit_event *events, size_t n, bool anew,
    struct err *err)
{
	struct audit_lines l;
	struct buf text;
	size_t size;
	bool torn;
	int rc;

	buf_init(&text, READ_MAX);
	audit_lines_init(&l, a, n);
	rc = read_newest(a, anew, &text, &size, err);
	torn = buf_len(&text) > 0 && buf_data(&text)[buf_len(&text) - 1] != '\n';
	if (rc == 0 && size > AUDIT_FILE_MAX) {
		rc = rotate(a, &l, err);
		torn = false;
	}
	for (size_t i = 0; rc == 0 && i < n; i++)
		audit_put_line(a, &events[i], &l);
	if (rc == 0 && l.out.failed)
		rc = err_set(err, ERR_LIMIT, "a line of the audit log would be longer than %d bytes",
		    AUDIT_LINE_MAX);
	if (rc == 0)
		rc = write_lines(a, buf_span(&l.out), torn, err);
	buf_free(&text);
	audit_lines_free(&l);
	return rc;
}

static int lock(int dirfd, struct err *err)
{
	int fd = openat(dirfd, AUDIT_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(err, ERR_IO, "locking the audit log");
	while (flock(fd, LOCK_EX) != 0)
		if (errno != EINTR) {
			close(fd);
			return err_sys(err, ERR_IO, "locking the audit log");
		}
	return fd;
}

/* Another process may have begun the log since audit_open. */
static int begin(struct audit *a, bool *anew, struct err *err)
{
	int rc = find_key(a);

	*anew = rc == ERR_NOTFOUND && !has_lines(a->dirfd);
	if (*anew)
		return audit_key_write(a->dirfd, AUDIT_KEY_NEXT, a->master, a->key, err);
	a->fresh = false;
	return rc == 0 ? 0 : err_set(err, ERR_DAMAGED, "the audit log changed under way; try again");
}

/* A new log: its key under a passing name, its first line, then the key's name. So a key without a line, or
 * the other way round, is nothing that a crash leaves. */
static int append(struct audit *a, const struct audit_event *events, size_t n, bool anew, struct err *err)
{
	int fd = lock(a->dirfd, err), rc = 0;

	if (fd < 0)
		return fd;
	if (anew)
		rc = audit_key_write(a->dirfd, AUDIT_KEY_NEXT, a->master, a->key, err);
	else if (a->fresh)
		rc = begin(a, &anew, err);
	if (rc == 0)
		rc = append_locked(a, events, n, anew, err);
	if (rc == 0 && (anew || !file_is_there(a->dirfd, AUDIT_KEY_FILE)))
		rc = file_replace(a->dirfd, AUDIT_KEY_NEXT, AUDIT_KEY_FILE, err);
	a->fresh = a->fresh && rc != 0;
	a->said = a->said || rc == 0;
	close(fd);
	return rc;
}

int audit_append(struct audit *a, const struct audit_event *events, size_t n, struct err *err)
{
	if (!a->has_key)
		return err_set(err, ERR_INTERNAL, "the audit log has no key");
	return n > 0 ? append(a, events, n, false, err) : 0;
}

int audit_begin(struct audit *a, struct err *err)
{
	const struct audit_event e = { .action = "log_started", .credential = span_of("") };

	return a->fresh ? audit_append(a, &e, 1, err) : 0;
}

/* One file aside, under a name that nobody numbers. */
static int put_aside(const struct audit *a, const char *name, int64_t now, struct err *err)
{
	char to[96];
	struct err why;
	int rc;

	err_init(&why);
	snprintf(to, sizeof(to), "%s.broken-%" PRId64, name, now);
	rc = file_replace(a->dirfd, name, to, &why);
	return rc == 0 || rc == ERR_NOTFOUND ? 0 : err_set(err, rc, "%s", why.msg);
}

int audit_restart(struct audit *a, struct err *err)
{
	const struct audit_event e = { .action = "chain_restarted", .credential = span_of("") };
	int64_t now = clock_wall();
	char name[AUDIT_NAME_LEN];
	int rc = 0;

	/* the newest last: cut off in between, it is still broken */
	for (size_t n = newest_number(a->dirfd); rc == 0 && n > 0; n--) {
		numbered(name, n);
		rc = put_aside(a, name, now, err);
	}
	if (rc == 0)
		rc = put_aside(a, LOG, now, err);
	if (rc == 0)
		rc = rand_bytes(a->key, sizeof(a->key), err);
	a->has_key = rc == 0;
	a->fresh = false;
	return rc == 0 ? append(a, &e, 1, true, err) : rc;
}
