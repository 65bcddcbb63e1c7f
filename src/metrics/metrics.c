#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "metrics/metrics.h"

#define MAGIC "ghoard stats 1\n"	/* with its NUL 16 bytes; the last digit is the version */
#define MAGIC_LEN 16
#define VERSION_AT 13
#define NAME_LEN (METRICS_NAME_MAX + 1)

struct slot {
	char name[NAME_LEN];
	uint64_t number;
	uint64_t zero;
};

struct table {
	char magic[MAGIC_LEN];
	struct slot slots[METRICS_MAX];
};

_Static_assert(sizeof(struct slot) == 64, "the file has slots of 64 bytes");
_Static_assert(sizeof MAGIC == MAGIC_LEN, "the magic has 16 bytes");
_Static_assert(M_COUNT < METRICS_MAX, "every fixed counter has a slot");

struct metrics {
	struct table *table;		/* mapped, or from the heap */
	bool shared;
	char *path;			/* of the file, while it is shared */
	dev_t dev;
	ino_t ino;
	uint64_t *fixed[M_COUNT];
	uint64_t own[M_COUNT];		/* for those that found no slot */
};

static const struct {
	const char *name, *help;
} texts[M_COUNT] = {
	[M_REQUESTS] = { "total_requests", "Look-ups by commands and the daemon." },
	[M_HIT_MEM] = { "hits_memory", "Requests answered from memory." },
	[M_HIT_P2P] = { "hits_p2p", "Requests answered by a peer's entry." },
	[M_HIT_DISK] = { "hits_disk", "Requests answered from the disk." },
	[M_HIT_STALE] = { "hits_stale", "Requests answered by a stale entry, as GitHub could not be asked." },
	[M_REVALIDATED] = { "revalidated", "Own entries that GitHub confirmed with a 304." },
	[M_PEERS_LATE] = { "peers_late", "Look-ups that peers did not answer in time." },
	[M_CANDIDATE] = { "candidates_confirmed",
	    "Entries of another token or peer that GitHub confirmed with a 304." },
	[M_MISS] = { "misses", "Requests for which GitHub sent a new body." },
	[M_BYPASS] = { "bypassed", "Requests passed through uncached." },
	[M_STORED] = { "stored", "Entries stored." },
	[M_STORE_FAILED] = { "store_failures", "Entries that could not be stored." },
	[M_UPSTREAM] = { "upstream_requests", "Requests that reached GitHub." },
	[M_UPSTREAM_BILLABLE] = { "upstream_billable", "Requests that counted against the rate limit." },
	[M_CALLS_SAVED] = { "api_calls_saved", "Requests against the rate limit that were not made." },
	[M_BYTES_SAVED] = { "saved_bytes", "Body bytes that were not fetched." },
	[M_CORRUPT] = { "corrupt_entries", "Damaged entries that were moved away." },
	[M_ETAG_AGREE] = { "etag_agreed", "Answers whose ETag was the derived one." },
	[M_ETAG_DIFFER] = { "etag_differed", "Answers whose ETag was not the derived one." },
	[M_LINK_DROPPED] = { "links_dropped", "Link and Location headers that left the upstream." },
	[M_RATE_WAITS] = { "rate_limit_waits", "Waits for a rate limit." },
	[M_GC_RUNS] = { "gc_runs", "Collections of the store." },
	[M_GC_REMOVED] = { "gc_removed", "Entries removed by collections." },
	[M_CODEQL_CHECKS] = { "codeql_checks", "Runs of codeql check." },
	[M_CODEQL_HITS] = { "codeql_hits", "Scans that were not needed." },
	[M_CODEQL_STORED] = { "codeql_stored", "Scan results stored." },
	[M_CODEQL_UPLOADED] = { "codeql_uploaded", "Scan results uploaded." },
	[M_CODEQL_SECONDS_SAVED] = { "codeql_seconds_saved",
	    "Measured seconds of scans that were not needed." },
	[M_CODEQL_SAMPLED] = { "codeql_sampled", "Hits that were scanned all the same and compared." },
	[M_CODEQL_FALSE_SKIPS] = { "codeql_false_skips", "Of these, such whose results were others." },
};

const char *metrics_name(enum metric m)
{
	return texts[m].name;
}

const char *metrics_help(enum metric m)
{
	return texts[m].help;
}

/* ---- slots ---- */

static bool name_ok(const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = name[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.')
			return false;
	}
	return n > 0 && n <= METRICS_NAME_MAX;
}

/* A name is written from its second byte on; the first makes it visible, whole, to those who look without the
 * lock. */
