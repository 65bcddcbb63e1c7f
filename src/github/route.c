#include <string.h>

#include "github/route.h"

#define ANY "…"
#define ANY_LEN (sizeof ANY - 1)

struct row {
	const char *pattern;		/* not starting with '/' or ANY: for people, matches no GET */
	struct route route;
};

#define TTL(op, seconds) { op, ROUTE_TTL, seconds }
#define ASK { "other", ROUTE_ASK, 0 }
#define IMMUTABLE { "git_object", ROUTE_IMMUTABLE, 86400 }
#define NEVER { "other", ROUTE_NEVER, 0 }

static const struct row rows[] = {
	{ "/user/repos", TTL("list_repos", 600) },
	{ "/users/{u}/repos", TTL("list_repos", 600) },
	{ "/orgs/{o}/repos", TTL("list_repos", 600) },
	{ "/installation/repositories", TTL("list_repos", 600) },
	{ "/repos/{o}/{r}", TTL("get_repo_info", 300) },
	/* File names are the repository's own: a file called `status` or `logs` is no exception below. */
	{ "/repos/{o}/{r}/contents…", TTL("other", 300) },
	{ "/repos/{o}/{r}/actions/workflows", TTL("list_workflows", 300) },
	{ "/repos/{o}/{r}/actions/runs", TTL("get_workflow_runs", 120) },
	{ "/repos/{o}/{r}/actions/workflows/{w}/runs", TTL("get_workflow_runs", 120) },
	{ "/repos/{o}/{r}/actions/runs/{n}", TTL("get_workflow_run", 60) },
	{ "/repos/{o}/{r}/actions/runs/{n}/jobs", TTL("get_workflow_run", 60) },
	{ "/repos/{o}/{r}/actions/runs/{n}/attempts/{n}", TTL("get_workflow_run", 60) },
	{ "/repos/{o}/{r}/actions/runs/{n}/attempts/{n}/jobs", TTL("get_workflow_run", 60) },
	{ "/repos/{o}/{r}/actions/jobs/{n}", TTL("get_workflow_run", 60) },
	{ "/repos/{o}/{r}/actions/runners", TTL("list_runners", 300) },
	{ "/orgs/{o}/actions/runners", TTL("list_runners", 300) },
	{ "/enterprises/{e}/actions/runners", TTL("list_runners", 300) },
	{ "/repos/{o}/{r}/actions/runners/{n}", TTL("get_runner_status", 60) },
	{ "/orgs/{o}/actions/runners/{n}", TTL("get_runner_status", 60) },
	{ "/enterprises/{e}/actions/runners/{n}", TTL("get_runner_status", 60) },
	{ "by name; POST to cache.copilot_paths", TTL("copilot_completion", 3600) },
	{ "by name", TTL("codeql_results", 86400) },
	{ "/repos/{o}/{r}/git/commits/{40hex}", IMMUTABLE },
	{ "/repos/{o}/{r}/git/trees/{40hex}", IMMUTABLE },
	{ "/repos/{o}/{r}/git/blobs/{40hex}", IMMUTABLE },
	{ "/repos/{o}/{r}/commits/{40hex}", IMMUTABLE },
	{ "POST /graphql", TTL("graphql_query", 60) },
	{ "/rate_limit", NEVER },
	{ "/app…", NEVER },
	{ "/applications/…", NEVER },
	{ "…/collaborators…", NEVER },
	{ "…/members/…", NEVER },
	{ "…/memberships/…", NEVER },
	{ "…/permission", NEVER },
	{ "…/protection…", NEVER },
	{ "…/logs", NEVER },
	{ "…/zipball…", NEVER },
	{ "…/tarball…", NEVER },
	{ "…/artifacts/{n}/zip", NEVER },
	{ "/repos/{o}/{r}/releases/assets/{n}", NEVER },
	{ "…/status", ASK },
	{ "…/statuses", ASK },
	{ "…/check-runs…", ASK },
	{ "…/check-suites…", ASK },
	{ "…/deployments…", ASK },
	{ "/repos/{o}/{r}/pulls/{n}", ASK },
	{ "/repos/{o}/{r}/pulls/{n}/reviews…", ASK },
	{ "/notifications…", ASK },
	{ "/…", TTL("other", 300) },
};

