/*
 * The bench's HTTP client: small enough that what it measures is the server. It is compiled when the bench
 * runs. Answers must be 200 with a Content-Length; all times are printed in ns.
 *
 *   client each WHERE FIELDS WANT <PATHS         one connection, one request after the other: a time a line
 *   client steady WHERE FIELDS CONNS RATE SECONDS <PATHS     the paths in turn
 *       RATE requests a second in all, sent when they are due and not when the last answer is there; a time
 *       counts from when its request was due, so that a server that stalls pays for all who wait: prints
 *       median, 99th percentile and longest
 *   client begin WHERE FIELDS PATH PROGRAM [ARG...]
 *       starts the program: from before fork to the first byte, and to the whole answer
 *
 * WHERE is a port of 127.0.0.1 or the path of a unix socket, FIELDS a file of header lines, WANT what each
 * answer's head must hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 65536
#define CONNS_MAX 1000
#define PATHS_MAX 1000
#define BILLION 1000000000LL

static char fields[4096];

static void fail(const char *what)
{
	fprintf(stderr, "client: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(1);
}

static void bad(const char *what)
{
	errno = 0;
	fail(what);
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * BILLION + t.tv_nsec;
}

static void read_fields(const char *name)
{
	FILE *file = fopen(name, "r");
	if (!file)
		fail(name);
	fields[fread(fields, 1, sizeof fields - 1, file)] = '\0';
	fclose(file);
}

/* A connected socket, -1 if nobody listens. */
static int dial(const char *where)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, unix_socket = where[0] == '/';
	int fd = socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	snprintf(un.sun_path, sizeof un.sun_path, "%s", where);
	in.sin_port = htons((uint16_t)atoi(where));
	if (connect(fd, unix_socket ? (struct sockaddr *)&un : (struct sockaddr *)&in,
		unix_socket ? sizeof un : sizeof in)) {
		close(fd);
		return -1;
	}
	if (!unix_socket)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

static size_t request(char *to, size_t size, const char *path)
{
	int n = snprintf(to, size, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, fields);
	if (n < 0 || (size_t)n >= size)
		bad("the request is too long");
	return (size_t)n;
}

static void send_all(int fd, const char *data, size_t n)
{
	if (send(fd, data, n, MSG_NOSIGNAL) != (ssize_t)n)
		fail("send");
}

/* One answer as it comes in: its head is kept, its body counted. */
struct answer {
	char head[HEAD_MAX];
	size_t n;		/* of the head, up to and with what came of the body in the same piece */
	size_t left;		/* of the body; SIZE_MAX while the head is not whole */
};

static void answer_clear(struct answer *a)
{
	a->n = 0;
	a->left = SIZE_MAX;
}

static void head_done(struct answer *a)
{
	char *end = strstr(a->head, "\r\n\r\n");
	if (!end) {
		if (a->n >= HEAD_MAX - 1)
			bad("a head without an end");
		return;
	}
	if (strncmp(a->head, "HTTP/1.1 200 ", 13))
		bad(a->head);
	size_t body = a->n - (size_t)(end + 4 - a->head);
	end[2] = '\0';
	char *length = strcasestr(a->head, "\r\nContent-Length:");
	if (!length)
		bad("an answer without Content-Length");
	a->left = (size_t)strtoull(length + 17, NULL, 10);
	if (a->left < body)
		bad("more than one answer");
	a->left -= body;
}

/* The head is not as it should be: its first line and what the cache says of it. */
static void unwanted(const char *head)
{
	const char *status = strcasestr(head, "\r\nCache-Status:");
	fprintf(stderr, "client: %.*s%.*s\n", (int)strcspn(head, "\r"), head,
	    status ? (int)strcspn(status + 2, "\r") : 0, status ? status + 2 : "");
	exit(1);
}

/* Reads once; 1 the answer is whole, 0 there is more to come. */
static int answer_read(struct answer *a, int fd, int flags)
{
	static char sink[1 << 18];
	int head = a->left == SIZE_MAX;
	ssize_t n = recv(fd, head ? a->head + a->n : sink, head ? HEAD_MAX - 1 - a->n : sizeof sink, flags);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		fail("the connection ended");
	if (!head) {
		if ((size_t)n > a->left)
			bad("more than one answer");
		a->left -= (size_t)n;
		return a->left == 0;
	}
	a->n += (size_t)n;
	a->head[a->n] = '\0';
	head_done(a);
	return a->left == 0;
}

