#include "../guard.h"
#include "base/err.h"
#include "base/jscan.h"
#include "bytes.h"
#include "p2p/message.h"
#include "store/entry.h"

#define ID "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define CID "bafkreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavvu"
#define ENTRY                                                                                                \
	"{\"key\":\"get_repo_info:/repos/o/r:3f9c\",\"url\":\"https://api.github.com/repos/o/"               \
	"r\",\"cid\":\"" CID "\",\"auth\":\"0123\",\"proof\":\"4567\",\"timestamp\":1795353600.250000,"      \
			     "\"ttl\":300,\"size\":12,\"hops\":1}"

static struct message m;

static int begin(void **state)
{
	(void)state;
	message_init(&m);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	message_free(&m);
	return 0;
}

static int parse(const char *json)
{
	return message_parse(&m, span_make(guard_put(json, strlen(json)), strlen(json)), NULL);
}

static void check_entry(const struct message_entry *e)
{
	assert_true(span_eq(e->key, "get_repo_info:/repos/o/r:3f9c"));
	assert_true(span_eq(e->url, "https://api.github.com/repos/o/r") && span_eq(e->cid, CID));
	assert_true(span_eq(e->auth, "0123") && span_eq(e->proof, "4567"));
	assert_int_equal(e->timestamp, 1795353600250000);
	assert_int_equal(e->ttl, 300);
	assert_int_equal(e->size, 12);
	assert_int_equal(e->hops, 1);
}

static void test_entries(void **state)
{
	struct message_entry many[MESSAGE_ENTRIES_MAX + 1];
	struct buf b;
	size_t n;

	(void)state;
	assert_int_equal(parse("{\"type\":\"cache_entry\",\"entries\":[" ENTRY "," ENTRY "]}"), 0);
	assert_int_equal(m.type, MESSAGE_CACHE_ENTRY);
	assert_int_equal(m.nentries, 2);
	check_entry(&m.entries[0]);
	check_entry(&m.entries[1]);
	buf_init(&b, 1 << 20);
	assert_int_equal(message_put_entries(&b, m.entries, 1, 65536), 1);
	assert_string_equal(buf_cstr(&b), "{\"type\":\"cache_entry\",\"entries\":[" ENTRY "]}");
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = m.entries[0];
	buf_clear(&b);
	assert_int_equal(message_put_entries(&b, many, COUNT(many), 65536), MESSAGE_ENTRIES_MAX);
	for (size_t max = 0; max < 3000; max += 50) {
		buf_clear(&b);
		n = message_put_entries(&b, many, COUNT(many), max);
		assert_true(n == 0 || buf_len(&b) <= max);
		assert_int_equal(n, max < 35 + sizeof(ENTRY) ? 0 : (max - 34) / sizeof(ENTRY));
	}
	buf_free(&b);
}

static void test_peer_info(void **state)
{
	struct buf b;

	(void)state;
	assert_int_equal(
	    parse("{\"time\":1795353600,\"addrs\":[\"/ip4/10.0.0.1/tcp/9000\",\"/ip4/1.2.3.4/udp/1/quic-v1\","
		  "\"nonsense\"],\"type\":\"peer_info\",\"network_id\":\"n\\u00e9t\",\"agent\":\"ghoard/"
		  "0.1.0\","
		  "\"peers\":[\"/ip4/10.0.0.2/tcp/9001/p2p/" ID "\",\"/p2p/" ID "\"],\"more\":{\"x\":[1]}}"),
	    0);
	assert_int_equal(m.type, MESSAGE_PEER_INFO);
	assert_true(span_eq(m.network_id, "n\xc3\xa9t") && span_eq(m.agent, "ghoard/0.1.0"));
	assert_int_equal(m.time, 1795353600000000);
	assert_int_equal(m.naddrs, 1);
	assert_int_equal(m.npeers, 2);
	assert_true(m.peers[0].port == 9001 && m.peers[1].host == MULTIADDR_NONE && m.peers[1].peer.n > 0);
	buf_init(&b, 4096);
	message_put_peer_info(&b, &m);
	assert_string_equal(buf_cstr(&b),
	    "{\"type\":\"peer_info\",\"network_id\":\"n\xc3\xa9t\",\"agent\":\"ghoard/0.1.0\","
	    "\"addrs\":[\"/ip4/10.0.0.1/tcp/9000\"],\"peers\":[\"/ip4/10.0.0.2/tcp/9001/p2p/" ID
	    "\",\"/p2p/" ID "\"],\"time\":1795353600.000000}");
	buf_free(&b);
}

