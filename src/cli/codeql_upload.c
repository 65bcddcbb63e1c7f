/* `ghoard codeql fetch` and `upload`: hand the stored result back, to a file or to GitHub. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/codeql.h"
#include "cli/fetch.h"
#include "codeql/edits.h"
#include "github/sarifup.h"
#include "metrics/metrics.h"

#define DETAIL_MAX 700

/* s: as the CodeQL action waits, but beginning sooner */
static const unsigned waits[] = { 1, 2, 4, 8, 16, 32, 60, 60 };

/* ---- which result ---- */

struct replay {
	struct scan_found found;
	struct intake in;
};

static int find(struct codeql *c, struct replay *r, struct err *err)
{
	char detail[DETAIL_MAX] = "";
	const char *reason = NULL;
	int rc;

	memset(r, 0, sizeof(*r));
	buf_init(&r->in.sarif.uris, 0);
	rc = codeql_look(c, err);
	if (rc != 0)
		return rc;
	if (c->event == EVENT_UNTRUSTED)
		return err_set(err, ERR_NOTFOUND,
		    "event-untrusted: on %s it is not known whose sources these are; give "
		    "--commit and --ref",
		    c->want.event);
	if (!codeql_no_key(c, &reason, detail, sizeof(detail)))
		reason = codeql_find(c, &r->found, &r->in, detail, sizeof(detail));
	return reason == NULL ? 0 : err_set(err, ERR_NOTFOUND, "%s: %s", reason, detail);
}

static void replay_free(struct replay *r)
{
	scan_found_free(&r->found);
	intake_free(&r->in);
}

/* ---- fetch ---- */

static int to_hold(void *arg, const void *p, size_t n, struct err *err)
{
	return file_hold_write(arg, p, n, err);
}

static int to_stdout(void *arg, const void *p, size_t n, struct err *err)
{
	(void)arg;
	return fwrite(p, 1, n, stdout) == n ? 0 : err_sys(err, ERR_IO, "writing to standard output");
}

int codeql_write_result(const char *from, const char *out, struct err *err)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC), rc;
	struct file_hold hold;
	struct edits none;

	if (fd < 0)
		return err_sys(err, ERR_IO, "opening %s", from);
	edits_init(&none);
	if (strcmp(out, "-") == 0) {
		rc = edits_apply(&none, fd, to_stdout, NULL, err);
	} else {
		rc = file_hold(&hold, AT_FDCWD, out, err);
		if (rc == 0) {
			rc = edits_apply(&none, fd, to_hold, &hold, err);
			if (rc == 0)
				rc = file_commit(&hold, out, 0644, false, err);
			else
				file_rollback(&hold);
		}
	}
	edits_free(&none);
	close(fd);
	return rc;
}

int codeql_fetch(struct codeql *c, struct err *err)
{
	struct replay r;
	int rc;

	if (c->o->out == NULL)
		return cli_exit_code((err_set(err, ERR_USAGE,
					  "it is 'ghoard codeql fetch --out FILE' (- is standard "
					  "output)"),
		    err));
	rc = find(c, &r, err);
	if (rc == 0)
		rc = codeql_write_result(r.found.sarif, c->o->out, err);
	replay_free(&r);
	return rc == 0 ? XC_OK : cli_exit_code(err);
}

/* ---- for which commit and ref ---- */

struct target {
	char commit[65], ref[256];
	bool on_trust;			/* there is no .git: GITHUB_SHA was believed */
};

static int from_tree(const struct codeql *c, const char *commit, struct err *err)
{
	const struct fingerprint *fp = &c->fp;

	if (fp->counts.dirty > 0)
		return err_set(err, ERR_NOTFOUND,
		    "dirty: %zu tracked files are not as the commit has them; nothing is "
		    "uploaded",
		    fp->counts.dirty);
	if (fp->root != FP_TREE_VALID)
		return err_set(err, ERR_NOTFOUND,
		    "dirty: the index does not say that it is the commit's tree (%s), as "
		    "after 'git add'; nothing is uploaded",
		    fp->root == FP_TREE_MISSING ? "no TREE" : "TREE is invalid");
	switch (codeql_is_commit(c, commit)) {
	case 0:
		return err_set(err, ERR_NOTFOUND,
		    "dirty: these files are those of the tree %.12s, which is not that of %.12s; nothing is "
		    "uploaded",
		    fp->tree, commit);
	case -1:
		if (fp->commit[0] != '\0' && (c->o->commit == NULL || strcmp(commit, fp->commit) != 0))
			return err_set(err, ERR_NOTFOUND,
			    "the object of %.12s cannot be read, so it is not known whether these files are "
			    "its; %s",
			    commit,
			    strcmp(commit, fp->commit) == 0 ? "give --commit and --ref if you know"
							    : "check that commit out, or fetch it");
	}
	return 0;
}

