#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/summary.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"
#include "config/layers.h"
#include "cred/vault.h"
#include "metrics/metrics.h"

#define SAFE_SIZE ((size_t)8 << 20)

static void warn(const char *sentence)
{
	log_warn("%s", sentence);
}

static void note(void *arg, const char *sentence)
{
	(void)arg;
	log_warn("%s", sentence);
}

/* What a job's environment says about GitHub is not asked. */
static const char *home_alone(const char *name)
{
	return strcmp(name, "HOME") == 0 ? getenv("HOME") : NULL;
}

static int load_owner(struct cred *c, struct err *err)
{
	static const char *const only[] = { "credentials.", "upstream.", NULL };
	const struct settings_params p = { .host_dir = "/etc/ghoard", .env = home_alone, .only = only };
	const struct {
		const char *key, *value, *flag;
	} flags[] = { { "credentials.access", c->o->access, "--access" },
		{ "upstream.url", c->o->upstream, "--upstream" },
		{ "credentials.ca_file", c->o->ca_file, "--ca-file" },
		{ "credentials.proxy", c->o->proxy, "--proxy" } };
	int rc = settings_load(&p, &c->owner, err);

	for (size_t i = 0; rc == 0 && i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].value != NULL)
			rc = settings_override(c->owner, flags[i].key, flags[i].value, flags[i].flag, err);
	return rc;
}

static struct span or_variable(const char *given, const char *name)
{
	return given != NULL ? span_of(given) : span_of(getenv(name));
}

int cred_begin(struct cred *c, struct err *err)
{
	const struct settings_params p = { .config_dir =
					       c->g->config_dir != NULL ? c->g->config_dir : ".github",
		.host_dir = "/etc/ghoard",
		.warn = warn };
	int rc;

	safe_harden();
	err_init(&c->why);
	rc = settings_load(&p, &c->settings, err);
	if (rc == 0)
		rc = load_owner(c, err);
	if (rc == 0)
		rc = safe_new(&c->safe, SAFE_SIZE, err);
	if (rc != 0)
		return rc;
	c->dir = settings_str(c->settings, "credentials.directory");
	if (c->dir == NULL || c->dir[0] == '\0')
		return err_set(err, ERR_CONFIG,
		    "there is no home folder to keep credentials in; set CREDENTIALS_DIR or HOME");
	c->caller.repo = or_variable(c->o->repo, "GITHUB_REPOSITORY");
	c->caller.workflow = or_variable(c->o->workflow, "GITHUB_WORKFLOW");
	c->caller.runner = or_variable(c->o->runner, "RUNNER_NAME");
	c->token = span_of(app_token());
	return 0;
}

void cred_end(struct cred *c)
{
	metrics_free(c->metrics);
	vault_free(c->vault);
	safe_free(&c->safe);
	settings_free(c->owner);
	settings_free(c->settings);
}

/* Under the vault's lock, for which jobs wait: what is not there yet is asked for when that is free. */
static int give_pass(void *arg, bool fresh, struct buf *out, struct err *err)
{
	struct cred *c = arg;

	if (!c->has_words[fresh]) {
		c->wants = fresh ? 2 : 1;
		return err_set(err, ERR_USAGE, "a passphrase is needed");
	}
	buf_addspan(out, buf_span(&c->words[fresh]));
	return 0;
}

int cred_open(struct cred *c, bool write, void (*params)(const struct cred *, struct vault_params *),
    struct err *err)
{
	struct vault_params p = { .dir = c->dir, .safe = &c->safe, .write = write, .note = note };
	int rc;

	keyring_read_env(&p.place.env);
	p.place.cache_s = (unsigned)settings_int(c->owner, "credentials.key_cache");
	p.place.ask = give_pass;
	p.place.arg = c;
	if (params != NULL)
		params(c, &p);
	do
		rc = vault_open(&p, &c->vault, err);
	while (rc != 0 && cred_asked(c, err));
	if (rc != 0)
		return err->cls;
	if (c->metrics == NULL)
		c->metrics = metrics_open(c->dir);
	return 0;
}

void cred_existing(const struct cred *c, struct vault_params *p)
{
	(void)c;
	p->existing = true;
}

static void tolerate(const struct cred *c, struct vault_params *p)
{
	(void)c;
	p->repair = true;
}