static void test_small_ones(void **state)
{
	struct span prefixes[2] = { span_of("/repos/o/r"), span_of("/repos/o/\"q\"") };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	message_put_invalidate(&b, prefixes, 2, 1795353600000001);
	assert_string_equal(buf_cstr(&b),
	    "{\"type\":\"invalidate\",\"prefixes\":[\"/repos/o/r\",\"/repos/o/\\\"q\\\"\"],"
	    "\"time\":1795353600.000001}");
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_true(m.nprefixes == 2 && span_same(m.prefixes[1], prefixes[1]) && m.time == 1795353600000001);
	buf_clear(&b);
	message_put_request(&b, span_of("a:b"), span_of(""), MESSAGE_HOPS_ANY);
	assert_string_equal(buf_cstr(&b), "{\"type\":\"cache_request\",\"key\":\"a:b\"}");
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_true(m.type == MESSAGE_CACHE_REQUEST && span_eq(m.key, "a:b") && m.cid.n == 0);
	assert_int_equal(m.hops, MESSAGE_HOPS_ANY);
	buf_clear(&b);
	message_put_request(&b, span_of(""), span_of(CID), 0);
	assert_string_equal(buf_cstr(&b), "{\"type\":\"cache_request\",\"cid\":\"" CID "\",\"hops\":0}");
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_int_equal(m.hops, 0);
	assert_true(span_eq(m.cid, CID) && m.key.n == 0);
	buf_clear(&b);
	message_put_miss(&b);
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_true(m.type == MESSAGE_CACHE_RESPONSE && m.result == MESSAGE_MISS);
	buf_clear(&b);
	message_put_busy(&b, 200);
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_true(m.result == MESSAGE_BUSY && m.retry_ms == 200);
	assert_int_equal(parse("{\"type\":\"cache_response\",\"answer\":\"busy\",\"retry_ms\":99999}"), 0);
	assert_int_equal(m.retry_ms, MESSAGE_RETRY_MAX);
	buf_clear(&b);
	message_put_error(&b, "too_large", "more than 4 KiB");
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_true(m.type == MESSAGE_ERROR && span_eq(m.code, "too_large") &&
	    span_eq(m.text, "more than 4 KiB"));
	buf_free(&b);
	assert_int_equal(parse("{\"type\":\"of the future\",\"key\":7}"), 0);
	assert_int_equal(m.type, MESSAGE_UNKNOWN);
}

#define FILE_FRONT                                                                                           \
	"{\"cache_key\":\"op:/x:v\",\"timestamp\":1795353600.250000,\"ttl\":60,\"content_hash\":null,"       \
	"\"validation_fields\":null,\"ghoard\":{\"v\":1,\"cid\":\"" CID                                      \
	"\",\"status\":200,\"url\":\"https://h/x\","                                                         \
	"\"auth\":\"0123\",\"proof\":\"4567\",\"headers\":[[\"etag\",\"\\\"e\\\"\"]],\"encoding\":\"%s\"}"

/* A file, its head in a message, and the file again. */
static void test_hit(void **state)
{
	char front[1000], image[1100];
	struct buf b, file;

	(void)state;
	buf_init(&b, 4096);
	buf_init(&file, 4096);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(front, sizeof(front), FILE_FRONT, i ? "base64" : "json");
		snprintf(image, sizeof(image), "%s,\"data\":", front);
		buf_clear(&b);
		assert_int_equal(message_put_hit(&b, span_of(image), 3), 0);
		assert_true(jscan_valid(buf_span(&b)));
		assert_int_equal(parse(buf_cstr(&b)), 0);
		assert_true(m.result == MESSAGE_HIT && m.nentries == 1 && m.entries[0].size == 3);
		assert_true(span_eq(m.entries[0].key, "op:/x:v") && span_eq(m.entries[0].cid, CID));
		assert_true(span_eq(m.entries[0].url, "https://h/x") && span_eq(m.entries[0].proof, "4567"));
		assert_true(m.entries[0].timestamp == 1795353600250000 && m.entries[0].ttl == 60);
		buf_clear(&file);
		message_entry_image(&file, m.file, span_of(""), span_of("[1]"));
		strcat(image, i ? "\"WzFd\"}" : "[1]}");
		assert_string_equal(buf_cstr(&file), image);
	}
	assert_int_equal(m.hops, 0);
	buf_clear(&b);
	strcat(front, "}");
	message_put_passed(&b, span_of(front), 3);
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_true(m.result == MESSAGE_HIT && span_eq(m.file, front) && m.size == 3 && m.hops == 1);
	buf_clear(&b);
	assert_int_equal(message_put_hit(&b, span_of(front), 3), ERR_DAMAGED);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
	buf_free(&file);
}