/* The commit's files must be those that were scanned, wherever its name comes from. */
static int set_commit(const struct codeql *c, struct target *t, const char *commit, struct err *err)
{
	snprintf(t->commit, sizeof(t->commit), "%.64s", commit);
	return c->fp.indexed ? from_tree(c, t->commit, err) : 0;
}

static int take_commit(const struct codeql *c, struct target *t, struct err *err)
{
	const char *sha = codeql_env("GITHUB_SHA");
	bool has_event = strcmp(c->want.event, "push") == 0 || strcmp(c->want.event, "pull_request") == 0;

	if (c->o->commit != NULL)
		return set_commit(c, t, c->o->commit, err);
	if (c->fp.indexed && c->fp.commit[0] != '\0')
		return set_commit(c, t, c->fp.commit, err);
	if (c->fp.indexed && c->fp.ref[0] != '\0')
		return err_set(err, ERR_USAGE,
		    "HEAD is %.200s, which has no commit; give --commit and --ref if you know whose these "
		    "sources are",
		    c->fp.ref);
	/* reftable, an unreadable HEAD, no repository: these events' GITHUB_SHA is the checkout's */
	if (sha == NULL || !has_event)
		return err_set(err, ERR_USAGE, "which commit are these sources? Give --commit and --ref");
	t->on_trust = true;
	return set_commit(c, t, sha, err);
}

static int take_ref(const struct codeql *c, struct target *t, struct err *err)
{
	const char *sha = codeql_env("GITHUB_SHA"), *ref = codeql_env("GITHUB_REF");
	char head[128], number[32];

	codeql_payload(c, "pull_request.head.sha", head, sizeof(head));
	codeql_payload(c, "pull_request.number", number, sizeof(number));
	if (c->o->ref != NULL)
		snprintf(t->ref, sizeof(t->ref), "%.250s", c->o->ref);
	else if (sha != NULL && ref != NULL && strcmp(sha, t->commit) == 0)
		snprintf(t->ref, sizeof(t->ref), "%.250s", ref);
	else if (head[0] != '\0' && number[0] != '\0' && strcmp(head, t->commit) == 0)
		snprintf(t->ref, sizeof(t->ref), "refs/pull/%s/head", number);
	else
		return err_set(err, ERR_USAGE,
		    "HEAD is %.12s, which is neither GITHUB_SHA nor the head of the event's "
		    "pull request; give the ref it belongs to with --ref",
		    t->commit);
	return 0;
}

/* ---- asking GitHub ---- */

static int ask(struct codeql *c, const char *method, const char *path, struct span body,
    struct fetch_result *result, struct err *err)
{
	static const struct http_header json[] = { { { "Content-Type", 12 }, { "application/json", 16 } } };
	struct fetch f = { .in = { .method = method, .target = span_of(path), .headers = json,
			       .nheaders = body.n > 0, .has_body = body.n > 0, .body = body },
		.ask = { .refresh = true, .max_age = -1 } };

	return fetch_run(&c->app, &f, result, err);
}

static int refuse(const struct fetch_result *r, struct err *err)
{
	int status = r->answer.head.status;
	struct span raw;
	char message[300];

	if (jscan_member(buf_span(&r->answer.body), "message", &raw) != 1 ||
	    !jscan_str(raw, message, sizeof(message)))
		snprintf(message, sizeof(message), "no reason was given");
	return err_set(err, ERR_NOTFOUND, "GitHub refuses the result (HTTP %d): %s%s", status, message,
	    status == 403 ? "; the token needs 'security-events: write', and code scanning must be on" :
	    status == 413 ? "; the file is too large" : "");
}

