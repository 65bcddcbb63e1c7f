#include <stdlib.h>

#include "base/jscan.h"
#include "made.h"

static void expect_same(const struct entry *a, const struct entry *b)
{
	assert_int_equal(a->ours, b->ours);
	assert_true(span_same(a->key, b->key) && span_same(a->op, b->op) && span_same(a->url, b->url));
	assert_true(span_same(a->auth, b->auth) && span_same(a->cid, b->cid) &&
	    span_same(a->proof, b->proof));
	assert_true(span_same(a->variant, b->variant) && span_same(a->content_hash, b->content_hash));
	assert_int_equal(a->timestamp, b->timestamp);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->nheaders, b->nheaders);
	for (size_t i = 0; i < a->nheaders; i++)
		assert_true(span_same(a->headers[i].name, b->headers[i].name) &&
		    span_same(a->headers[i].value, b->headers[i].value));
	assert_true(span_same(a->body, b->body));
}

/* Built, then parsed from its own image: everything that was put in comes out. */
static void expect_round(const struct entry_parts *p)
{
	struct entry *e = made(p), *again;

	assert_true(e->ours);
	assert_true(span_same(e->key, p->key) && span_same(e->url, p->url) && span_same(e->auth, p->auth));
	assert_true(span_same(e->body, p->body));
	assert_int_equal(e->timestamp, p->timestamp);
	assert_int_equal(e->ttl, p->ttl);
	assert_int_equal(e->status, p->status);
	assert_int_equal(e->nheaders, p->nheaders);
	assert_true(entry_cid_ok(e));
	assert_int_equal(entry_proof_ok(e, made_key), p->proof_key != NULL);
	assert_true(jscan_valid(buf_span(&e->image)));
	again = parsed(buf_data(&e->image), buf_len(&e->image));
	assert_non_null(again);
	expect_same(e, again);
	entry_unref(e);
	assert_true(entry_cid_ok(again));
	assert_int_equal(entry_proof_ok(again, made_key), p->proof_key != NULL);
	entry_unref(again);
}

static void test_round(void **state)
{
	struct entry_parts p = made_parts();

	(void)state;
	expect_round(&p);
	p.fields = span_of("{\"pushedAt\": null, \"updatedAt\": \"x\"}");
	expect_round(&p);
	p.key = span_of("get_repo_info:o:k=\"v\\\n\xc3\xa9\xf0\x9f\x8e\x89");	/* by name */
	p.url = p.variant = span_of("");
	expect_round(&p);
	p.nheaders = 0;
	expect_round(&p);
	p.status = 301;
	p.ttl = 0;
	p.timestamp = 1;
	expect_round(&p);
	p.auth = span_of(ENTRY_PUBLIC);
	p.proof_key = NULL;
	expect_round(&p);
}

static void test_bodies(void **state)
{
	static const char *const texts[] = { "", "{}", "[]", "1", "null", "\"text\"", " {\"a\": 1}\n",
		"[1,2]\r\n", "not json", "{", "}", "\"open", "{\"a\":1}x", "<html>", "\xff\xfe",
		"{\"data\":\"},\\\"data\\\":\"}", "{\"x\":{\"y\":\"z\"},\"data\":5}", "}}}}",
		"\"},\"data\":" };
	struct entry_parts p = made_parts();

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		p.body = span_of(texts[i]);
		expect_round(&p);
	}
	p.body = span_make("a\0b", 3);
	expect_round(&p);
}

static void test_large_bodies(void **state)
{
	struct entry_parts p = made_parts();
	size_t n = 300000;
	char *text = malloc(n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 7 + i / 251);
	for (size_t i = n - 3; i <= n; i++) {
		p.body = span_make(text, i);
		expect_round(&p);
	}
	memset(text, ' ', n);
	text[0] = '[';
	text[n - 1] = ']';
	expect_round(&p);
	free(text);
}