#define ROWS (sizeof rows / sizeof rows[0])

static const struct route not_stored = NEVER;

/* What may stand for the front of a pattern. */
static const struct alias {
	const char *front, *path;
} aliases[] = {
	{ "/repos/{o}/{r}", "/repositories/{n}" },
	{ "/orgs/{o}", "/organizations/{n}" },
	{ "/users/{u}", "/user/{n}" },
};

/* What a leading ANY may have before its first segment. */
static const char *const owners[] = {
	"/repos/{o}/{r}", "/repositories/{n}", "/orgs/{o}", "/organizations/{n}", "/users/{u}", "/user/{n}",
	"/enterprises/{e}", "/teams/{n}",
};

static struct span path_of(struct span target)
{
	return span_before(target, '?');
}

/* Cut "/segment" off the front; false at the end. */
static bool segment(struct span *rest, struct span *seg)
{
	if (rest->n == 0 || rest->p[0] != '/')
		return false;
	*rest = span_sub(*rest, 1, rest->n);
	ptrdiff_t slash = span_chr(*rest, '/');
	size_t n = slash < 0 ? rest->n : (size_t)slash;
	*seg = span_sub(*rest, 0, n);
	*rest = span_sub(*rest, n, rest->n);
	return true;
}

static bool is_digits(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

static bool is_object_id(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F'))
			return false;
	}
	return s.n == 40 || s.n == 64;
}

static bool segment_fits(struct span want, struct span have)
{
	if (span_eq(want, "{n}"))
		return is_digits(have);
	if (span_eq(want, "{40hex}"))
		return is_object_id(have);
	if (span_starts(want, "{"))
		return have.n > 0;
	return span_same(want, have);
}

/* Does `pattern` match the front of `*path`? What it left stands in *path then: nothing, or something that
 * begins with '/'. */
static bool match_front(struct span pattern, struct span *path)
{
	struct span rest = *path, want, have;

	while (segment(&pattern, &want)) {
		if (!segment(&rest, &have))
			return false;
		if (span_eq(want, ANY)) {
			rest = span_of("");
			break;
		}
		bool open = span_ends(want, ANY);
		if (open)
			want = span_sub(want, 0, want.n - ANY_LEN);
		if (!segment_fits(want, have))
			return false;
		if (open)
			rest = span_of("");
	}
	*path = rest;
	return true;
}

static bool match_whole(struct span pattern, struct span path)
{
	return match_front(pattern, &path) && path.n == 0;
}

/* `…/x`: x after the owner and any segments more. An owner may itself be called x, so its name is not looked
 * at. */
static bool match_below(struct span pattern, struct span path)
{
	struct span seg;

	for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++)
		if (match_front(span_of(owners[i]), &path))
			break;
	do {
		if (match_whole(pattern, path))
			return true;
	} while (segment(&path, &seg));
	return false;
}

static bool match_row(struct span pattern, struct span path)
{
	if (span_starts(pattern, ANY))
		return match_below(span_sub(pattern, ANY_LEN, pattern.n), path);
	if (match_whole(pattern, path))
		return span_starts(pattern, "/");
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
		struct span rest = path;
		size_t n = strlen(aliases[i].front);
		if (span_starts(pattern, aliases[i].front) && match_front(span_of(aliases[i].path), &rest))
			return match_whole(span_sub(pattern, n, pattern.n), rest);
	}
	return false;
}

const struct route *route_find(struct span method, struct span target)
{
	struct span path = path_of(target);

	if (span_eq(method, "POST") && span_eq(path, "/graphql"))
		return route_by_op(span_of("graphql_query"));
	if (!span_eq(method, "GET") && !span_eq(method, "HEAD"))
		return &not_stored;
	for (size_t i = 0; i < ROWS; i++)
		if (match_row(span_of(rows[i].pattern), path))
			return &rows[i].route;
	return &rows[ROWS - 1].route;
}