static bool in_use(const struct slot *slot)
{
	return __atomic_load_n(&slot->name[0], __ATOMIC_ACQUIRE) != '\0';
}

static struct slot *find(struct table *t, const char *name)
{
	for (size_t i = 0; i < METRICS_MAX && in_use(&t->slots[i]); i++)
		if (strcmp(t->slots[i].name, name) == 0)
			return &t->slots[i];
	return NULL;
}

/* The slot of that name, made if there is room. The caller holds the lock if there is one. */
static struct slot *claim(struct table *t, const char *name)
{
	struct slot *slot = find(t, name);

	if (slot)
		return slot;
	for (size_t i = 0; i < METRICS_MAX; i++) {
		slot = &t->slots[i];
		if (in_use(slot))
			continue;
		memcpy(slot->name + 1, name + 1, strlen(name));
		__atomic_store_n(&slot->name[0], name[0], __ATOMIC_RELEASE);
		return slot;
	}
	return NULL;
}

static bool all_zero(const void *p, size_t n)
{
	const unsigned char *b = p;
	uint64_t word, any = 0;

	for (; n >= sizeof word; n -= sizeof word, b += sizeof word) {
		memcpy(&word, b, sizeof word);
		any |= word;
	}
	while (n-- > 0)
		any |= *b++;
	return any == 0;
}

static bool slot_ok(const struct slot *slot)
{
	if (slot->name[0] == '\0')
		return all_zero(slot, sizeof *slot);
	size_t n = strnlen(slot->name, NAME_LEN);

	return n < NAME_LEN && slot->zero == 0 && name_ok(slot->name, n) &&
	    all_zero(slot->name + n, NAME_LEN - n);
}

/* A process that died while claiming leaves a name without its first byte. Under the lock it can be taken
 * back. Whole slots are only read: a write would cost a page fault for each page of the table. */
static void clear_half_claimed(struct table *t)
{
	for (size_t i = 0; i < METRICS_MAX; i++)
		if (!in_use(&t->slots[i]) && t->slots[i].number == 0 && !all_zero(t->slots[i].name, NAME_LEN))
			memset(t->slots[i].name, 0, NAME_LEN);
}

static bool slots_ok(const struct table *t)
{
	bool end = false;

	for (size_t i = 0; i < METRICS_MAX; i++) {
		const struct slot *slot = &t->slots[i];
		if (!slot_ok(slot) || (end && slot->name[0] != '\0'))
			return false;
		end = slot->name[0] == '\0';
	}
	return true;
}

/* ---- the file ---- */

enum found { F_GOOD, F_EMPTY, F_DAMAGED, F_OTHER_VERSION, F_UNUSABLE };

static enum found inspect(int fd, const struct stat *st)
{
	char magic[MAGIC_LEN] = "";
	ssize_t n = pread(fd, magic, sizeof magic, 0);

	if (n < 0)
		return F_UNUSABLE;
	if (st->st_size == 0)
		return F_EMPTY;
	if (memcmp(magic, MAGIC, VERSION_AT) == 0 && magic[VERSION_AT] != MAGIC[VERSION_AT])
		return F_OTHER_VERSION;
	if (memcmp(magic, MAGIC, MAGIC_LEN) != 0 || st->st_size != (off_t)sizeof(struct table))
		return F_DAMAGED;
	return F_GOOD;
}

/* Every byte is written: a hole that finds no room later would end the process with SIGBUS. */
static int fill(int fd)
{
	struct table *t = calloc(1, sizeof *t);
	int r = -1;

	if (t && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0) {
		memcpy(t->magic, MAGIC, MAGIC_LEN);
		r = file_write_all(fd, t, sizeof *t);
		if (r < 0)
			(void)!ftruncate(fd, 0);
	}
	free(t);
	return r;
}