/* FORMATS §1: the bytes in the file, and that a hit is a slice of it. */
static void test_image(void **state)
{
	struct entry_parts p = made_parts();
	struct entry *e = made(&p);
	const char *image = (const char *)buf_data(&e->image);

	(void)state;
	/* cid and proof by Python: HMAC-SHA256 over the length-prefixed list, 16 bytes */
	assert_string_equal(buf_cstr(&e->image),
	    "{\"cache_key\":\"" KEY "\",\"timestamp\":1795353600.250000,\"ttl\":300,"
	    "\"content_hash\":null,\"validation_fields\":null,\"ghoard\":{\"v\":1,"
	    "\"cid\":\"bafkreigpbma75gthtlm7dtzosr4jczm7eox7adfeage53omnxtjnn6vmsq\",\"status\":200,"
	    "\"url\":\"https://api.github.com/repos/o/"
	    "r\",\"variant\":{\"profile\":\"ghoard-1\",\"body\":\"\"},\"auth\":\"" TAG "\","
	    "\"proof\":\"712ae82e3b44f5176166a113b6d3827e\",\"headers\":[[\"content-type\",\"application/"
	    "json; charset=utf-8\"],"
	    "[\"etag\",\"W/\\\"abc\\\"\"]],\"encoding\":\"json\"},\"data\":" BODY "}");
	assert_true(e->body.p >= image && e->body.p + e->body.n == image + buf_len(&e->image) - 1);
	assert_true(span_eq(e->op, "get_repo_info"));
	assert_true(span_eq(entry_header(e, "etag"), "W/\"abc\""));
	assert_null(entry_header(e, "link").p);
	assert_int_equal(entry_expires(e), WHEN + 300 * (int64_t)1000000);
	assert_true(entry_size(e) >= buf_len(&e->image));
	entry_unref(e);
	p.body = span_of("a\n");
	e = made(&p);
	assert_non_null(strstr(buf_cstr(&e->image), ",\"encoding\":\"base64\"},\"data\":\"YQo=\"}"));
	entry_unref(e);
}

/* The reference's own vector: SHA-256 of its JSON text of the fields, as a CID. */
static void test_content_hash(void **state)
{
	struct entry_parts p = made_parts();
	struct entry *e;

	(void)state;
	p.fields = span_of("{\"pushedAt\": null, \"updatedAt\": \"2026-11-01T00:00:00Z\"}");
	e = made(&p);
	assert_true(span_eq(e->content_hash, "bafkreigzmj7254yzs4amicttimlfxadq62w25u3xnu4ljgl3l2fm2schzy"));
	assert_non_null(strstr(buf_cstr(&e->image),
	    "\"validation_fields\":{\"pushedAt\": null, \"updatedAt\": \"2026-11-01T"));
	entry_unref(e);
}

static void test_proof(void **state)
{
	struct entry_parts p = made_parts(), q;
	struct entry *e = made(&p), *f;
	uint8_t other[ENTRY_PROOF_KEY_LEN];
	char from[300], *image;

	(void)state;
	for (size_t i = 0; i < 8 * sizeof(other); i++) {
		memcpy(other, made_key, sizeof(other));
		other[i / 8] = (uint8_t)(other[i / 8] ^ 1u << i % 8);
		assert_false(entry_proof_ok(e, other));
	}
	/* each field that it covers: key, cid, status, headers, timestamp, ttl */
	static const char *const changes[][2] = { { "/repos/o/r:01", "/repos/o/s:01" },
		{ "\"name\":\"r\"", "\"name\":\"s\"" }, { "\"status\":200", "\"status\":301" },
		{ "abc", "abd" }, { "etag", "date" }, { "00.25", "01.25" },
		{ "\"ttl\":300", "\"ttl\":301" } };
	for (size_t i = 0; i < COUNT(changes); i++) {
		image = strdup(buf_cstr(&e->image));
		memcpy(strstr(image, changes[i][0]), changes[i][1], strlen(changes[i][1]));
		f = parsed_text(image);
		assert_non_null(f);
		assert_false(entry_proof_ok(f, made_key) && entry_cid_ok(f));
		entry_unref(f);
		free(image);
	}
	/* a header moved into its neighbour is another list */
	snprintf(from, sizeof(from), "%s", "ab");
	q = p;
	const struct entry_header two[] = { { span_of("a"), span_of("bc") } },
				  one[] = { { span_of("ab"), span_of("c") } };
	p.headers = two;
	q.headers = one;
	p.nheaders = q.nheaders = 1;
	f = made(&q);
	entry_unref(e);
	e = made(&p);
	assert_false(span_same(e->proof, f->proof));
	entry_unref(e);
	entry_unref(f);
}

