#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/wipe.h"
#include "cred/access.h"
#include "crypto/hmac.h"
#include "crypto/kdf.h"

#define MEMORY ".access"
#define MEMORY_MAX 16384
#define ROWS_MAX 64
#define ROW_LEN 150		/* "y 1795353600000000 <64> <64>\n" */
#define PAGE 100

static const char *const policies[] = { [ACCESS_REQUIRE] = "require", [ACCESS_PREFER] = "prefer",
	[ACCESS_OFF] = "off" };
static const char *const words[] = { [ACCESS_SHOWN] = "shown", [ACCESS_REMEMBERED] = "remembered",
	[ACCESS_SILENT] = "no answer", [ACCESS_NOT_ASKED] = "off", [ACCESS_NOT_NEEDED] = "not needed",
	[ACCESS_REFUSED] = "refused", [ACCESS_NO_TOKEN] = "no token", [ACCESS_NO_ANSWER] = "no answer" };

bool access_policy_parse(struct span text, enum access_policy *p)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (span_eq(text, policies[i])) {
			*p = (enum access_policy)i;
			return true;
		}
	return false;
}

const char *access_policy_name(enum access_policy p)
{
	return policies[p];
}

bool access_allows(enum access_result r)
{
	switch (r) {
	case ACCESS_SHOWN:
	case ACCESS_REMEMBERED:
	case ACCESS_SILENT:
	case ACCESS_NOT_ASKED:
	case ACCESS_NOT_NEEDED:
		return true;
	case ACCESS_REFUSED:
	case ACCESS_NO_TOKEN:
	case ACCESS_NO_ANSWER:
		return false;
	}
	return false;
}

const char *access_word(enum access_result r)
{
	return words[r];
}

/* ---- what was said lately ---- */

struct memory {
	int dirfd;
	uint8_t key[32];
	char tag[65];		/* of this token, repository and place asked */
	struct buf text;
};

static void mac_hex(const struct memory *m, const char *kind, struct span a, struct span b, struct span c,
    char out[static 65])
{
	uint8_t mac[HMAC_LEN];
	struct hmac h;

	hmac_init(&h, m->key, sizeof(m->key));
	hmac_field(&h, span_of(kind));
	hmac_field(&h, a);
	hmac_field(&h, b);
	hmac_field(&h, c);
	hmac_out(&h, mac);
	hex_encode(out, mac, sizeof(mac));
}

static void memory_open(struct memory *m, const struct access_question *q, int dirfd, const uint8_t *master)
{
	struct stat st;

	m->dirfd = dirfd;
	kdf_hkdf(m->key, sizeof(m->key), span_make(master, 32), span_make("", 0), "ghoard cred access 1");
	mac_hex(m, "who", q->token, q->repo, q->where, m->tag);
	buf_init(&m->text, MEMORY_MAX);
	if (file_read_at(dirfd, MEMORY, MEMORY_MAX, &m->text, &st, NULL) != 0)
		buf_clear(&m->text);
}

static void memory_wipe(struct memory *m)
{
	wipe(m->key, sizeof(m->key));
	buf_free(&m->text);
}

/* kind, time, tag; the MAC covers all three. */
static bool row_parse(struct span line, char *kind, int64_t *at, struct span *body, struct span *mac)
{
	struct span rest = line, k, t, tag;

	if (!span_cut(&rest, ' ', &k) || k.n != 1 || !span_cut(&rest, ' ', &t) || !span_i64(t, at) ||
	    !span_cut(&rest, ' ', &tag) || tag.n != 64 || rest.n != 64)
		return false;
	*kind = k.p[0];
	*body = span_make(line.p, (size_t)(tag.p + tag.n - line.p));
	*mac = rest;
	return true;
}

/* A time in the future was written by nobody we trust. */
static bool is_live(char kind, int64_t at, int64_t now)
{
	int64_t age = now - at, life = (kind == 'y' ? ACCESS_YES_S : ACCESS_SILENT_S) * CLOCK_SEC;

	return age >= 0 && age < life;
}

static bool recalls(const struct memory *m, char kind)
{
	struct span rest = buf_span(&m->text), line, body, mac;
	int64_t at, now = clock_wall();
	char k, want[65];

	while (span_cut(&rest, '\n', &line)) {
		if (!row_parse(line, &k, &at, &body, &mac) || k != kind || !is_live(k, at, now) ||
		    !span_ends(body, m->tag))
			continue;
		mac_hex(m, "row", body, span_make("", 0), span_make("", 0), want);
		if (mem_same_ct(want, mac.p, 64))
			return true;
	}
	return false;
}