int cred_open_log(struct cred *c, struct err *err)
{
	return cred_open(c, false, tolerate, err);
}

int cred_exit_code(const struct err *err)
{
	int code = cli_exit_code(err);

	return err->cls == ERR_DENIED || code == XC_UNAVAILABLE ? XC_MACHINE : code;
}

/* ---- secrets from outside ---- */

static int read_fd(int fd, struct buf *out, struct err *err)
{
	for (;;) {
		uint8_t *to =
		    buf_reserve(out, 4096 < out->max - buf_len(out) ? 4096 : out->max - buf_len(out));
		ssize_t n;

		if (to == NULL || buf_len(out) == out->max)
			return err_set(err, ERR_USAGE, "the input is longer than %zu KiB", out->max >> 10);
		n = read(fd, to, 4096 < out->max - buf_len(out) ? 4096 : out->max - buf_len(out));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, ERR_IO, "reading the value");
		if (n == 0)
			return 0;
		buf_commit(out, (size_t)n);
	}
}

static void drop_newline(struct buf *b)
{
	size_t n = buf_len(b);

	if (n > 0 && buf_data(b)[n - 1] == '\n')
		buf_truncate(b, n - 1);
}

int cred_read_path(const char *path, struct buf *out, struct err *err)
{
	int fd, rc;

	if (strcmp(path, "-") == 0)
		return read_fd(STDIN_FILENO, out, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno == ENOENT ? ERR_USAGE : ERR_IO, "opening %s", path);
	rc = read_fd(fd, out, err);
	close(fd);
	return rc;
}

static int read_variable(const char *name, struct buf *out, struct err *err)
{
	char *v = getenv(name);
	size_t n;

	if (v == NULL)
		return err_set(err, ERR_USAGE, "the environment has no %s", name);
	n = strlen(v);
	buf_add(out, v, n);
	/* this process's copy of it */
	wipe(v, n);
	return out->failed ? err_set(err, ERR_USAGE, "the value of %s is too long", name) : 0;
}

int cred_read_value(struct cred *c, const char *prompt, struct buf *out, struct err *err)
{
	int rc;

	safe_buf(&c->safe, out, VAULT_VALUE_MAX + 2);
	if (c->o->from_env != NULL && c->o->from_file != NULL)
		return err_set(err, ERR_USAGE, "--from-env and --from-file are two values; give one");
	if (c->o->from_env != NULL) {
		rc = read_variable(c->o->from_env, out, err);
	} else if (c->o->from_file != NULL && strcmp(c->o->from_file, "-") != 0) {
		rc = cred_read_path(c->o->from_file, out, err);
	} else if (isatty(STDIN_FILENO)) {
		rc = cred_prompt(c, prompt, true, out, err);
	} else {
		rc = read_fd(STDIN_FILENO, out, err);
		drop_newline(out);
	}
	if (rc == 0 && buf_len(out) > VAULT_VALUE_MAX)
		rc = err_set(err, ERR_USAGE, "the value is longer than %zu KiB", VAULT_VALUE_MAX >> 10);
	return rc;
}

/* A pipe is its writer's affair; a file is a key's. */
static int read_words(const char *path, struct buf *out, struct err *err)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		rc = err_sys(err, errno == ENOENT ? ERR_USAGE : ERR_IO, "opening %s", path);
	else if (S_ISREG(st.st_mode))
		rc = masterkey_check_file(&st, path, false, err);
	if (rc == 0)
		rc = read_fd(fd, out, err);
	if (fd >= 0)
		close(fd);
	drop_newline(out);
	return rc;
}

static int ask_pass(struct cred *c, bool fresh, struct buf *out, struct err *err)
{
	struct keyring_env env;
	int rc;

	keyring_read_env(&env);
	if (env.passphrase_file != NULL)
		return read_words(env.passphrase_file, out, err);
	rc = cred_prompt(c, fresh ? "New passphrase of the credentials" : "Passphrase of the credentials",
	    fresh, out, err);
	if (rc != ERR_UNAVAIL)
		return rc;
	err_init(err);
	return err_set(err, ERR_USAGE,
	    "the key needs a passphrase, and there is no terminal to ask at: name its file in "
	    "GHOARD_PASSPHRASE_FILE");
}