/* Whatever byte is changed into whatever: refused, or not believed, or the body is the one that was stored.
 */
static void expect_flips_found(const struct entry_parts *p)
{
	static const uint8_t masks[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff };
	struct entry *e = made(p), *f;
	size_t n = buf_len(&e->image);
	uint8_t *image = malloc(n);

	memcpy(image, buf_data(&e->image), n);
	for (size_t i = 0; i < n; i++)
		for (size_t m = 0; m < COUNT(masks); m++) {
			image[i] ^= masks[m];
			f = parsed(image, n);
			if (f != NULL && entry_cid_ok(f) &&
			    (p->proof_key == NULL || entry_proof_ok(f, made_key)))
				assert_true(span_same(f->body, p->body));
			entry_unref(f);
			image[i] ^= masks[m];
		}
	free(image);
	entry_unref(e);
}

static void test_flips(void **state)
{
	struct entry_parts p = made_parts();

	(void)state;
	expect_flips_found(&p);
	p.body = span_of("\x01 not json");
	expect_flips_found(&p);
	p.fields = span_of("{\"data\": {\"a\": \"b\"}, \"x\": 1}");
	p.body = span_of("{\"x\":{\"y\":\"z\"},\"data\":5}");
	expect_flips_found(&p);
	/* without a proof, and by name */
	p.auth = span_of(ENTRY_PUBLIC);
	p.proof_key = NULL;
	expect_flips_found(&p);
	p.url = p.variant = span_of("");
	p.body = span_of("\x01 not json");
	expect_flips_found(&p);
}

static void test_truncations(void **state)
{
	struct entry_parts p = made_parts();

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		p.body = span_of(kind == 0 ? "{\"a\":{\"b\":{\"c\":1}}}" : "\x01 not json");
		struct entry *e = made(&p), *f;

		for (size_t n = 0; n < buf_len(&e->image); n++) {
			uint8_t *front = malloc(n + 1);

			memcpy(front, buf_data(&e->image), n);
			f = parsed(front, n);
			free(front);
			assert_true(f == NULL || !entry_cid_ok(f));
			entry_unref(f);
		}
		entry_unref(e);
	}
}

/* ---- the reference's ---- */

#define REFERENCE                                                                                            \
	"{\"data\": {\"name\": \"hello\", \"ratio\": 0.1, \"big\": 12345678901234567890}, \"timestamp\": "   \
	"1795361584.8961558, \"ttl\": 1000000000, \"content_hash\": "                                        \
	"\"91b5fc71e373277da770d6c400d82953ab08e23554bbd2837737ac30f1e85364\", \"validation_fields\": "      \
	"{\"updatedAt\": \"x\"}}"

static void test_reference(void **state)
{
	struct entry *e = parsed_text(REFERENCE);
	uint8_t any[ENTRY_PROOF_KEY_LEN] = { 0 };

	(void)state;
	assert_non_null(e);
	assert_false(e->ours);
	assert_int_equal(e->key.n, 0);
	assert_int_equal(e->timestamp, 1795361584896155);
	assert_int_equal(e->ttl, 1000000000);
	assert_true(span_eq(e->content_hash,
	    "91b5fc71e373277da770d6c400d82953ab08e23554bbd2837737ac30f1e85364"));
	assert_true(span_eq(e->data, "{\"name\": \"hello\", \"ratio\": 0.1, \"big\": 12345678901234567890}"));
	assert_true(entry_cid_ok(e));
	assert_false(entry_proof_ok(e, any));
	entry_unref(e);
	e = parsed_text("{\"cache_key\": \"list_repos:limit=10:owner=octo\", \"data\": [1, \"\\u2028\"], "
			"\"timestamp\": 1795361584, "
			"\"ttl\": 600, \"content_hash\": null, \"validation_fields\": null}");
	assert_non_null(e);
	assert_true(span_eq(e->key, "list_repos:limit=10:owner=octo"));
	assert_true(span_eq(e->op, "list_repos"));
	assert_true(span_eq(e->data, "[1, \"\\u2028\"]"));
	assert_int_equal(e->content_hash.n, 0);
	assert_false(e->ours);
	entry_unref(e);
}