static struct table *map(int fd)
{
	void *p = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int lock(int fd)
{
	int r;

	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r;
}

static int open_locked(const char *path, struct stat *st)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return -1;
	if (lock(fd) < 0 || fstat(fd, st) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A mapping keeps the open file alive, and the lock with it: closing alone would hold it for good. */
static void unlock(int fd)
{
	flock(fd, LOCK_UN);
	close(fd);
}

static void take_fixed(struct metrics *m)
{
	for (size_t i = 0; i < M_COUNT; i++) {
		/* who makes a table puts them in this order */
		struct slot *usual = &m->table->slots[i];
		bool there = strcmp(usual->name, texts[i].name) == 0;
		struct slot *slot = there ? usual : claim(m->table, texts[i].name);
		m->fixed[i] = slot ? &slot->number : &m->own[i];
	}
}

/* 1 the file is used, 0 it cannot be, -1 it was damaged or is gone from its name: try again. */
static int use_file(struct metrics *m, const char *path)
{
	struct stat st;
	int fd = open_locked(path, &st), r = 0;

	if (fd < 0)
		return 0;
	enum found found = inspect(fd, &st);
	if (st.st_nlink == 0)
		r = -1;
	else if (found == F_DAMAGED)
		r = unlink(path) == 0 ? -1 : 0;
	else if (found == F_GOOD || (found == F_EMPTY && fill(fd) == 0)) {
		struct table *t = map(fd);
		if (t) {
			clear_half_claimed(t);
			r = slots_ok(t) ? 1 : unlink(path) == 0 ? -1 : 0;
		}
		if (r == 1) {
			m->table = t;
			m->dev = st.st_dev;
			m->ino = st.st_ino;
			take_fixed(m);
		} else if (t)
			munmap(t, sizeof *t);
	}
	unlock(fd);
	return r;
}

static int share(struct metrics *m, const char *dir)
{
	size_t n = strlen(dir) + sizeof "/.stats";
	int r = -1;

	m->path = malloc(n);
	if (!m->path)
		return 0;
	snprintf(m->path, n, "%s/.stats", dir);
	/* Twice suffices unless others damage it, too; what then is left is the memory. */
	for (int tries = 0; r < 0 && tries < 4; tries++)
		r = use_file(m, m->path);
	return r > 0;
}

struct metrics *metrics_open(const char *dir)
{
	struct metrics *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->shared = dir && share(m, dir);
	if (m->shared)
		return m;
	m->table = calloc(1, sizeof *m->table);
	if (!m->table) {
		free(m->path);
		free(m);
		return NULL;
	}
	take_fixed(m);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	if (m->shared)
		munmap(m->table, sizeof *m->table);
	else
		free(m->table);
	free(m->path);
	free(m);
}

bool metrics_is_shared(const struct metrics *m)
{
	return m && m->shared;
}

/* ---- counting ---- */

void metrics_add(struct metrics *m, enum metric which, uint64_t n)
{
	if (m)
		__atomic_fetch_add(m->fixed[which], n, __ATOMIC_RELAXED);
}

uint64_t metrics_get(const struct metrics *m, enum metric which)
{
	return m ? __atomic_load_n(m->fixed[which], __ATOMIC_RELAXED) : 0;
}

static struct slot *claim_shared(struct metrics *m, const char *name)
{
	struct slot *slot = NULL;
	struct stat st;
	int fd = open_locked(m->path, &st);

	if (fd < 0)
		return NULL;
	/* Another file under the name now: its lock says nothing about our slots. */
	if (st.st_dev == m->dev && st.st_ino == m->ino)
		slot = claim(m->table, name);
	unlock(fd);
	return slot;
}

static bool is_dynamic(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot && dot != name && dot[1];
}

uint64_t *metrics_counter(struct metrics *m, const char *name)
{
	if (!m || !name_ok(name, strlen(name)) || !is_dynamic(name))
		return NULL;
	struct slot *slot = find(m->table, name);
	if (!slot && !in_use(&m->table->slots[METRICS_MAX - 1]))
		slot = m->shared ? claim_shared(m, name) : claim(m->table, name);
	return slot ? &slot->number : NULL;
}

void metrics_count(uint64_t *counter, uint64_t n)
{
	if (counter)
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void metrics_add_named(struct metrics *m, const char *name, uint64_t n)
{
	metrics_count(metrics_counter(m, name), n);
}

void metrics_merge(struct metrics *into, const struct metrics *from)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n;

	for (int i = 0; i < M_COUNT; i++)
		metrics_add(into, (enum metric)i, metrics_get(from, (enum metric)i));
	for (size_t at = 0; metrics_next(from, &at, name, &n);)
		metrics_add_named(into, name, n);
}

bool metrics_next(const struct metrics *m, size_t *at, char name[static METRICS_NAME_MAX + 1],
    uint64_t *number)
{
	while (m && *at < METRICS_MAX && in_use(&m->table->slots[*at])) {
		const struct slot *slot = &m->table->slots[(*at)++];
		memcpy(name, slot->name, NAME_LEN);
		name[METRICS_NAME_MAX] = '\0';
		/* Others are the fixed ones, of this version or of one before. */
		if (!is_dynamic(name))
			continue;
		*number = __atomic_load_n(&slot->number, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}