bool cred_asked(struct cred *c, struct err *err)
{
	int which = c->wants - 1;

	if (which < 0)
		return false;
	c->wants = 0;
	vault_free(c->vault);
	c->vault = NULL;
	err_init(err);
	safe_buf(&c->safe, &c->words[which], MASTERKEY_PASS_MAX);
	c->has_words[which] = ask_pass(c, which, &c->words[which], err) == 0;
	return c->has_words[which];
}

/* ---- which one ---- */

int cred_scope(const struct cred *c, enum scope *scope, struct span *filter, struct err *err)
{
	*scope = SCOPE_GLOBAL;
	*filter = span_make(NULL, 0);
	if (c->o->scope != NULL && !scope_parse(span_of(c->o->scope), scope))
		return err_set(err, ERR_USAGE, "--scope takes global, repo, workflow or runner, not '%s'",
		    c->o->scope);
	if (*scope == SCOPE_GLOBAL)
		return c->o->filter == NULL
		    ? 0
		    : err_set(err, ERR_USAGE, "a global credential has no --filter; say --scope too");
	*filter = c->o->filter != NULL ? span_of(c->o->filter) : scope_own(*scope, &c->caller);
	if (filter->n == 0 || filter->n > SCOPE_FILTER_MAX || !span_utf8(*filter))
		return err_set(err, ERR_USAGE,
		    "a credential of a %s needs --filter (its name, at most %d bytes)", scope_name(*scope),
		    SCOPE_FILTER_MAX);
	return 0;
}

bool cred_leads_to_key(const char *pair)
{
	return strncmp(pair, "GHOARD_MASTER_KEY_FILE=", 23) == 0 ||
	    strncmp(pair, "GHOARD_PASSPHRASE_FILE=", 23) == 0 ||
	    strncmp(pair, "CREDENTIALS_DIRECTORY=", 22) == 0;
}

struct record *cred_one(const struct cred *c, const char *name, struct err *err)
{
	struct recordset *s = &c->vault->set;
	struct record *found = NULL;
	struct span filter;
	enum scope scope;
	size_t n = 0;

	if (c->o->scope != NULL) {
		if (cred_scope(c, &scope, &filter, err) != 0)
			return NULL;
		found = recordset_exact(s, span_of(name), scope, filter);
		n = found != NULL;
	} else {
		for (size_t i = 0; i < s->n; i++)
			if (span_eq(s->list[i].name, name)) {
				found = &s->list[i];
				n++;
			}
	}
	if (n == 1)
		return found;
	if (n == 0)
		err_set(err, ERR_NOTFOUND, "there is no credential %s%s%s", name,
		    c->o->scope != NULL ? " of scope " : "", c->o->scope != NULL ? c->o->scope : "");
	else
		err_set(err, ERR_USAGE, "%zu credentials are called %s; say which with --scope and --filter",
		    n, name);
	return NULL;
}

/* ---- small things ---- */

const char *cred_time(int64_t us, char room[static 32])
{
	if (us == RECORD_NEVER)
		return "never";
	clock_rfc3339(room, us);
	return room;
}

void cred_count(struct cred *c, const char *name, uint64_t n)
{
	if (n > 0)
		metrics_add_named(c->metrics, name, n);
}

/* Counters only add: the difference is added, which for a smaller number wraps around to it. */
void cred_count_active(struct cred *c)
{
	char name[METRICS_NAME_MAX + 1];
	uint64_t n, have = 0, now = 0;
	int64_t at = clock_wall();

	for (size_t i = 0; i < c->vault->set.n; i++)
		now += c->vault->set.list[i].expires >= at;
	for (size_t i = 0; metrics_next(c->metrics, &i, name, &n);)
		if (strcmp(name, "cred.active") == 0)
			have = n;
	if (now != have)
		metrics_add_named(c->metrics, "cred.active", now - have);
}

void cred_anchor(const struct cred *c)
{
	const char *path = getenv("GITHUB_STEP_SUMMARY");
	struct err why;
	struct buf b;

	if (path == NULL || path[0] == '\0' || c->vault == NULL || !c->vault->audit.said)
		return;
	err_init(&why);
	buf_init(&b, 1024);
	buf_addf(&b, "\nghoard: the credentials' audit log stands at line %" PRIu64 ", anchor `%s`\n",
	    c->vault->audit.seq, c->vault->audit.head);
	if (summary_append(path, buf_span(&b), &why) != 0)
		log_warn("%s", why.msg);
	buf_free(&b);
}
