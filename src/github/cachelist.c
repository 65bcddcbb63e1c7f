#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "github/answer.h"
#include "github/api.h"
#include "github/cachelist.h"
#include "github/request.h"
#include "http/url.h"

struct cachelist {
	struct request req;
	struct api_call *call;
	cachelist_done *done;
	void *arg;
	bool deletes;
};

/* ---- answers ---- */

int cachelist_read(struct span json, struct buf *text, struct span keys[static CACHELIST_MAX],
    uint64_t ids[static CACHELIST_MAX])
{
	struct span list, key, row, raw;
	size_t at = 0, from[CACHELIST_MAX + 1];
	int n = 0, rc = 0;

	if (!jscan_valid(json) || jscan_member(json, "actions_caches", &list) != 1 || list.p[0] != '[')
		return -1;
	while (n < CACHELIST_MAX && (rc = jscan_next(list, &at, &key, &row)) == 1) {
		from[n] = buf_len(text);
		if (jscan_member(row, "id", &raw) == 1 && span_u64(raw, UINT64_MAX, &ids[n]) &&
		    jscan_member(row, "key", &raw) == 1 && jscan_unescape(raw, text) == 0)
			n++;
		else
			buf_truncate(text, from[n]);
	}
	if (rc < 0 || text->failed)
		return -1;
	from[n] = buf_len(text);		/* only now do the bytes stand still */
	for (int i = 0; i < n; i++)
		keys[i] = span_sub(buf_span(text), from[i], from[i + 1] - from[i]);
	return n;
}

static void refuse(const struct cachelist *c, const struct answer *a, struct err *err)
{
	int status = a->head.status;
	struct span raw;
	char msg[160] = "no reason was given";

	if (jscan_valid(buf_span(&a->body)) && jscan_member(buf_span(&a->body), "message", &raw) == 1)
		jscan_str(raw, msg, sizeof(msg));
	/* to a token that may not, a repository is not there */
	err_set(err, status == 401 || status == 403 || status == 404 ? ERR_DENIED : ERR_UNAVAIL,
	    "GitHub does not %s the repository's caches (HTTP %d): %s%s",
	    c->deletes ? "delete from" : "list", status, msg,
	    status == 403 || status == 404 ? c->deletes ? "; the token needs 'actions: write'" :
							  "; the token needs 'actions: read'" :
					     "");
}

static void on_done(void *arg, struct answer *a, const struct err *result)
{
	struct cachelist *c = arg;
	struct span keys[CACHELIST_MAX];
	uint64_t ids[CACHELIST_MAX];
	struct err err = *result;
	struct buf text;
	int n = 0;

	buf_init(&text, CACHELIST_BODY_MAX);
	if (err.cls != 0 || (c->deletes && a->head.status == 404))
		;
	else if (a->head.status / 100 != 2)
		refuse(c, a, &err);
	else if (!c->deletes && (n = cachelist_read(buf_span(&a->body), &text, keys, ids)) < 0)
		err_set(&err, ERR_PROTO, "GitHub's list of caches is not understood");
	c->done(c->arg, keys, ids, n > 0 ? (size_t)n : 0, &err);
	buf_free(&text);
	request_wipe(&c->req);
	free(c);
}

/* ---- requests ---- */

bool cachelist_names(const char *repository)
{
	struct span s = span_of(repository);
	size_t slashes = 0;

	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		slashes += ch == '/';
		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
			ch == '-' || ch == '_' || ch == '.' || ch == '/'))
			return false;
	}
	return slashes == 1 && s.n >= 3 && s.p[0] != '/' && s.p[0] != '.' && !span_ends(s, "/") &&
	    !span_ends(s, "/.") && !span_ends(s, "/..");
}

static int begin(const struct cachelist_params *p, const char *method, const struct buf *target,
    cachelist_done *done, void *arg, struct cachelist **out, struct err *err)
{
	struct request_in in = { .method = method, .target = buf_span(target) };
	struct api_sink sink = { .on_done = on_done };
	struct cachelist *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL || target->failed) {
		free(c);
		return err_set(err, ERR_INTERNAL, "no memory for a request");
	}
	c->done = done;
	c->arg = arg;
	c->deletes = method[0] == 'D';
	sink.arg = c;
	rc = request_init(&c->req, p->upstream, p->id, &in, err);
	if (rc == 0)
		rc = api_start(p->http, &c->req, span_of(""), CACHELIST_BODY_MAX, &sink, &c->call, err);
	if (rc != 0) {
		request_wipe(&c->req);
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

static int front(const struct cachelist_params *p, struct buf *target, struct err *err)
{
	buf_init(target, URL_MAX);
	if (!cachelist_names(p->repository))
		return err_set(err, ERR_USAGE, "'%.200s' is no repository like owner/name", p->repository);
	buf_addf(target, "/repos/%s/actions/caches", p->repository);
	return 0;
}

int cachelist_list(const struct cachelist_params *p, struct span prefix, cachelist_done *done, void *arg,
    struct cachelist **out, struct err *err)
{
	struct buf target;
	int rc = front(p, &target, err);

	buf_addf(&target, "?per_page=%d&sort=created_at&direction=desc&key=", CACHELIST_MAX);
	url_encode(&target, prefix);
	if (rc == 0)
		rc = begin(p, "GET", &target, done, arg, out, err);
	buf_free(&target);
	return rc;
}

int cachelist_delete(const struct cachelist_params *p, uint64_t id, struct span key, cachelist_done *done,
    void *arg, struct cachelist **out, struct err *err)
{
	struct buf target;
	int rc = front(p, &target, err);

	if (id != 0) {
		buf_addf(&target, "/%" PRIu64, id);
	} else {
		buf_adds(&target, "?key=");
		url_encode(&target, key);
	}
	if (rc == 0)
		rc = begin(p, "DELETE", &target, done, arg, out, err);
	buf_free(&target);
	return rc;
}

void cachelist_cancel(struct cachelist *c)
{
	if (c == NULL)
		return;
	api_cancel(c->call);
	request_wipe(&c->req);
	free(c);
}