/* Up to nine decimals, whole seconds, and that six of them count. */
static void test_timestamps(void **state)
{
	static const struct {
		const char *text;
		int64_t want;	/* -1: refused */
	} times[] = { { "1795353600", 1795353600000000 }, { "1795353600.0", 1795353600000000 },
		{ "1795353600.2", 1795353600200000 }, { "1795353600.25", 1795353600250000 },
		{ "1795353600.250", 1795353600250000 }, { "1795353600.0001", 1795353600000100 },
		{ "1795353600.00001", 1795353600000010 }, { "1795353600.000001", 1795353600000001 },
		{ "1795353600.0000019", 1795353600000001 }, { "1795353600.99999999", 1795353600999999 },
		{ "1795353600.123456789", 1795353600123456 }, { "\"1795353600\"", -1 }, { "null", -1 },
		{ "-5", -1 }, { "[1]", -1 }, { "true", -1 }, { "99999999999999999999", -1 },
		{ "1795353600.", -1 }, { "NaN", -1 } };
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		snprintf(text, sizeof(text), "{\"data\":1,\"timestamp\":%s,\"ttl\":5}", times[i].text);
		struct entry *e = parsed_text(text);

		assert_int_equal(e != NULL, times[i].want >= 0);
		if (e != NULL)
			assert_int_equal(e->timestamp, times[i].want);
		entry_unref(e);
	}
}

/* However long it shall live: no overflow. */
static void test_huge_ttl(void **state)
{
	static const char *const ttls[] = { "1000000000", "1000000000000", "9223372036854775807",
		"18446744073709551615", "99999999999999999999999", "300.5" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT(ttls); i++) {
		snprintf(text, sizeof(text), "{\"data\":1,\"timestamp\":1795353600,\"ttl\":%s}", ttls[i]);
		struct entry *e = parsed_text(text);

		if (e != NULL)
			assert_true(e->ttl >= 300 && entry_expires(e) > WHEN);
		if (i == 0 || i == 5)
			assert_non_null(e);
		entry_unref(e);
	}
}

/* ---- what is no entry ---- */

#define OURS(ghoard)                                                                                         \
	"{\"cache_key\":\"a:b\",\"timestamp\":1795353600,\"ttl\":5,\"ghoard\":" ghoard ",\"data\":1}"
#define CID "\"cid\":\"bafkreidlq2zhh7zu7tqz224aj37vup2xi6w2j2vcf4outqa6klo3pb23jm\""

static void test_no_entry(void **state)
{
	static const char *const bad[] = { "", " ", "{}", "[]", "1", "null", "{\"data\":1}",
		"{\"timestamp\":1,\"ttl\":1}", "{\"data\":1,\"timestamp\":5,\"ttl\":1",
		"{\"data\":1,\"timestamp\":5,\"ttl\":1}x", "[{\"data\":1,\"timestamp\":5,\"ttl\":1}]",
		"{\"data\":1,\"timestamp\":5,\"ttl\":\"5\"}", "{\"data\":1,\"timestamp\":5,\"ttl\":null}",
		"{\"data\":1,\"timestamp\":5,\"ttl\":-1}", "\xff",
		/* of ours, with a member missing or of another type */
		OURS("{\"v\":1}"), OURS("{\"v\":1,\"status\":200,\"auth\":\"x\",\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"status\":200,\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"auth\":\"x\",\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"status\":\"200\",\"auth\":\"x\",\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"status\":600,\"auth\":\"x\",\"encoding\":\"json\"}"),
		OURS("{\"v\":1,\"cid\":5,\"status\":200,\"auth\":\"x\",\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"status\":200,\"auth\":[],\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"status\":200,\"auth\":\"x\",\"url\":1,\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID
		     ",\"status\":200,\"auth\":\"x\",\"headers\":[[\"a\"]],\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID
		     ",\"status\":200,\"auth\":\"x\",\"headers\":[[\"a\",1]],\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"status\":200,\"auth\":\"x\",\"headers\":[5],\"encoding\":\"json\"}"),
		OURS("{\"v\":1," CID ",\"status\":200,\"auth\":\"x\",\"encoding\":\"base64\"}") };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_null(parsed_text(bad[i]));
}

