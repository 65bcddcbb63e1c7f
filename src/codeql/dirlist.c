#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "codeql/dirlist.h"

/* readdir(3) of musl asks for 2 KiB at a time */
#define RAW_SIZE ((size_t)32 << 10)
#define INSERTION_MAX 12

/* As the kernel has it, getdents64(2). */
struct raw_entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

int dirlist_init(struct dirlist *d)
{
	buf_init(&d->names, BUF_MAX_ANY);
	buf_init(&d->text, UINT32_MAX);
	d->raw = malloc(RAW_SIZE);
	return d->raw ? 0 : ERR_INTERNAL;
}

void dirlist_free(struct dirlist *d)
{
	buf_free(&d->names);
	buf_free(&d->text);
	free(d->raw);
	d->raw = NULL;
}

int dirlist_cmp(struct span a, bool a_folder, struct span b, bool b_folder)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = str_bytes(a.p, b.p, n);

	if (c != 0)
		return c;
	int x = a.n > n ? (unsigned char)a.p[n] : a_folder ? '/' : 0;
	int y = b.n > n ? (unsigned char)b.p[n] : b_folder ? '/' : 0;
	return x - y;
}

static struct dirlist_name *names_of(const struct dirlist *d)
{
	return (struct dirlist_name *)(void *)buf_data(&d->names);
}

const char *dirlist_text(const struct dirlist *d, struct dirlist_name n)
{
	return (const char *)buf_data(&d->text) + n.at;
}

struct dirlist_name dirlist_at(const struct dirlist *d, const struct dirlist_part *p, size_t i)
{
	return names_of(d)[p->first + i];
}

static int name_cmp(const struct dirlist *d, const struct dirlist_name *a, const struct dirlist_name *b)
{
	return dirlist_cmp(span_make(dirlist_text(d, *a), a->len), a->type == DT_DIR,
	    span_make(dirlist_text(d, *b), b->len), b->type == DT_DIR);
}

static void insertion_sort(const struct dirlist *d, struct dirlist_name *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct dirlist_name x = v[i];
		size_t j = i;

		for (; j > 0 && name_cmp(d, &v[j - 1], &x) > 0; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* By merging: a folder may have a hundred thousand names in an order that somebody chose. */
static void merge_sort(const struct dirlist *d, struct dirlist_name *v, size_t n, struct dirlist_name *spare)
{
	if (n <= INSERTION_MAX) {
		insertion_sort(d, v, n);
		return;
	}
	size_t half = n / 2, i = 0, j = half;
	merge_sort(d, v, half, spare);
	merge_sort(d, v + half, n - half, spare);
	if (name_cmp(d, &v[half - 1], &v[half]) <= 0)
		return;
	memcpy(spare, v, half * sizeof(*v));
	for (size_t to = 0; i < half; to++)
		v[to] = j < n && name_cmp(d, &spare[i], &v[j]) > 0 ? v[j++] : spare[i++];
}

static uint8_t type_of(int fd, const struct raw_entry *e)
{
	struct stat st;

	if (e->type != DT_UNKNOWN)
		return e->type;
	if (fstatat(fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return (uint8_t)IFTODT(st.st_mode);
}

/* A file or folder called .git that is no repository's is a source like any other. */
static bool is_gits(int fd, uint8_t type)
{
	static const char front[] = "gitdir: ";
	char text[sizeof(front) - 1];

	if (type != DT_REG)
		return faccessat(fd, ".git/HEAD", F_OK, 0) == 0 &&
		    (faccessat(fd, ".git/objects", F_OK, 0) == 0 ||
			faccessat(fd, ".git/commondir", F_OK, 0) == 0);
	int file = openat(fd, ".git", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool yes = file >= 0 && read(file, text, sizeof(text)) == (ssize_t)sizeof(text) &&
	    memcmp(text, front, sizeof(text)) == 0;
	if (file >= 0)
		close(file);
	return yes;
}

static bool skipped(int fd, const struct raw_entry *e, size_t n)
{
	if (e->name[0] != '.' || n > 4)
		return false;
	return n == 1 || (n == 2 && e->name[1] == '.') ||
	    (strcmp(e->name, ".git") == 0 && is_gits(fd, type_of(fd, e)));
}

static void take_raw(struct dirlist *d, int fd, size_t got)
{
	for (size_t at = 0; at < got;) {
		const struct raw_entry *e = (const struct raw_entry *)(const void *)(d->raw + at);
		size_t n = strlen(e->name);

		at += e->len;
		if (skipped(fd, e, n))
			continue;
		struct dirlist_name name = { .at = (uint32_t)buf_len(&d->text),
			.len = (uint16_t)n,
			.type = type_of(fd, e) };
		buf_add(&d->text, e->name, n + 1);
		buf_add(&d->names, &name, sizeof(name));
	}
}

static int sort(struct dirlist *d, const struct dirlist_part *p)
{
	/* the spare half stands behind the names for as long as the sorting takes */
	size_t room = (p->n / 2 + 1) * sizeof(struct dirlist_name);
	uint8_t *spare = buf_reserve(&d->names, room);

	if (spare == NULL)
		return ERR_INTERNAL;
	merge_sort(d, names_of(d) + p->first, p->n, (struct dirlist_name *)(void *)spare);
	return 0;
}

int dirlist_push(struct dirlist *d, int fd, struct dirlist_part *p)
{
	p->names_mark = buf_len(&d->names);
	p->text_mark = buf_len(&d->text);
	p->first = p->names_mark / sizeof(struct dirlist_name);
	p->n = 0;
	for (;;) {
		long got = syscall(SYS_getdents64, fd, d->raw, RAW_SIZE);

		if (got < 0)
			return ERR_IO;
		if (got == 0)
			break;
		take_raw(d, fd, (size_t)got);
	}
	if (d->names.failed || d->text.failed)
		return ERR_INTERNAL;
	p->n = buf_len(&d->names) / sizeof(struct dirlist_name) - p->first;
	return sort(d, p);
}

void dirlist_pop(struct dirlist *d, const struct dirlist_part *p)
{
	buf_truncate(&d->names, p->names_mark);
	buf_truncate(&d->text, p->text_mark);
}

bool dirlist_find(const struct dirlist *d, const struct dirlist_part *p, struct span name, bool folder,
    struct dirlist_name *out)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct dirlist_name n = dirlist_at(d, p, mid);
		int c = dirlist_cmp(span_make(dirlist_text(d, n), n.len), n.type == DT_DIR, name, folder);

		if (c == 0) {
			*out = n;
			return true;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