static void each(const char *where, const char *want)
{
	static struct answer a;
	char path[2048], text[8192];
	int fd = dial(where);
	if (fd < 0)
		fail(where);
	while (fgets(path, sizeof path, stdin)) {
		path[strcspn(path, "\n")] = '\0';
		size_t n = request(text, sizeof text, path);
		answer_clear(&a);
		int64_t begin = now();
		send_all(fd, text, n);
		while (!answer_read(&a, fd, 0))
			;
		int64_t end = now();
		if (!strstr(a.head, want))
			unwanted(a.head);
		printf("%lld\n", (long long)(end - begin));
	}
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static struct conn {
	struct answer answer;
	int64_t due;		/* of the request it waits for; 0: it waits for none */
} *conns;

static struct text {
	char *p;
	size_t n;
} texts[PATHS_MAX];

/* The requests of the paths on stdin; returns how many. */
static int read_texts(void)
{
	char path[2048], text[8192];
	int count = 0;
	while (count < PATHS_MAX && fgets(path, sizeof path, stdin)) {
		path[strcspn(path, "\n")] = '\0';
		texts[count].n = request(text, sizeof text, path);
		texts[count++].p = strdup(text);
	}
	if (count == 0)
		bad("no paths on stdin");
	return count;
}

static void steady(const char *where, char **arg)
{
	int count = atoi(arg[0]), paths = read_texts();
	int64_t rate = atoll(arg[1]), total = rate * atoll(arg[2]), sent = 0, done = 0;
	if (count < 1 || count > CONNS_MAX || rate < 1)
		bad("CONNS or RATE");
	struct pollfd *polls = calloc((size_t)count, sizeof *polls);
	int64_t *times = calloc((size_t)total, sizeof *times);
	conns = calloc((size_t)count, sizeof *conns);
	for (int i = 0; i < count; i++) {
		polls[i] = (struct pollfd){ dial(where), POLLIN, 0 };
		if (polls[i].fd < 0)
			fail(where);
	}
	int next = 0;
	int64_t begin = now() + BILLION / 100;
	while (done < total) {
		int64_t t = now(), due = begin + sent * BILLION / rate;
		while (sent < total && due <= t && sent - done < count) {
			/* in turn, but past those that still wait */
			while (conns[next].due)
				next = (next + 1) % count;
			conns[next].due = due;
			answer_clear(&conns[next].answer);
			send_all(polls[next].fd, texts[sent % paths].p, texts[sent % paths].n);
			next = (next + 1) % count;
			due = begin + ++sent * BILLION / rate;
		}
		t = now();
		int64_t wait = sent == total || sent - done == count ? BILLION : due > t ? due - t : 0;
		struct timespec ts = { wait / BILLION, wait % BILLION };
		if (ppoll(polls, (nfds_t)count, &ts, NULL) < 0)
			fail("ppoll");
		for (int i = 0; i < count; i++) {
			if (!polls[i].revents || !answer_read(&conns[i].answer, polls[i].fd, MSG_DONTWAIT))
				continue;
			times[done++] = now() - conns[i].due;
			conns[i].due = 0;
		}
	}
	qsort(times, (size_t)total, sizeof *times, by_size);
	printf("%lld %lld %lld\n", (long long)times[total / 2], (long long)times[total * 99 / 100],
	    (long long)times[total - 1]);
}

static void begin(const char *where, char **arg)
{
	static struct answer a;
	char text[8192];
	size_t n = request(text, sizeof text, arg[0]);
	int fd = -1, status, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct timespec pause = { 0, 20000 };
	int64_t start = now();
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		dup2(null, 0);
		dup2(null, 1);
		execv(arg[1], arg + 1);
		_exit(127);
	}
	while ((fd = dial(where)) < 0) {
		if (now() - start > 10 * BILLION || waitpid(pid, &status, WNOHANG) == pid)
			bad("the daemon did not begin to listen");
		nanosleep(&pause, NULL);
	}
	send_all(fd, text, n);
	answer_clear(&a);
	int whole = answer_read(&a, fd, 0);
	int64_t first = now();
	while (!whole)
		whole = answer_read(&a, fd, 0);
	int64_t last = now();
	int hit = strstr(a.head, "detail=disk") != NULL;
	close(fd);
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	if (!hit)
		unwanted(a.head);
	printf("%lld %lld\n", (long long)(first - start), (long long)(last - start));
}

int main(int argc, char **argv)
{
	/* waits end when they should and not up to 50 us later */
	prctl(PR_SET_TIMERSLACK, 1);
	if (argc < 5)
		bad("usage: client each|steady|begin WHERE FIELDS ...");
	read_fields(argv[3]);
	if (!strcmp(argv[1], "each"))
		each(argv[2], argv[4]);
	else if (!strcmp(argv[1], "steady") && argc == 7)
		steady(argv[2], argv + 4);
	else if (!strcmp(argv[1], "begin") && argc > 5)
		begin(argv[2], argv + 4);
	else
		bad("usage: client each|steady|begin WHERE FIELDS ...");
	return 0;
}
