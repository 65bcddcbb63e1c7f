#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/b64.h"
#include "base/err.h"
#include "github/cachelist.h"
#include "github/cachewire.h"

/* ---- requests: as the official client sends them ---- */

static void test_bodies(void **state)
{
	struct span restore[] = { { "p2p-", 4 }, { "q\"", 2 } };
	struct cachewire_ask a = { { "k-1", 3 }, { "v", 1 }, NULL, 0, 228 };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(cachewire_body(CACHEWIRE_CREATE, &a, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "{\"key\":\"k-1\",\"version\":\"v\"}");
	buf_clear(&b);
	assert_int_equal(cachewire_body(CACHEWIRE_FINALIZE, &a, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "{\"key\":\"k-1\",\"size_bytes\":\"228\",\"version\":\"v\"}");
	buf_clear(&b);
	a.restore = restore;
	a.nrestore = 2;
	assert_int_equal(cachewire_body(CACHEWIRE_LOOKUP, &a, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b),
	    "{\"key\":\"k-1\",\"restore_keys\":[\"p2p-\",\"q\\\"\"],\"version\":\"v\"}");
	buf_free(&b);
}

static void test_keys(void **state)
{
	char text[CACHEWIRE_KEY_MAX + 1];
	struct span many[CACHEWIRE_KEYS_MAX] = { { "x", 1 } };
	struct cachewire_ask a = { .version = { "v", 1 }, .restore = many };
	struct buf b;

	(void)state;
	memset(text, 'k', sizeof(text));
	buf_init(&b, 65536);
	a.key = span_make(text, sizeof(text));
	assert_int_equal(cachewire_body(CACHEWIRE_CREATE, &a, &b, NULL), ERR_USAGE);
	a.key.n--;
	assert_int_equal(cachewire_body(CACHEWIRE_CREATE, &a, &b, NULL), 0);
	a.key = span_of("a,b");
	assert_int_equal(cachewire_body(CACHEWIRE_CREATE, &a, &b, NULL), ERR_USAGE);
	a.key = span_of("");
	assert_int_equal(cachewire_body(CACHEWIRE_CREATE, &a, &b, NULL), ERR_USAGE);
	a.key = span_of("k");
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = span_of("x");
	a.nrestore = CACHEWIRE_KEYS_MAX;
	assert_int_equal(cachewire_body(CACHEWIRE_LOOKUP, &a, &b, NULL), ERR_USAGE);
	a.nrestore--;
	assert_int_equal(cachewire_body(CACHEWIRE_LOOKUP, &a, &b, NULL), 0);
	buf_free(&b);
}

/* ---- answers ---- */

static const struct {
	enum cachewire_call call;
	const char *json, *url, *matched;
	int rc;
	bool ok;
} answers[] = {
	{ CACHEWIRE_CREATE, "{\"ok\":true,\"signed_upload_url\":\"https://b.test/x?sig=1\"}",
	    "https://b.test/x?sig=1", "", 0, true },
	{ CACHEWIRE_CREATE, "{\"signedUploadUrl\":\"https:\\/\\/b.test\\/\",\"ok\":true}", "https://b.test/",
	    "", 0, true },
	{ CACHEWIRE_CREATE, "{\"ok\":true,\"signed_upload_url\":\"http://127.0.0.1:9/x\"}",
	    "http://127.0.0.1:9/x", "", 0, true },
	{ CACHEWIRE_CREATE, "{\"ok\":false,\"message\":\"exists\"}", "", "", 0, false },
	{ CACHEWIRE_CREATE, " {} ", "", "", 0, false },
	{ CACHEWIRE_CREATE, "{\"ok\":\"true\"}", "", "", 0, false },
	{ CACHEWIRE_CREATE, "{\"ok\":true}", "", "", ERR_PROTO, true },
	{ CACHEWIRE_CREATE, "{\"ok\":true,\"signed_upload_url\":\"http://b.test/x\"}", NULL, "", ERR_PROTO,
	    true },
	{ CACHEWIRE_CREATE, "{\"ok\":true,\"signed_upload_url\":7}", NULL, "", ERR_PROTO, true },
	{ CACHEWIRE_LOOKUP, "{\"ok\":true,\"signed_download_url\":\"https://b.test/\",\"matched_key\":\"k\"}",
	    "https://b.test/", "k", 0, true },
	{ CACHEWIRE_LOOKUP, "{\"ok\":true,\"signedDownloadUrl\":\"https://b.test/\",\"matchedKey\":\"k\"}",
	    "https://b.test/", "k", 0, true },
	{ CACHEWIRE_LOOKUP, "{\"ok\":true,\"signed_download_url\":\"https://b.test/\"}", NULL, "", ERR_PROTO,
	    true },
	{ CACHEWIRE_LOOKUP, "{\"ok\":true,\"signed_upload_url\":\"https://b.test/\",\"matched_key\":\"k\"}",
	    NULL, "k", ERR_PROTO, true },
	{ CACHEWIRE_LOOKUP, "{\"ok\":false}", "", "", 0, false },
	{ CACHEWIRE_FINALIZE, "{\"ok\":true,\"entry_id\":\"7\"}", "", "", 0, true },
	{ CACHEWIRE_FINALIZE, "[]", NULL, "", ERR_PROTO, false },
	{ CACHEWIRE_FINALIZE, "\"ok\"", NULL, "", ERR_PROTO, false },
	{ CACHEWIRE_FINALIZE, "{\"ok\":true", NULL, "", ERR_PROTO, false },
	{ CACHEWIRE_FINALIZE, "", NULL, "", ERR_PROTO, false },
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		size_t n = strlen(answers[i].json);
		struct cachewire_answer a;

		assert_int_equal(
		    cachewire_read(answers[i].call, span_make(guard_put(answers[i].json, n), n), &a, NULL),
		    answers[i].rc);
		assert_int_equal(a.ok, answers[i].ok);
		assert_string_equal(a.matched, answers[i].matched);
		if (answers[i].url != NULL)
			assert_string_equal(buf_cstr(&a.url), answers[i].url);
		cachewire_answer_free(&a);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		int status, cls;
		const char *body, *says;
	} table[] = {
		{ 401, ERR_DENIED, "{\"code\":\"unauthenticated\",\"msg\":\"bad token\"}", "401: bad token" },
		{ 403, ERR_DENIED, "", "may not" },
		{ 404, ERR_NOTFOUND, "<html>", "404" },
		{ 429, ERR_SPENT, "{}", "429" },
		{ 500, ERR_UNAVAIL, "{\"msg\":7}", "500" },
		{ 503, ERR_UNAVAIL, "", "503" },
		{ 302, ERR_PROTO, "", "302" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct err err;

		err_init(&err);
		assert_int_equal(cachewire_refusal("X", table[i].status, span_of(table[i].body), 9, &err),
		    table[i].cls);
		assert_int_equal(err.cls, table[i].cls);
		assert_int_equal(err.retry_s, table[i].cls == ERR_SPENT ? 9 : 0);
		assert_non_null(strstr(err.msg, table[i].says));
	}
}

/* ---- rights ---- */

static struct span token(const char *claims)
{
	static struct buf b;

	buf_free(&b);
	buf_init(&b, 8192);
	buf_adds(&b, "eyJhbGciOiJSUzI1NiJ9.");
	b64url_encode(&b, claims, strlen(claims));
	buf_adds(&b, ".c2lnbmF0dXJl");
	return buf_span(&b);
}

#define AC(list) "{\"ac\":\"[" list "]\",\"exp\":1}"
#define ROW(permission) "{\\\"Scope\\\":\\\"refs/heads/main\\\",\\\"Permission\\\":" permission "}"

static const struct {
	const char *claims, *mode, *server;
	bool read, write;
} rights[] = {
	{ AC(ROW("3")), NULL, NULL, true, true },
	{ AC(ROW("1")), NULL, NULL, true, false },
	{ AC(ROW("2")), NULL, NULL, false, true },
	{ AC(ROW("1") "," ROW("3")), NULL, NULL, true, true },
	{ AC(ROW("0")), NULL, NULL, false, false },
	{ AC(), NULL, NULL, false, false },
	{ "{}", NULL, NULL, true, true },
	{ "{\"ac\":7}", NULL, NULL, true, true },
	{ "{\"ac\":\"not json\"}", NULL, NULL, true, true },
	{ "[", NULL, NULL, true, true },
	{ AC(ROW("3")), "read", NULL, true, false },
	{ AC(ROW("3")), "write", NULL, true, true },
	{ AC(ROW("1")), "write", NULL, true, false },
	{ AC(ROW("3")), "write-only", NULL, false, true },
	{ AC(ROW("3")), "none", NULL, false, false },
	{ AC(ROW("3")), "what is not known yet", NULL, true, true },
	{ AC(ROW("3")), "", "https://github.com", true, true },
	{ AC(ROW("3")), "", "https://octo.ghe.com", true, true },
	{ AC(ROW("3")), "", "http://github.localhost", true, true },
	{ AC(ROW("3")), "", "https://github.example.com", false, false },
	{ AC(ROW("3")), "", "https://notgithub.com", false, false },
};

static void test_rights(void **state)
{
	struct cachewire_rights r;

	(void)state;
	for (size_t i = 0; i < COUNT(rights); i++) {
		struct span t = token(rights[i].claims);

		cachewire_judge(span_make(guard_put(t.p, t.n), t.n), rights[i].mode, rights[i].server, &r);
		assert_int_equal(r.read, rights[i].read);
		assert_int_equal(r.write, rights[i].write);
		assert_int_equal(r.why == NULL, r.read && r.write);
	}
	cachewire_judge(span_of("no token"), NULL, NULL, &r);
	assert_true(r.read && r.write);
	cachewire_judge(span_of("a.!!.b"), NULL, NULL, &r);
	assert_true(r.read && r.write);
}

/* ---- the REST list ---- */

static void test_list(void **state)
{
	static const char json[] =
	    "{\"total_count\":4,\"actions_caches\":[{\"id\":7,\"key\":\"a\\u0062\",\"ref\":\"r\"},"
	    "{\"id\":\"8\",\"key\":\"x\"},{\"key\":\"y\"},{\"id\":9,\"key\":7},"
	    "{\"id\":18446744073709551615,\"key\":\"\"}]}";
	struct span keys[CACHELIST_MAX];
	uint64_t ids[CACHELIST_MAX];
	struct buf text;

	(void)state;
	buf_init(&text, 65536);
	assert_int_equal(cachelist_read(span_of(json), &text, keys, ids), 2);
	assert_true(span_eq(keys[0], "ab") && ids[0] == 7);
	assert_true(keys[1].n == 0 && ids[1] == UINT64_MAX);
	buf_clear(&text);
	assert_int_equal(cachelist_read(span_of("{\"actions_caches\":[]}"), &text, keys, ids), 0);
	assert_int_equal(cachelist_read(span_of("{\"actions_caches\":{}}"), &text, keys, ids), -1);
	assert_int_equal(cachelist_read(span_of("{}"), &text, keys, ids), -1);
	assert_int_equal(cachelist_read(span_of("nonsense"), &text, keys, ids), -1);
	buf_adds(&text, "{\"actions_caches\":[");
	for (int i = 0; i < 150; i++)
		buf_addf(&text, "%s{\"id\":%d,\"key\":\"k%d\"}", i > 0 ? "," : "", i, i);
	buf_adds(&text, "]}");
	struct buf decoded;
	buf_init(&decoded, 65536);
	assert_int_equal(cachelist_read(buf_span(&text), &decoded, keys, ids), CACHELIST_MAX);
	assert_true(span_eq(keys[99], "k99"));
	buf_free(&decoded);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
