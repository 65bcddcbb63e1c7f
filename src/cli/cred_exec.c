#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actions/mask.h"
#include "actions/redact.h"
#include "base/file.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cred_grant.h"
#include "cred/vault.h"
#include "loop/loop.h"

#define CHUNK 65536
#define NOT_FOUND 127		/* as a shell says */
#define NOT_RUN 126

extern char **environ;

struct exec {
	struct cred *c;
	struct grant list[CRED_NAMES_MAX];
	size_t n;
	char **env;
};

/* ---- the environment ---- */

static bool is_replaced(const struct exec *x, const char *pair)
{
	struct span name = span_before(span_of(pair), '=');

	for (size_t i = 0; i < x->n; i++)
		if (span_same(x->list[i].name, name))
			return true;
	return false;
}

static char *make_pair(struct exec *x, const struct grant *g)
{
	struct span v = buf_span(&g->value);
	char *p = safe_take(&x->c->safe, g->name.n + v.n + 2);

	if (p == NULL)
		return NULL;
	memcpy(p, g->name.p, g->name.n);
	p[g->name.n] = '=';
	if (v.n > 0)
		memcpy(p + g->name.n + 1, v.p, v.n);
	p[g->name.n + 1 + v.n] = '\0';
	return p;
}

static int build_env(struct exec *x, struct err *err)
{
	size_t n = 0, k = 0;

	while (environ[n] != NULL)
		n++;
	x->env = calloc(n + x->n + 1, sizeof(*x->env));
	if (x->env == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the environment");
	for (size_t i = 0; i < n && !x->c->o->pristine; i++)
		if (!cred_leads_to_key(environ[i]) && !is_replaced(x, environ[i]))
			x->env[k++] = environ[i];
	for (size_t i = 0; i < x->n; i++) {
		x->env[k] = make_pair(x, &x->list[i]);
		if (x->env[k++] == NULL)
			return err_set(err, ERR_LIMIT, "the values are longer than an environment holds");
	}
	return 0;
}

/* In place of this process: signals and the exit code are the command's own, and nobody is left who knows. */
static int become(struct exec *x, struct err *err)
{
	char *const *argv = (char *const *)(uintptr_t)x->c->arg;

	fflush(stdout);
	safe_soften();
	signal(SIGPIPE, SIG_DFL);
	execvpe(argv[0], argv, x->env);
	err_sys(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "running %s", argv[0]);
	return errno == ENOENT ? NOT_FOUND : NOT_RUN;
}

/* ---- with --redact ---- */

struct stream {
	struct io io;
	int to;
	struct redact *redact;
	struct buf *out;
	bool *failed;
};

static volatile sig_atomic_t child_pid;
static int wake;		/* a byte for each SIGCHLD */

/* What the kernel sends for a terminal it sends to the whole group, and so to the command; but a hangup to a
 * session's leader alone. */
static void on_signal(int sig, siginfo_t *si, void *context)
{
	int saved = errno;

	(void)context;
	if (sig == SIGCHLD)
		file_write_all(wake, "", 1);
	else if (child_pid > 0 && (si->si_code <= 0 || (sig == SIGHUP && getsid(0) == getpid())))
		kill((pid_t)child_pid, sig);
	errno = saved;
}

static const int caught[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

/* NULL: as they were. What is ignored (nohup) stays so, for the command too. */
static void catch(void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa, was;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = fn;
	sa.sa_flags = SA_RESTART | SA_NOCLDSTOP | (fn != NULL ? SA_SIGINFO : 0);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		if (sigaction(caught[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(caught[i], &sa, NULL);
}

static unsigned want(struct io *io)
{
	(void)io;
	return LOOP_READ;
}

/* Nobody reads any more: the command is told so at its next write, as without us. */
static void flush(struct stream *s)
{
	if (buf_len(s->out) > 0 && file_write_all(s->to, buf_data(s->out), buf_len(s->out)) < 0)
		*s->failed = s->io.dead = true;
	safe_buf_clear(s->out);
}

static void ready(struct io *io, unsigned got)
{
	struct stream *s = (struct stream *)(void *)io;
	char chunk[CHUNK];
	ssize_t n = read(io->fd, chunk, sizeof(chunk));

	(void)got;
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		redact_end(s->redact, s->out);
		io->dead = true;
	} else {
		redact_feed(s->redact, span_make(chunk, (size_t)n), s->out);
		wipe(chunk, (size_t)n);
	}
	flush(s);
}

static void reap(struct io *io)
{
	close(io->fd);
}

static void reap_both(struct io *io)
{
	close(io->fd);
	close(((struct stream *)(void *)io)->to);
}

struct hiding {
	struct cred *c;
	struct redact *redact[2];	/* which borrow the same texts */
	bool failed;
};

/* The forms are made in scratch memory: each is kept. */
static void hide(void *arg, struct span text)
{
	struct hiding *h = arg;
	uint8_t *p;

	if (text.n == 0)
		return;
	p = safe_take(&h->c->safe, text.n);
	if (p == NULL) {
		h->failed = true;
		return;
	}
	memcpy(p, text.p, text.n);
	for (int i = 0; i < 2; i++)
		if (redact_hide(h->redact[i], span_make(p, text.n)) != 0)
			h->failed = true;
}

static int make_filters(struct exec *x, struct stream s[2], struct buf *scratch, struct err *err)
{
	struct hiding h = { .c = x->c, .redact = { redact_new(), redact_new() } };

	s[0].redact = h.redact[0];
	s[1].redact = h.redact[1];
	if (h.redact[0] == NULL || h.redact[1] == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the filter of the values");
	for (size_t i = 0; i < x->n; i++) {
		mask_each(buf_span(&x->list[i].value), scratch, hide, &h);
		mask_forms(buf_span(&x->list[i].value), scratch, hide, &h);
	}
	if (h.failed || scratch->failed)
		return err_set(err, ERR_LIMIT, "there is no room for the filter of the values");
	return 0;
}

static void run_child(struct exec *x, int out, int problem, const sigset_t *mask)
{
	struct err err;

	err_init(&err);
	catch(NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(problem, STDERR_FILENO) < 0)
		_exit(NOT_RUN);
	int code = become(x, &err);

	dprintf(STDERR_FILENO, "ghoard: %s\n", err.msg);
	_exit(code);
}

/* A signal that comes in between would reach neither. */
static pid_t start(struct exec *x, const int *fds)
{
	sigset_t all, mask;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	signal(SIGCHLD, SIG_DFL);
	catch(on_signal);
	pid = fork();
	if (pid == 0)
		run_child(x, fds[1], fds[3], &mask);
	child_pid = pid;
	sigdelset(&mask, SIGCHLD);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return pid;
}

struct ending {
	struct io io;
	pid_t pid;
	int status;
	bool done;
};

static void ended(struct io *io, unsigned got)
{
	struct ending *e = (struct ending *)(void *)io;
	char byte;

	(void)got;
	if (read(io->fd, &byte, 1) == 1 && waitpid(e->pid, &e->status, WNOHANG) == e->pid) {
		child_pid = 0;
		e->done = io->dead = true;
	}
}

/* Take what the ended command has written; whether another process still holds its end. */
static bool is_held(struct stream *s)
{
	struct pollfd p = { .fd = s->io.fd, .events = POLLIN };
	int n = 0;

	if (!s->io.dead)
		ioctl(p.fd, FIONREAD, &n);
	for (; !s->io.dead && (n > 0 || (poll(&p, 1, 0) > 0 && !(p.revents & POLLIN))); n -= CHUNK)
		ready(&s->io, 0);
	return !s->io.dead;
}

/* Who waits for the command does not wait for what it left behind; nor does that lose its output, or the
 * output its filter: a copy of us stays for it. true: we are that copy (or could make none). */
static bool stays(struct exec *x, struct stream *s)
{
	bool held[2] = { is_held(&s[0]), is_held(&s[1]) };
	pid_t pid = held[0] || held[1] ? fork() : 1;

	if (pid != 0)
		return pid < 0;
	safe_lock(&x->c->safe);
	close(STDIN_FILENO);
	for (int i = 0; i < 2; i++)
		if (held[i])
			s[i].io.reap = reap_both;
		else
			close(s[i].to);
	return true;
}

/* As the command ended, so do we. */
static int end_as(int status)
{
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static int supervise(struct exec *x, const int fds[6], struct stream *s, struct err *err)
{
	struct ending e = { .io = { .fd = fds[4], .want = want, .ready = ended, .reap = reap } };
	struct loop *loop = NULL;
	bool never = false;
	int rc = loop_new(&loop, err);

	for (int i = 0; rc == 0 && i < 2; i++)
		rc = loop_add(loop, &s[i].io, err);
	if (rc == 0)
		rc = loop_add(loop, &e.io, err);
	wake = fds[5];
	e.pid = rc == 0 ? start(x, fds) : -1;
	if (rc == 0 && e.pid < 0)
		rc = err_sys(err, ERR_IO, "starting %s", x->c->arg[0]);
	close(fds[1]);
	close(fds[3]);
	if (rc == 0)
		rc = loop_run(loop, &e.done, err);
	if (rc == 0) {
		catch(NULL);
		if (stays(x, s))
			loop_run(loop, &never, err);
	}
	loop_free(loop);
	return rc == 0 ? end_as(e.status) : cred_exit_code(err);
}

static int run_redacted(struct exec *x, struct err *err)
{
	int fds[6], code = XC_MACHINE;
	struct stream s[2];
	struct buf scratch, out[2];
	size_t most = 0;
	bool failed = false;

	for (size_t i = 0; i < x->n; i++)
		most = buf_len(&x->list[i].value) > most ? buf_len(&x->list[i].value) : most;
	safe_buf(&x->c->safe, &scratch, MASK_SCRATCH(most));
	for (int i = 0; i < 2; i++) {
		safe_buf(&x->c->safe, &out[i], 4 * CHUNK + 2 * most);
		s[i] = (struct stream){ .to = i == 0 ? STDOUT_FILENO : STDERR_FILENO,
			.out = &out[i],
			.failed = &failed };
	}
	if (make_filters(x, s, &scratch, err) != 0)
		goto out;
	if (pipe2(fds, O_CLOEXEC) != 0 || pipe2(fds + 2, O_CLOEXEC) != 0 || pipe2(fds + 4, O_CLOEXEC) != 0) {
		err_sys(err, ERR_IO, "making pipes");
		goto out;
	}
	for (int i = 0; i < 2; i++)
		s[i].io = (struct io){ .fd = fds[2 * i], .want = want, .ready = ready, .reap = reap };
	code = supervise(x, fds, s, err);
	if (failed && code == 0) {
		err_set(err, ERR_IO, "the output of %s could not be written", x->c->arg[0]);
		code = XC_MACHINE;
	}
out:
	redact_free(s[0].redact);
	redact_free(s[1].redact);
	return code;
}

/* ---- all of it ---- */

/* A command that runs without one of its secrets does something else than it was meant to. */
static int check_all(const struct exec *x, struct err *err)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->list[i].answer != GRANT_YES)
			return err_set(err, x->list[i].answer == GRANT_BROKEN ? ERR_DAMAGED : ERR_NOTFOUND,
			    "credential %.*s is not handed out: %s; %s was not run", (int)x->list[i].name.n,
			    x->list[i].name.p, x->list[i].why.msg, x->c->arg[0]);
	return 0;
}

int cred_exec_run(struct cred *c, struct err *err)
{
	static struct exec x;
	int rc, code;

	x.c = c;
	c->hold = CRED_NO_NUL;
	if (c->o->names == NULL)
		return err_set(err, ERR_USAGE, "it is 'ghoard cred exec --names A,B -- CMD...'"), XC_USAGE;
	rc = grant_names(c, c->o->names, false, x.list, CRED_NAMES_MAX, err);
	if (rc < 0)
		return cred_exit_code(err);
	x.n = (size_t)rc;
	rc = cred_open(c, false, NULL, err);
	if (rc == 0)
		rc = grant_all(c, x.list, x.n, "exec", err);
	if (rc == 0)
		rc = check_all(&x, err);
	if (rc == 0)
		rc = build_env(&x, err);
	if (rc == 0) {
		cred_anchor(c);
		vault_free(c->vault);
		c->vault = NULL;
	}
	code = rc != 0 ? cred_exit_code(err) : c->o->redact ? run_redacted(&x, err) : become(&x, err);
	grant_wipe(x.list, x.n);
	free(x.env);
	return code;
}