/* What a server would have to write into a head must not end a line there. */
static void test_headers_of_one_line(void **state)
{
	static const char *const bad[] = { "\"a\",\"b\\r\\nset-cookie: x\"", "\"a\",\"\\n\"",
		"\"a\",\"\\u0000\"", "\"a\\r\\nb\",\"c\"", "\"\",\"x\"", "\"a:\",\"x\"", "\"a b\",\"x\"" };
	char text[500];
	struct entry *e;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text),
		    OURS("{\"v\":1," CID
			 ",\"status\":200,\"auth\":\"x\",\"headers\":[[%s]],\"encoding\":\"json\"}"),
		    bad[i]);
		assert_null(parsed_text(text));
	}
	e = parsed_text(OURS("{\"v\":1," CID ",\"status\":200,\"auth\":\"x\",\"headers\":[[\"a-b\",\"c\\td "
					     "\\u00e9\"]],\"encoding\":\"json\"}"));
	assert_non_null(e);
	entry_unref(e);
}

/* ENTRY_HEADERS_MAX are taken; one more, or a head that is too large, cannot be built and is not read. */
static void test_limits(void **state)
{
	struct entry_header h[ENTRY_HEADERS_MAX + 1];
	static char big[ENTRY_HEAD_MAX + 1];
	struct entry_parts p = made_parts();
	struct entry *e = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(h); i++)
		h[i] = (struct entry_header){ span_of("etag"), span_of("\"x\"") };
	p.headers = h;
	p.nheaders = ENTRY_HEADERS_MAX;
	expect_round(&p);
	p.nheaders++;
	assert_int_equal(entry_build(&p, &e, NULL), ERR_LIMIT);
	memset(big, 'x', sizeof(big) - 1);
	p.nheaders = 1;
	h[0].value = span_make(big, sizeof(big) - 4096);
	expect_round(&p);
	h[0].value = span_make(big, sizeof(big) - 1);
	assert_int_equal(entry_build(&p, &e, NULL), ERR_LIMIT);
	assert_null(e);
}

/* HTTP lets bytes above 0x7F stand in a field; JSON does not. What is built is believed when it is read. */
static void test_header_not_utf8(void **state)
{
	const struct entry_header h[] = { { span_of("content-type"), span_of("caf\xe9") },
		{ span_of("etag"), span_of("\"\xc3\xa9\"") } };
	struct entry_parts p = made_parts();
	struct entry *e, *again;

	(void)state;
	p.headers = h;
	e = made(&p);
	again = parsed(buf_data(&e->image), buf_len(&e->image));
	assert_non_null(again);
	assert_true(entry_cid_ok(again) && entry_proof_ok(again, made_key));
	assert_true(span_eq(entry_header(again, "etag"), "\"\xc3\xa9\""));
	entry_unref(e);
	entry_unref(again);
}

static void test_refs(void **state)
{
	struct entry_parts p = made_parts();
	struct entry *e = made(&p), *f = entry_ref(e);

	(void)state;
	assert_ptr_equal(e, f);
	entry_unref(e);
	assert_true(span_eq(f->body, BODY));
	entry_unref(f);
	entry_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_content_hash),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_timestamps),
		cmocka_unit_test(test_huge_ttl),
		cmocka_unit_test(test_no_entry),
		cmocka_unit_test(test_headers_of_one_line),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_header_not_utf8),
		cmocka_unit_test(test_refs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
