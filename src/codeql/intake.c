#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/jscan.h"
#include "base/json.h"
#include "codeql/edits.h"
#include "codeql/intake.h"
#include "codeql/proof.h"

#define FILES_MAX 64
#define MATRIX_MAX 64

/* ---- the category ---- */

struct matrix_row {
	struct span key, value;		/* raw */
};

static int by_key(const void *a, const void *b)
{
	return span_cmp(((const struct matrix_row *)a)->key, ((const struct matrix_row *)b)->key);
}

static void add_matrix(struct span matrix, struct buf *out)
{
	struct matrix_row rows[MATRIX_MAX];
	size_t n = 0, at = 0;

	while (n < MATRIX_MAX && jscan_next(matrix, &at, &rows[n].key, &rows[n].value) == 1 &&
	    rows[n].key.n > 0)
		n++;
	if (n > 1)
		qsort(rows, n, sizeof(rows[0]), by_key);
	for (size_t i = 0; i < n; i++) {
		jscan_unescape(rows[i].key, out);
		buf_addc(out, ':');
		if (rows[i].value.p[0] == '"')
			jscan_unescape(rows[i].value, out);
		buf_addc(out, '/');
	}
}

void intake_category(const char *category, const char *workflow, const char *job, const char *matrix,
    struct buf *out)
{
	if (category != NULL && category[0] != '\0') {
		buf_adds(out, category);
		if (category[strlen(category) - 1] != '/')
			buf_addc(out, '/');
		return;
	}
	if (workflow == NULL || job == NULL)
		return;
	buf_addf(out, "%s:%s/", workflow, job);
	if (matrix != NULL)
		add_matrix(span_of(matrix), out);
}

/* ---- one file ---- */

struct source {
	int fd;
	struct sarif sarif;
	struct edits edits;
	uint64_t mark;			/* bytes of a byte order mark */
};

static int on_cut(void *arg, uint64_t from, uint64_t to)
{
	struct source *s = arg;

	if (from > 0)
		return edits_cut(&s->edits, from, to);
	s->mark = to;
	return 0;
}

static int put_category(struct source *s, const struct sarif_run *run, const char *category)
{
	struct buf b;
	int rc;

	buf_init(&b, 8192);
	if (!run->has_automation)
		buf_adds(&b, "\"automationDetails\":{");
	buf_adds(&b, "\"id\":");
	json_quote(&b, span_of(category), false);
	if (!run->has_automation)
		buf_adds(&b, "},");
	else if (!run->automation_empty)
		buf_addc(&b, ',');
	rc = edits_put(&s->edits, run->has_automation ? run->automation_at : run->at, buf_span(&b));
	buf_free(&b);
	return rc;
}

static int put_prints(struct source *s, const struct proof *proof)
{
	char hash[LINEHASH_TEXT_MAX], text[128];
	struct proof_fill f;
	int rc = 0;

	for (size_t i = 0; rc == 0 && proof_next(proof, &i, &f);) {
		linehash_text(f.value, hash);
		snprintf(text, sizeof(text), f.inside ? "\"primaryLocationLineHash\":\"%s\"%s" :
		    "\"partialFingerprints\":{\"primaryLocationLineHash\":\"%s\"}%s", hash,
		    f.inside && f.empty ? "" : ",");
		rc = edits_put(&s->edits, f.at, span_of(text));
	}
	return rc;
}

static int find_prints(struct source *s, const char *folder, struct err *err)
{
	struct proof *proof = proof_new(folder, true);
	struct proof_fault fault;
	struct sarif_counts counts;
	int rc = proof == NULL ? err_set(err, ERR_INTERNAL, "no memory to read SARIF") : 0;

	if (rc == 0)
		rc = sarifcount_walk(s->fd, &s->sarif, &counts, proof_add, proof, err);
	if (rc == 0)
		rc = proof_run(proof, &fault, err);
	if (rc == 0)
		rc = err_set(err, ERR_PROTO, "%s: it is the result of other sources", fault.text);
	else if (rc == 1)
		rc = put_prints(s, proof) == 0 ? 0 : err_set(err, ERR_INTERNAL, "no memory to copy SARIF");
	proof_free(proof);
	return rc;
}