static int send_result(struct codeql *c, const struct target *t, const struct replay *r, char *id,
    size_t size, struct err *err)
{
	struct sarifup up = { .commit = t->commit, .ref = t->ref, .tool = r->found.scan.tool };
	struct fetch_result result;
	char path[256];
	struct buf body;
	int fd = open(r->found.sarif, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_sys(err, ERR_IO, "opening %s", r->found.sarif);
	buf_init(&body, SARIFUP_BODY_MAX);
	rc = sarifup_body(&up, fd, &body, err);
	close(fd);
	snprintf(path, sizeof(path), "/repos/%s/code-scanning/sarifs", c->want.repo);
	if (rc == 0) {
		rc = ask(c, "POST", path, buf_span(&body), &result, err);
		if (rc == 0 && result.answer.head.status / 100 != 2)
			rc = refuse(&result, err);
		else if (rc == 0 && !sarifup_id(buf_span(&result.answer.body), id, size))
			rc = err_set(err, ERR_PROTO, "GitHub's answer to the upload has no id");
		fetch_free(&result);
	}
	buf_free(&body);
	return rc;
}

/* One look: the status, or ERR_*. */
static int look(struct codeql *c, const char *id, struct buf *why, struct err *err)
{
	struct fetch_result result;
	char path[400];
	int rc, status;

	snprintf(path, sizeof(path), "/repos/%s/code-scanning/sarifs/%s", c->want.repo, id);
	rc = ask(c, "GET", path, span_of(""), &result, err);
	status = result.answer.head.status;
	if (rc == 0 && status == 404)
		rc = SARIFUP_PENDING;
	else if (rc == 0 && status != 200)
		rc = refuse(&result, err);
	else if (rc == 0)
		rc = (int)sarifup_status(buf_span(&result.answer.body), why);
	fetch_free(&result);
	return rc;
}

static int wait_for(struct codeql *c, const char *id, struct err *err)
{
	struct buf why;
	int rc = SARIFUP_PENDING;

	buf_init(&why, 4096);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]) && rc == SARIFUP_PENDING; i++) {
		nanosleep(&(struct timespec){ .tv_sec = waits[i] }, NULL);
		rc = look(c, id, &why, err);
	}
	if (rc == SARIFUP_PENDING)
		rc = err_set(err, ERR_TIMEOUT,
		    "GitHub has not processed the result after three minutes; its id is %s", id);
	else if (rc == SARIFUP_FAILED)
		rc =
		    err_set(err, ERR_NOTFOUND, "GitHub could not process the result: %.400s", buf_cstr(&why));
	else if (rc == SARIFUP_ODD)
		rc = err_set(err, ERR_PROTO, "GitHub's answer about the result %s is not understood", id);
	else if (rc == SARIFUP_COMPLETE)
		rc = 0;
	buf_free(&why);
	return rc;
}

/* ---- upload ---- */

static void tell(const struct codeql *c, const struct target *t, const struct replay *r, const char *id)
{
	struct json *o;
	struct buf b;

	if (!c->globals->json) {
		printf("uploaded: %llu results of ", (unsigned long long)r->in.counts.results);
		codeql_print(span_of(r->found.scan.tool));
		printf(" for %s on ", t->commit);
		codeql_print(span_of(t->ref));
		printf("%s\n",
		    t->on_trust ? " (the commit is GITHUB_SHA, taken on trust: no .git says it)" : "");
		return;
	}
	o = json_object();
	json_put_str(o, "id", id);
	json_put_str(o, "status", "complete");
	json_put_str(o, "commit", t->commit);
	json_put_str(o, "ref", t->ref);
	json_put_str(o, "category", r->found.scan.category);
	json_put_bool(o, "on_trust", t->on_trust);
	json_put_int(o, "alerts", (int64_t)r->in.counts.results);
	buf_init(&b, 65536);
	json_print(o, true, &b);
	printf("%s\n", buf_cstr(&b));
	buf_free(&b);
	json_free(o);
}

static int upload(struct codeql *c, const struct replay *r, struct err *err)
{
	struct target t = { .on_trust = false };
	char id[200];
	int rc = take_commit(c, &t, err);

	if (rc == 0)
		rc = take_ref(c, &t, err);
	if (rc == 0 && c->globals->offline)
		rc = err_set(err, ERR_UNAVAIL, "an upload asks GitHub, and --offline asks nobody");
	if (rc == 0)
		rc = app_open_store(&c->app, false, err);
	if (rc == 0)
		rc = app_open_cache(&c->app, (struct span){ NULL, 0 }, err);
	if (rc == 0)
		rc = send_result(c, &t, r, id, sizeof(id), err);
	if (rc == 0)
		rc = wait_for(c, id, err);
	if (rc == 0) {
		metrics_add(c->metrics, M_CODEQL_UPLOADED, 1);
		tell(c, &t, r, id);
	}
	return rc;
}

int codeql_upload(struct codeql *c, struct err *err)
{
	struct replay r;
	int rc = find(c, &r, err);

	if (rc == 0 && c->event == EVENT_MERGE_GROUP)
		printf("not uploaded: results of merge groups are not wanted by GitHub, and their refs go "
		       "away\n");
	else if (rc == 0)
		rc = upload(c, &r, err);
	replay_free(&r);
	return rc == 0 ? XC_OK : cli_exit_code(err);
}
