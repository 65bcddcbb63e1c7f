/*
 * launch [-y|-p FIRST-LAST]... [-c FD]... [-n FILES] PROGRAM ARGUMENT...
 *
 * Becomes PROGRAM on a smaller machine: the system calls of those numbers answer ENOSYS (-p: EPERM, as from
 * old container runtimes), those descriptors are closed, so many files may be open. `launch -l` prints this
 * machine's numbers of some calls.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RANGES 256
#define NUMBER offsetof(struct seccomp_data, nr)

/* What a C library, or our own code, might use. getrandom is of Linux 3.17, bpf the first of 3.18; from 424
 * on the numbers are the same on all machines. */
static const struct {
	const char *name;
	int number;
} calls[] = { { "getrandom", SYS_getrandom }, { "bpf", SYS_bpf }, { "membarrier", SYS_membarrier },
	{ "mlock2", SYS_mlock2 }, { "signalfd4", SYS_signalfd4 }, { "statx", SYS_statx },
	{ "close_range", 436 }, { "faccessat2", 439 } };

struct rules {
	struct sock_filter code[3 * RANGES + 2];
	unsigned short n;
};

static void add(struct rules *r, struct sock_filter one)
{
	if (r->n < sizeof(r->code) / sizeof(r->code[0]))
		r->code[r->n++] = one;
}

static int refuse(struct rules *r, const char *range, unsigned answer)
{
	unsigned first, last;

	if (sscanf(range, "%u-%u", &first, &last) != 2 || r->n > 3 * (RANGES - 1))
		return -1;
	add(r, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2));
	add(r, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0));
	add(r, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer));
	return 0;
}

static int obey(struct rules *r)
{
	struct sock_fprog program = { .len = r->n, .filter = r->code };

	if (r->n == 1)
		return 0;
	add(r, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	program.len = r->n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv)
{
	struct rules rules = { .n = 0 };
	struct rlimit files;
	int opt;

	add(&rules, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER));
	while ((opt = getopt(argc, argv, "+ly:p:c:n:")) != -1) {
		if (opt == 'l') {
			for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
				printf("%s %d\n", calls[i].name, calls[i].number);
			return 0;
		}
		if ((opt == 'y' && refuse(&rules, optarg, ENOSYS) == 0) ||
		    (opt == 'p' && refuse(&rules, optarg, EPERM) == 0))
			continue;
		files.rlim_cur = files.rlim_max = opt == 'n' ? strtoul(optarg, NULL, 10) : 0;
		if (opt == 'n' && setrlimit(RLIMIT_NOFILE, &files) == 0)
			continue;
		if (opt == 'c' && close(atoi(optarg)) == 0)
			continue;
		return 125;
	}
	if (obey(&rules) != 0)
		return 125;
	execv(argv[optind], argv + optind);
	return 126;
}