static int read_source(const struct intake_params *p, const char *path, struct source *s, struct err *err)
{
	struct stat st;
	int rc;

	edits_init(&s->edits);
	memset(&s->sarif, 0, sizeof(s->sarif));
	buf_init(&s->sarif.uris, 0);
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (s->fd < 0 || fstat(s->fd, &st) != 0)
		return err_sys(err, ERR_NOTFOUND, "opening %s", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > SARIF_FILE_MAX)
		return err_set(err, ERR_LIMIT, "%s is no regular file of at most 2 GiB", path);
	if ((int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000 < p->not_before)
		return err_set(err, ERR_PROTO,
		    "%s was written before this scan began, so it is of another one; nothing is stored",
		    path);
	rc = sarif_read(s->fd, &s->sarif, on_cut, s, err);
	for (size_t i = 0; rc == 0 && i < s->sarif.nruns; i++)
		if (!s->sarif.runs[i].has_category && p->category[0] != '\0')
			rc = put_category(s, &s->sarif.runs[i], p->category);
	if (rc == 0)
		rc = find_prints(s, p->source, err);
	if (rc != 0)
		err_prefix(err, "%s", path);
	return rc;
}

static void free_source(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	sarif_free(&s->sarif);
	edits_free(&s->edits);
}

/* ---- the copy ---- */

static int write_hold(void *arg, const void *p, size_t n, struct err *err)
{
	return file_hold_write(arg, p, n, err);
}

/* Of one file among several only the runs: what stands before the first and behind the last goes. */
static int only_runs(struct source *s)
{
	size_t n = s->sarif.nruns;
	int rc = edits_cut(&s->edits, 0, n > 0 ? s->sarif.runs[0].at - 1 : s->sarif.size);

	if (rc == 0 && n > 0)
		rc = edits_cut(&s->edits, s->sarif.runs[n - 1].end, s->sarif.size);
	return rc;
}

static int add_source(const struct intake_params *p, const char *path, bool merge, bool first,
    struct file_hold *hold, struct err *err)
{
	struct source s = { .fd = -1 };
	int rc = read_source(p, path, &s, err);

	if (rc == 0 && merge && s.sarif.nruns == 0)
		rc = err_set(err, ERR_PROTO, "%s has no runs, so it shows nothing", path);
	if (rc == 0 && (merge ? only_runs(&s) : edits_cut(&s.edits, 0, s.mark)) != 0)
		rc = err_set(err, ERR_INTERNAL, "no memory to copy SARIF");
	if (rc == 0 && merge && !first)
		rc = file_hold_write(hold, ",", 1, err);
	if (rc == 0)
		rc = edits_apply(&s.edits, s.fd, write_hold, hold, err);
	free_source(&s);
	return rc;
}

static int is_sarif(const struct dirent *de)
{
	return de->d_name[0] != '.' && span_ends(span_of(de->d_name), ".sarif");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(const struct intake_params *p, const char *path, struct file_hold *hold,
    struct err *err)
{
	static const char head[] = "{\"version\":\"2.1.0\",\"runs\":[", tail[] = "]}";
	struct dirent **list = NULL;
	char file[PATH_MAX];
	int n = scandir(path, &list, is_sarif, by_name), rc = 0;

	if (n < 0)
		return err_sys(err, ERR_NOTFOUND, "reading %s", path);
	if (n == 0)
		rc = err_set(err, ERR_NOTFOUND, "%s holds no file *.sarif", path);
	else if (n > FILES_MAX)
		rc = err_set(err, ERR_LIMIT, "%s holds more than %d files *.sarif", path, FILES_MAX);
	if (rc == 0 && n > 1)
		rc = file_hold_write(hold, head, sizeof(head) - 1, err);
	for (int i = 0; i < n; i++) {
		if (rc == 0 && snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name) < PATH_MAX)
			rc = add_source(p, file, n > 1, i == 0, hold, err);
		free(list[i]);
	}
	free(list);
	if (rc == 0 && n > 1)
		rc = file_hold_write(hold, tail, sizeof(tail) - 1, err);
	return rc;
}

/* ---- reading the copy ---- */

static int look(int fd, const char *source, struct intake *in, struct err *err)
{
	struct proof *proof = proof_new(source, false);
	struct proof_fault fault;
	int rc = proof == NULL ? err_set(err, ERR_INTERNAL, "no memory to read SARIF") : 0;

	if (rc == 0)
		rc = sarif_read(fd, &in->sarif, NULL, NULL, err);
	if (rc == 0)
		rc = sarif_evidence(&in->sarif, err);
	if (rc == 0)
		rc = sarifcount_walk(fd, &in->sarif, &in->counts, proof_add, proof, err);
	if (rc == 0) {
		rc = proof_run(proof, &fault, err);
		if (rc == 0)
			rc = err_set(err, ERR_PROTO, "%s", fault.text);
		else if (rc == 1)
			rc = 0;
		in->proven = proof_checked(proof);
	}
	cid_text(in->cid, in->sarif.digest);
	proof_free(proof);
	return rc;
}

static void begin(struct intake *in)
{
	memset(in, 0, sizeof(*in));
	buf_init(&in->sarif.uris, 0);
}

int intake_take(const struct intake_params *p, const char *path, struct intake *in, struct err *err)
{
	char name[CID_TEXT_LEN + 16];
	struct file_hold hold;
	struct stat st;
	int rc, fd;

	begin(in);
	if (stat(path, &st) != 0)
		return err_sys(err, ERR_NOTFOUND, "opening %s", path);
	rc = file_hold(&hold, p->folder, "incoming.sarif", err);
	if (rc != 0)
		return rc;
	rc = S_ISDIR(st.st_mode) ? add_folder(p, path, &hold, err)
				 : add_source(p, path, false, true, &hold, err);
	fd = rc == 0 ? openat(p->folder, hold.tmp, O_RDONLY | O_CLOEXEC) : -1;
	if (rc == 0)
		rc = fd < 0 ? err_sys(err, ERR_IO, "reading the copy of %s", path)
			    : look(fd, p->source, in, err);
	if (fd >= 0)
		close(fd);
	if (rc != 0) {
		file_rollback(&hold);
		return rc;
	}
	snprintf(name, sizeof(name), "%s.sarif", in->cid);
	return file_commit(&hold, name, 0600, true, err);
}

void intake_free(struct intake *in)
{
	sarif_free(&in->sarif);
}

int intake_prove(const char *path, const char *cid, const char *source, struct intake *in, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;

	begin(in);
	if (fd < 0)
		return err_sys(err, ERR_DAMAGED, "opening %s", path);
	rc = look(fd, source, in, err);
	close(fd);
	if (rc == ERR_LIMIT)
		rc = ERR_DAMAGED;
	if (strcmp(in->cid, cid) != 0 && rc != ERR_INTERNAL && rc != ERR_IO) {
		err_init(err);
		return err_set(err, ERR_DAMAGED, "%s has other bytes than were stored", path);
	}
	return rc;
}