/* Rows that are still good, the newest last; two writers at once may lose a row, which costs a question. */
static void remember(struct memory *m, char kind)
{
	struct span rest = buf_span(&m->text), line, body, mac;
	char row[ROW_LEN], hex[65], k;
	int64_t at, now = clock_wall();
	struct buf out;
	size_t n = 0;

	buf_init(&out, MEMORY_MAX);
	while (span_cut(&rest, '\n', &line))
		if (row_parse(line, &k, &at, &body, &mac) && is_live(k, at, now) &&
		    !span_ends(body, m->tag) && n++ < ROWS_MAX) {
			buf_addspan(&out, line);
			buf_addc(&out, '\n');
		}
	snprintf(row, sizeof(row), "%c %" PRId64 " %s", kind, now, m->tag);
	mac_hex(m, "row", span_of(row), span_make("", 0), span_make("", 0), hex);
	buf_addf(&out, "%s %s\n", row, hex);
	if (!out.failed)
		file_write(m->dirfd, MEMORY, 0600, false, buf_data(&out), buf_len(&out), NULL);
	buf_free(&out);
}

/* ---- asking ---- */

/* It becomes a path: owner/name of GitHub's characters. */
static bool is_repo(struct span repo)
{
	ptrdiff_t slash = span_chr(repo, '/');
	struct span name;

	if (slash <= 0 || (size_t)slash + 1 >= repo.n || repo.n > 200 || repo.p[0] == '.')
		return false;
	/* "o/.github" is one, what a path resolves is none */
	name = span_sub(repo, (size_t)slash + 1, repo.n);
	if (span_eq(name, ".") || span_eq(name, ".."))
		return false;
	for (size_t i = 0; i < repo.n; i++) {
		char c = repo.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_' || c == '.' || (c == '/' && i == (size_t)slash)))
			return false;
	}
	return true;
}

/* HTTP carries it as it is: a line break or a blank would not arrive. */
static bool is_carried(struct span token)
{
	for (size_t i = 0; i < token.n; i++)
		if (token.p[i] < 0x21 || token.p[i] > 0x7e)
			return false;
	return true;
}

static bool is_named(struct span object, struct span repo)
{
	char name[256];
	struct span v;

	return jscan_member(object, "full_name", &v) == 1 && jscan_str(v, name, sizeof(name)) &&
	    span_isame(span_of(name), repo);
}

static bool is_true(struct span object, const char *path)
{
	struct span v;

	return jscan_path(object, path, &v) == 1 && span_eq(v, "true");
}

enum said { SAID_YES, SAID_NO, SAID_NOTHING, SAID_MORE };

/* 5xx says nothing; whatever else is not 200 says no. A limit too: who spends it is the token's own bearer.
 */
static enum said judge_status(const struct access_reply *r, struct err *why)
{
	if (r->status == 200)
		return SAID_YES;
	if (r->status >= 500) {
		err_set(why, ERR_UNAVAIL, "GitHub answers %d", r->status);
		return SAID_NOTHING;
	}
	err_set(why, ERR_DENIED, "GitHub answers %d%s", r->status,
	    r->spent ? ": its limit is spent; try again after the reset" : "");
	return SAID_NO;
}

static enum said judge_repo(struct span body, struct span repo, struct err *why)
{
	if (!jscan_valid(body) || !is_named(body, repo)) {
		err_set(why, ERR_DENIED, "the answer is about another repository");
		return SAID_NO;
	}
	if (is_true(body, "permissions.push") ||
	    (is_true(body, "private") && is_true(body, "permissions.pull")))
		return SAID_YES;
	err_set(why, ERR_DENIED, "the token may only read what everybody may");
	return SAID_NO;
}

static enum said judge_list(struct span body, struct span repo, struct err *why)
{
	struct span list, key, one;
	size_t at = 0, n = 0;

	if (!jscan_valid(body) || jscan_member(body, "repositories", &list) != 1) {
		err_set(why, ERR_DENIED, "the answer is no list of repositories");
		return SAID_NO;
	}
	while (jscan_next(list, &at, &key, &one) == 1) {
		if (is_named(one, repo))
			return SAID_YES;
		n++;
	}
	if (n >= PAGE)
		return SAID_MORE;
	err_set(why, ERR_DENIED, "the token's installation does not list the repository");
	return SAID_NO;
}