const struct route *route_by_op(struct span op)
{
	/* From the end: the rows called "other" above the last are exceptions. */
	for (size_t i = ROWS; i-- > 0;)
		if (span_eq(op, rows[i].route.op))
			return &rows[i].route;
	return NULL;
}

const struct route *route_at(size_t i, const char **pattern)
{
	if (i >= ROWS)
		return NULL;
	*pattern = rows[i].pattern;
	return &rows[i].route;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* The byte that `%XX` at s.p[i] stands for; -1: not an escape. */
static int escape(struct span s, size_t i)
{
	if (i + 2 >= s.n)
		return -1;
	int hi = hex_digit(s.p[i + 1]), lo = hex_digit(s.p[i + 2]);
	return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

static bool is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '.' ||
	    c == '_' || c == '~';
}

static bool bytes_ok(struct span path)
{
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];
		if (c <= ' ' || c >= 0x7f || c == '\\' || c == '#')
			return false;
		if (c != '%')
			continue;
		int e = escape(path, i);
		if (e < ' ' || e == 0x7f || e == '/' || e == '\\' || is_unreserved(e))
			return false;
	}
	return true;
}

static bool path_ok(struct span path)
{
	struct span rest = path, seg;

	if (!span_starts(path, "/") || !bytes_ok(path))
		return false;
	while (segment(&rest, &seg))
		if (span_eq(seg, ".") || span_eq(seg, "..") || (seg.n == 0 && rest.n > 0))
			return false;
	return true;
}

#define NAME_MAX_LEN 64		/* longer than any name that is refused, by far */

/* Is the parameter a secret? Names are compared decoded; `token[]` is `token` to a Rails server. */
static bool is_secret_name(struct span name)
{
	static const char *const secrets[] = { "access_token", "client_secret", "token", "sig" };
	char text[NAME_MAX_LEN];
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < sizeof text; i++) {
		int e = name.p[i] == '%' ? escape(name, i) : -1;
		text[n++] = e < 0 ? name.p[i] : (char)e;
		if (e >= 0)
			i += 2;
		if (text[n - 1] == '[') {
			n--;
			break;
		}
	}
	struct span plain = span_make(text, n);
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
		if (span_ieq(plain, secrets[i]))
			return true;
	return span_istarts(plain, "x-amz-");
}

/* The next `name=value` of a query; both separators that Rack has known count. */
static bool parameter(struct span *rest, struct span *name, struct span *value)
{
	size_t n = 0;

	if (!rest->p || rest->n == 0)
		return false;
	while (n < rest->n && rest->p[n] != '&' && rest->p[n] != ';')
		n++;
	struct span one = span_sub(*rest, 0, n);
	*rest = span_sub(*rest, n + 1, rest->n);
	ptrdiff_t eq = span_chr(one, '=');
	*name = eq < 0 ? one : span_sub(one, 0, (size_t)eq);
	*value = eq < 0 ? span_of("") : span_sub(one, (size_t)eq + 1, one.n);
	return true;
}

bool route_target_ok(struct span target)
{
	struct span path = path_of(target), query = span_sub(target, path.n + 1, target.n), name, value;

	if (!path_ok(path))
		return false;
	while (parameter(&query, &name, &value))
		if (is_secret_name(name))
			return false;
	return true;
}

struct span route_repo_prefix(struct span target)
{
	static const char *const repos[] = { "/repos/{o}/{r}", "/repositories/{n}" };
	struct span path = path_of(target);

	for (size_t i = 0; i < sizeof repos / sizeof repos[0]; i++) {
		struct span rest = path;
		if (match_front(span_of(repos[i]), &rest))
			return span_sub(path, 0, path.n - rest.n);
	}
	return span_of("");
}

int route_per_page(struct span target)
{
	struct span path = path_of(target), query = span_sub(target, path.n + 1, target.n), name, value;
	int per_page = 30;

	while (parameter(&query, &name, &value)) {
		uint64_t v;
		if (!span_eq(name, "per_page"))
			continue;
		if (!span_u64(value, UINT64_MAX, &v) || v == 0)
			per_page = 30;
		else
			per_page = v > 100 ? 100 : (int)v;
	}
	return per_page;
}
