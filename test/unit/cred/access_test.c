#include <inttypes.h>

#include "base/str.h"
#include "cred/access.h"
#include "vaults.h"

static const uint8_t master[32] = { 5 };
static int folder = -1, asked;
static char path[512];
static const char *where = "https://api.github.com";
static struct answer {
	int status;		/* 0: no answer; less: that failure */
	bool spent;
	const char *body;
} answers[4];

static int probe_ask(void *arg, const char *at, struct span token, int64_t until, struct access_reply *r,
    struct err *e)
{
	const struct answer *a = &answers[asked < 4 ? asked : 3];

	(void)arg;
	(void)token;
	assert_true(until > clock_mono() && until <= clock_mono() + ACCESS_WAIT_MS);
	asked++;
	snprintf(path, sizeof(path), "%s", at);
	if (a->status <= 0)
		return err_set(e, a->status < 0 ? a->status : ERR_TIMEOUT, "no answer");
	r->status = a->status;
	r->spent = a->spent;
	buf_adds(&r->body, a->body != NULL ? a->body : "");
	return 0;
}

static int setup(void **state)
{
	if (vaults_setup(state) != 0)
		return -1;
	folder = open(".", O_RDONLY | O_DIRECTORY);
	memset(answers, 0, sizeof(answers));
	asked = 0;
	return 0;
}

static int teardown(void **state)
{
	close(folder);
	return vaults_teardown(state);
}

static enum access_result ask(enum access_policy policy, const char *token, const char *repo, bool global)
{
	const struct access_probe probe = { probe_ask, NULL };
	const struct access_question q = { policy, global, span_of(repo), span_of(token), span_of(where) };

	err_init(&err);
	return access_ask(&q, &probe, folder, master, &err);
}

#define PUSH                                                                                                 \
	"{\"full_name\":\"O/"                                                                                \
	"R\",\"private\":false,\"permissions\":{\"admin\":false,\"push\":true,\"pull\":true}}"
#define PULL "{\"full_name\":\"o/r\",\"private\":false,\"permissions\":{\"push\":false,\"pull\":true}}"
#define PRIVATE "{\"full_name\":\"o/r\",\"private\":true,\"permissions\":{\"push\":false,\"pull\":true}}"
#define NOBODY "{\"full_name\":\"o/r\",\"private\":false}"
#define OTHER "{\"full_name\":\"o/x\",\"private\":true,\"permissions\":{\"push\":true,\"pull\":true}}"

static const struct {
	struct answer answer;
	enum access_result prefer, require;
} cases[] = {
	{ { 200, false, PUSH }, ACCESS_SHOWN, ACCESS_SHOWN },
	{ { 200, false, PRIVATE }, ACCESS_SHOWN, ACCESS_SHOWN },
	{ { 200, false, PULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 200, false, NOBODY }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 200, false, OTHER }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 200, false, "not json" }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 200, false, "" }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 301, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 401, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 403, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 404, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 401, true, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 404, true, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 403, true, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 429, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { ERR_UNAVAIL, false, NULL }, ACCESS_SILENT, ACCESS_NO_ANSWER },
	{ { ERR_IO, false, NULL }, ACCESS_SILENT, ACCESS_NO_ANSWER },
	{ { ERR_USAGE, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { ERR_INTERNAL, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { ERR_DENIED, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { ERR_LIMIT, false, NULL }, ACCESS_REFUSED, ACCESS_REFUSED },
	{ { 502, false, NULL }, ACCESS_SILENT, ACCESS_NO_ANSWER },
	{ { 0, false, NULL }, ACCESS_SILENT, ACCESS_NO_ANSWER },
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		answers[0] = cases[i].answer;
		for (int require = 0; require < 2; require++) {
			asked = 0;
			unlink(".access");
			assert_int_equal(ask(require ? ACCESS_REQUIRE : ACCESS_PREFER, "ghp_x", "o/r", false),
			    require ? cases[i].require : cases[i].prefer);
			assert_int_equal(asked, 1);
			assert_string_equal(path, "/repos/o/r");
			assert_int_equal(err.cls != 0, cases[i].prefer != ACCESS_SHOWN);
		}
	}
	asked = 0;
	assert_int_equal(ask(ACCESS_OFF, "ghp_x", "o/r", false), ACCESS_NOT_ASKED);
	assert_int_equal(asked, 0);
}

static void test_without(void **state)
{
	static const char *const bad[] = { "o", "o/", "/r", "o/r/x", "../r", "o/.", "o/..", "o/r?x", "o/r%2f",
		"o/ r", "o/r\n" };
	static const char *const tokens[] = { "ghp_x\n", "ghp x", "\tghp", "ghp\x7f", "ghp\xc3\xa4" };

	(void)state;
	assert_int_equal(ask(ACCESS_PREFER, "", "o/r", false), ACCESS_NO_TOKEN);
	assert_int_equal(ask(ACCESS_PREFER, "ghp_x", "", false), ACCESS_NO_TOKEN);
	assert_int_equal(ask(ACCESS_PREFER, "", "o/r", true), ACCESS_NOT_NEEDED);
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "", true), ACCESS_NOT_NEEDED);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(ask(ACCESS_PREFER, "ghp_x", bad[i], false), ACCESS_REFUSED);
	for (size_t i = 0; i < COUNT(tokens); i++)
		assert_int_equal(ask(ACCESS_PREFER, tokens[i], "o/r", false), ACCESS_REFUSED);
	assert_int_equal(asked, 0);
}