/* What a job can bring about by itself (no descriptors, no memory, its own wish) is no silence of GitHub. */
static bool is_network(int cls)
{
	return cls == ERR_UNAVAIL || cls == ERR_TIMEOUT || cls == ERR_IO;
}

static enum said ask_one(const struct access_question *q, const struct access_probe *probe, const char *path,
    bool list, int64_t until, struct err *why)
{
	struct access_reply r = { .status = 0 };
	enum said said;
	int rc;

	buf_init(&r.body, ACCESS_BODY_MAX);
	rc = probe->ask(probe->arg, path, q->token, until, &r, why);
	said = rc == 0 ? judge_status(&r, why) : is_network(rc) ? SAID_NOTHING : SAID_NO;
	if (said == SAID_YES)
		said = list ? judge_list(buf_span(&r.body), q->repo, why)
			    : judge_repo(buf_span(&r.body), q->repo, why);
	buf_free(&r.body);
	return said;
}

static enum said ask_github(const struct access_question *q, const struct access_probe *probe,
    struct err *why)
{
	int64_t until = clock_mono() + ACCESS_WAIT_MS;
	enum said said = SAID_MORE;
	char path[320];

	if (!span_starts(q->token, "ghs_")) {
		snprintf(path, sizeof(path), "/repos/%.*s", (int)q->repo.n, q->repo.p);
		return ask_one(q, probe, path, false, until, why);
	}
	for (unsigned page = 1; said == SAID_MORE && page <= ACCESS_PAGES_MAX; page++) {
		snprintf(path, sizeof(path), "/installation/repositories?per_page=%d&page=%u", PAGE, page);
		said = ask_one(q, probe, path, true, until, why);
		/* it did answer: a long list must not be a way past it */
		if (said == SAID_NOTHING && page > 1)
			said = SAID_NO;
	}
	if (said == SAID_MORE)
		err_set(why, ERR_DENIED, "the token's installation lists more than %d repositories",
		    ACCESS_PAGES_MAX * PAGE);
	return said;
}

static enum access_result silent(const struct access_question *q)
{
	return q->policy == ACCESS_PREFER ? ACCESS_SILENT : ACCESS_NO_ANSWER;
}

static enum access_result ask(const struct access_question *q, const struct access_probe *probe,
    struct memory *m, struct err *why)
{
	if (recalls(m, 'y'))
		return ACCESS_REMEMBERED;
	if (q->policy == ACCESS_PREFER && recalls(m, 'n')) {
		err_set(why, ERR_UNAVAIL, "GitHub did not answer within the last %d s", ACCESS_SILENT_S);
		return ACCESS_SILENT;
	}
	switch (ask_github(q, probe, why)) {
	case SAID_YES:
		remember(m, 'y');
		return ACCESS_SHOWN;
	case SAID_NOTHING:
		remember(m, 'n');
		return silent(q);
	case SAID_NO:
	case SAID_MORE:
		break;
	}
	return ACCESS_REFUSED;
}

enum access_result access_ask(const struct access_question *q, const struct access_probe *probe, int dirfd,
    const uint8_t master[static 32], struct err *why)
{
	enum access_result r;
	struct memory m;

	if (q->policy == ACCESS_OFF)
		return ACCESS_NOT_ASKED;
	if (q->token.n == 0 || q->repo.n == 0) {
		if (q->global)
			return ACCESS_NOT_NEEDED;
		err_set(why, ERR_DENIED,
		    q->token.n == 0 ? "there is no token to show access with: set GH_TOKEN"
				    : "no repository is named to show access to: set GITHUB_REPOSITORY");
		return ACCESS_NO_TOKEN;
	}
	if (!is_repo(q->repo)) {
		err_set(why, ERR_DENIED, "the repository is not of the form owner/name");
		return ACCESS_REFUSED;
	}
	if (!is_carried(q->token)) {
		err_set(why, ERR_DENIED, "the token has bytes that no token has, and GitHub was not asked");
		return ACCESS_REFUSED;
	}
	memory_open(&m, q, dirfd, master);
	r = ask(q, probe, &m, why);
	memory_wipe(&m);
	return r;
}