/* A real entry crosses and is itself again, its proof good; so it is if the peer sorts members. */
static void test_real_entry(void **state)
{
	static const uint8_t key[ENTRY_PROOF_KEY_LEN] = { 7 };
	static const struct entry_header etag = { { "etag", 4 }, { "\"x\"", 3 } };
	struct entry_parts parts = { .key = span_of("op:/x:v"),
		.url = span_of("https://h/x"),
		.auth = span_of("0123456789abcdef0123456789abcdef"),
		.variant = span_of("{\"accept\":\"json\"}"),
		.proof_key = key,
		.timestamp = 1795353600250000,
		.ttl = 60,
		.status = 200,
		.headers = &etag,
		.nheaders = 1 };
	const char *bodies[] = { "{\"a\": [1, 2]}", "not JSON \x01" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct entry *e, *back;
		struct buf b, file;

		parts.body = span_of(bodies[i % 2]);
		assert_int_equal(entry_build(&parts, &e, NULL), 0);
		buf_init(&b, 8192);
		buf_init(&file, 8192);
		struct span image = buf_span(&e->image);
		size_t front = (size_t)(e->data.p - image.p);
		assert_int_equal(message_put_hit(&b, span_sub(image, 0, front), parts.body.n), 0);
		assert_int_equal(parse(buf_cstr(&b)), 0);
		assert_true(span_same(m.entries[0].cid, e->cid) && span_same(m.entries[0].auth, e->auth));
		assert_int_equal(m.entries[0].timestamp, parts.timestamp);
		if (i >= 2) {		/* as a sorting writer has it */
			struct span ours;

			buf_clear(&file);
			assert_int_equal(jscan_member(m.file, "ghoard", &ours), 1);
			buf_adds(&file, "{\"ghoard\":");
			buf_addspan(&file, ours);
			buf_adds(&file,
			    ",\"ttl\":60,\"validation_fields\":null,\"content_hash\":null,\"cache_key\":"
			    "\"op:/x:v\",\"timestamp\":1795353600.25}");
			buf_clear(&b);
			message_entry_image(&b, buf_span(&file), parts.variant, parts.body);
		} else {
			buf_clear(&b);
			message_entry_image(&b, m.file, parts.variant, parts.body);
			assert_true(span_same(buf_span(&b), image));
		}
		assert_int_equal(entry_parse(&b, &back, NULL), 0);
		assert_true(entry_cid_ok(back) && entry_proof_ok(back, key) &&
		    span_same(back->body, parts.body));
		entry_unref(back);
		entry_unref(e);
		buf_free(&b);
		buf_free(&file);
	}
}

/* The asker's variant stands where the peer's is the same object in another writing, and only there. */
static void test_variant(void **state)
{
	static const struct {
		const char *theirs, *ours, *want;
	} cases[] = { { "{\"b\":\"<\",\"a\":\"1\"}", "{\"a\":\"1\",\"b\":\"\\u003c\"}",
			  "{\"a\":\"1\",\"b\":\"\\u003c\"}" },
		{ "{\"b\":\"2\",\"a\":\"1\"}", "{\"a\":\"1\",\"b\":\"3\"}", "{\"b\":\"2\",\"a\":\"1\"}" },
		{ "{\"a\":\"1\"}", "", "{\"a\":\"1\"}" } };
	char file[200], want[300];
	struct buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(file, sizeof(file), "{\"ghoard\":{\"auth\":\"x\",\"variant\":%s}}", cases[i].theirs);
		snprintf(want, sizeof(want),
		    "{\"ghoard\":{\"variant\":%s,\"auth\":\"x\",\"encoding\":\"json\"},\"data\":[1]}",
		    cases[i].want);
		buf_init(&b, 4096);
		message_entry_image(&b, span_of(file), span_of(cases[i].ours), span_of("[1]"));
		assert_string_equal(buf_cstr(&b), want);
		buf_free(&b);
	}
}