static void test_remembered(void **state)
{
	(void)state;
	answers[0] = (struct answer){ 200, false, PUSH };
	answers[1] = answers[2] = answers[3] = (struct answer){ 404, false, NULL };
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "o/r", false), ACCESS_SHOWN);
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "o/r", false), ACCESS_REMEMBERED);
	assert_int_equal(asked, 1);
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "o/.github", false), ACCESS_REFUSED);
	assert_string_equal(path, "/repos/o/.github");
	/* another token, another repository, are not it */
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_y", "o/r", false), ACCESS_REFUSED);
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "o/q", false), ACCESS_REFUSED);
	/* nor what another server said */
	where = "https://localhost";
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "o/r", false), ACCESS_REFUSED);
	where = "https://api.github.com";
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "o/r", false), ACCESS_REMEMBERED);
	/* nor another master key's folder */
	const struct access_probe probe = { probe_ask, NULL };
	const struct access_question q = { ACCESS_REQUIRE, false, span_of("o/r"), span_of("ghp_x"),
		span_of(where) };
	static const uint8_t other[32] = { 6 };

	assert_int_equal(access_ask(&q, &probe, folder, other, &err), ACCESS_REFUSED);
}

/* A row with another time, kind or MAC is none. */
static void test_forged(void **state)
{
	char text[1024], forged[1100];
	int64_t now = clock_wall();
	size_t n;

	(void)state;
	answers[0] = answers[1] = answers[2] = answers[3] = (struct answer){ 0, false, NULL };
	assert_int_equal(ask(ACCESS_PREFER, "ghp_x", "o/r", false), ACCESS_SILENT);
	assert_int_equal(ask(ACCESS_PREFER, "ghp_x", "o/r", false), ACCESS_SILENT);
	assert_int_equal(asked, 1);
	n = slurp(".access", (uint8_t *)text, sizeof(text) - 1);
	text[n] = '\0';
	assert_int_equal(text[0], 'n');
	text[0] = 'y';
	spill(".access", text, n);
	assert_int_equal(ask(ACCESS_REQUIRE, "ghp_x", "o/r", false), ACCESS_NO_ANSWER);
	text[0] = 'n';
	snprintf(forged, sizeof(forged), "n %" PRId64 "%s", now - 1000000, strchr(text + 2, ' '));
	spill(".access", forged, strlen(forged));
	asked = 0;
	assert_int_equal(ask(ACCESS_PREFER, "ghp_x", "o/r", false), ACCESS_SILENT);
	assert_int_equal(asked, 1);
	for (size_t i = 0; i < n; i++) {
		memcpy(forged, text, n);
		forged[i] ^= 1;
		spill(".access", forged, n);
		asked = 0;
		ask(ACCESS_PREFER, "ghp_x", "o/r", false);
		assert_int_equal(asked, 1);
	}
}

/* An installation's token: the repository stands in its list, on whatever page. */
static void test_installation(void **state)
{
	static char page[16384];

	(void)state;
	strcpy(page, "{\"total_count\":101,\"repositories\":[");
	for (int i = 0; i < 100; i++)
		snprintf(page + strlen(page), 64, "%s{\"full_name\":\"o/r%d\"}", i > 0 ? "," : "", i);
	strcat(page, "]}");
	answers[0] = (struct answer){ 200, false, page };
	answers[1] = (struct answer){ 200, false,
		"{\"repositories\":[{\"full_name\":\"o/x\"},{\"full_name\":\"O/r\"}]}" };
	assert_int_equal(ask(ACCESS_REQUIRE, "ghs_x", "o/r", false), ACCESS_SHOWN);
	assert_int_equal(asked, 2);
	assert_string_equal(path, "/installation/repositories?per_page=100&page=2");
	asked = 0;
	assert_int_equal(ask(ACCESS_REQUIRE, "ghs_x", "o/r7", false), ACCESS_SHOWN);
	assert_int_equal(asked, 1);
	asked = 0;
	answers[0] = (struct answer){ 200, false, "{\"repositories\":[]}" };
	assert_int_equal(ask(ACCESS_REQUIRE, "ghs_x", "o/q", false), ACCESS_REFUSED);
	answers[1] = (struct answer){ 0, false, NULL };
	asked = 0;
	answers[0] = (struct answer){ 200, false, page };
	assert_int_equal(ask(ACCESS_PREFER, "ghs_x", "o/z", false), ACCESS_REFUSED);
	assert_int_equal(asked, 2);
	asked = 0;
	answers[0] = (struct answer){ 0, false, NULL };
	assert_int_equal(ask(ACCESS_PREFER, "ghs_x", "o/y", false), ACCESS_SILENT);
	/* as many pages as are read, and it is on none */
	answers[0] = answers[1] = answers[2] = answers[3] = (struct answer){ 200, false, page };
	asked = 0;
	assert_int_equal(ask(ACCESS_PREFER, "ghs_x", "o/z", false), ACCESS_REFUSED);
	assert_int_equal(asked, ACCESS_PAGES_MAX);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_answers), T(test_without), T(test_remembered),
		T(test_forged), T(test_installation) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
