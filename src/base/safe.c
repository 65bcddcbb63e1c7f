#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/safe.h"
#include "base/wipe.h"

#define ONFAULT 1		/* MLOCK_ONFAULT: musl names it with other headers */
#define LEAST ((size_t)32 << 10)
#define SCRUB ((size_t)16 << 10)

static struct rlimit core_was;
static bool hardened;

void safe_lock(struct safe *s)
{
	s->locked = syscall(SYS_mlock2, s->base, s->size, ONFAULT) == 0;
	/* under a small limit, and before Linux 4.4, at least the keys, which come first */
	if (!s->locked)
		mlock(s->base, s->size < LEAST ? s->size : LEAST);
}

int safe_new(struct safe *s, size_t size, struct err *err)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*s = (struct safe){ .size = size };
	if (p == MAP_FAILED)
		return err_set(err, ERR_INTERNAL, "no memory for secrets");
	s->base = p;
	madvise(p, size, MADV_DONTDUMP);
	madvise(p, size, MADV_NOHUGEPAGE);	/* one byte would clear and lock 2 MiB */
	safe_lock(s);
	return 0;
}

void safe_free(struct safe *s)
{
	if (s->base == NULL)
		return;
	wipe(s->base, s->used);
	munmap(s->base, s->size);
	*s = (struct safe){ .size = 0 };
}

void *safe_take(struct safe *s, size_t n)
{
	size_t room = (n + 15) & ~(size_t)15;
	void *p = s->base + s->used;

	if (s->base == NULL || room < n || room > s->size - s->used)
		return NULL;
	s->used += room;
	return p;
}

void safe_buf(struct safe *s, struct buf *b, size_t max)
{
	uint8_t *base = safe_take(s, max + 1);

	*b = (struct buf){
		.base = base, .cap = base != NULL ? max + 1 : 0, .max = max, .failed = base == NULL
	};
}

void safe_buf_clear(struct buf *b)
{
	wipe(b->base, b->end);
	b->off = b->end = 0;
	b->failed = b->base == NULL;
}

void safe_harden(void)
{
	struct rlimit none;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (hardened || getrlimit(RLIMIT_CORE, &core_was) != 0)
		return;
	hardened = true;
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = core_was.rlim_max };
	setrlimit(RLIMIT_CORE, &none);
}

void safe_soften(void)
{
	if (hardened)
		setrlimit(RLIMIT_CORE, &core_was);
}

__attribute__((noinline)) void safe_scrub_stack(void)
{
	uint8_t below[SCRUB];

	wipe(below, sizeof(below));
}