static void test_malformed(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "null", "{\"type\":\"cache_entry\"}",
		" {\"type\":\"error\"}x", "{\"type\":\"cache_entry\",\"entries\":[]}",
		"{\"type\":\"cache_entry\",\"entries\":{}}", "{\"type\":\"cache_entry\",\"entries\":[1]}",
		"{\"type\":\"cache_entry\",\"entries\":[{}]}",
		"{\"type\":\"cache_entry\",\"entries\":[{\"key\":\"k\",\"cid\":\"c\",\"auth\":\"a\"}]}",
		"{\"type\":\"cache_entry\",\"entries\":[{\"key\":7,\"cid\":\"c\",\"auth\":\"a\","
		"\"timestamp\":1}]}",
		"{\"type\":\"cache_entry\",\"entries\":[{\"key\":\"k\\u0000\",\"cid\":\"c\",\"auth\":\"a\","
		"\"timestamp\":1}]}",
		"{\"type\":\"cache_entry\",\"entries\":[{\"key\":\"k\",\"cid\":\"c\",\"auth\":\"a\","
		"\"timestamp\":-1}]}",
		"{\"type\":\"cache_entry\",\"entries\":[{\"key\":\"k\",\"cid\":\"c\",\"auth\":\"a\","
		"\"timestamp\":1e9}]}",
		"{\"type\":\"cache_entry\",\"entries\":[{\"key\":\"k\",\"cid\":\"c\",\"auth\":\"a\","
		"\"timestamp\":1,\"ttl\":\"1\"}]}",
		"{\"type\":\"cache_entry\",\"entries\":[{\"key\":\"k\",\"cid\":\"c\",\"auth\":\"a\","
		"\"timestamp\":1,\"hops\":256}]}",
		"{\"type\":\"peer_info\",\"network_id\":\"n\"}", "{\"type\":\"peer_info\",\"time\":1}",
		"{\"type\":\"peer_info\",\"network_id\":\"n\",\"time\":1,\"addrs\":\"x\"}",
		"{\"type\":\"peer_info\",\"network_id\":\"n\",\"time\":1,\"peers\":[1]}",
		"{\"type\":\"invalidate\",\"prefixes\":[],\"time\":1}",
		"{\"type\":\"invalidate\",\"prefixes\":[\"/\"]}",
		"{\"type\":\"invalidate\",\"prefixes\":[null],\"time\":1}", "{\"type\":\"cache_request\"}",
		"{\"type\":\"cache_request\",\"key\":\"\"}",
		"{\"type\":\"cache_request\",\"key\":\"k\",\"cid\":\"c\"}", "{\"type\":\"cache_response\"}",
		"{\"type\":\"cache_response\",\"answer\":\"perhaps\"}",
		"{\"type\":\"cache_response\",\"answer\":\"hit\"}",
		"{\"type\":\"cache_response\",\"answer\":\"hit\",\"entry\":{}}",
		"{\"type\":\"cache_response\",\"answer\":\"miss\",\"retry_ms\":-1}" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		err_init(&err);
		assert_int_equal(message_parse(&m,
				     span_make(guard_put(bad[i], strlen(bad[i])), strlen(bad[i])), &err),
		    ERR_PROTO);
		assert_true(strlen(err.msg) > 10);
	}
}

/* As many as are told, no more. */
static void test_limits(void **state)
{
	struct buf b;

	(void)state;
	for (unsigned n = MESSAGE_ENTRIES_MAX; n < MESSAGE_ENTRIES_MAX + 2; n++) {
		buf_init(&b, 1 << 20);
		buf_adds(&b, "{\"type\":\"cache_entry\",\"entries\":[");
		for (unsigned i = 0; i < n; i++)
			buf_addf(&b, "%s" ENTRY, i ? "," : "");
		buf_adds(&b, "]}");
		assert_int_equal(parse(buf_cstr(&b)), n == MESSAGE_ENTRIES_MAX ? 0 : ERR_PROTO);
		buf_free(&b);
	}
	for (unsigned n = MESSAGE_PREFIXES_MAX; n < MESSAGE_PREFIXES_MAX + 2; n++) {
		buf_init(&b, 1 << 20);
		buf_adds(&b, "{\"type\":\"invalidate\",\"time\":1,\"prefixes\":[");
		for (unsigned i = 0; i < n; i++)
			buf_addf(&b, "%s\"/repos/o/r\"", i ? "," : "");
		buf_adds(&b, "]}");
		assert_int_equal(parse(buf_cstr(&b)), n == MESSAGE_PREFIXES_MAX ? 0 : ERR_PROTO);
		buf_free(&b);
	}
	buf_init(&b, 1 << 20);
	buf_adds(&b, "{\"type\":\"peer_info\",\"network_id\":\"n\",\"time\":1,\"peers\":[");
	for (unsigned i = 0; i < 100; i++)
		buf_addf(&b, "%s\"/ip4/10.0.0.%u/tcp/9000/p2p/" ID "\"", i ? "," : "", i);
	buf_adds(&b, "]}");
	assert_int_equal(parse(buf_cstr(&b)), 0);
	assert_int_equal(m.npeers, MESSAGE_PEERS_MAX);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_peer_info),
		cmocka_unit_test(test_small_ones),
		cmocka_unit_test(test_hit),
		cmocka_unit_test(test_real_entry),
		cmocka_unit_test(test_variant), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("p2p/message", tests, begin, finish);
}
