#include <stdlib.h>
#include <time.h>

#include "server.h"
#include "base/err.h"
#include "net/engine.h"
#include "tls/anchors.h"
#include "tls/tls.h"

#define HOST "api.example.test"
#define NO_TLS12 HOST " does not offer TLS 1.2, the version ghoard speaks"
#define NO_SUITE                                                                                             \
	HOST " offers none of the cipher suites ghoard accepts (ECDHE with AES-GCM or ChaCha20-Poly1305)"
#define BIG ((size_t)100000)

static struct anchors *anchors;
static struct tls_server server;

/* A client and the server, and what went between them. */
struct talk {
	struct engine *c;
	size_t step;			/* bytes moved at a time */
	size_t to_client, to_server;
	size_t cut;			/* bytes to the client after which nothing more comes; 0: no end */
};

static int group_setup(void **state)
{
	(void)state;
	tls_write_root("root.pem");
	assert_int_equal(anchors_new("root.pem", NULL, &anchors, NULL), 0);
	while (anchors_step(anchors, 1, NULL) == 1)
		;
	assert_int_equal(anchors_count(anchors), 1);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	anchors_free(anchors);
	unlink("root.pem");
	return 0;
}

static struct engine *client(const char *host, uint16_t port, struct tls_cache *cache)
{
	struct engine *e = NULL;

	assert_int_equal(tls_client_new(anchors, span_of(host), port, cache, &e, NULL), 0);
	return e;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool client_to_server(struct talk *t)
{
	size_t have = 0, room = 0, n;
	const uint8_t *p;
	uint8_t *q;

	if (!(t->c->ops->state(t->c) & ENGINE_NET_OUT))
		return false;
	p = t->c->ops->net_out(t->c, &have);
	q = br_ssl_engine_recvrec_buf(&server.sc.eng, &room);
	if (q == NULL)
		return false;
	n = least(least(have, room), t->step);
	memcpy(q, p, n);
	t->c->ops->net_out_ack(t->c, n);
	br_ssl_engine_recvrec_ack(&server.sc.eng, n);
	t->to_server += n;
	return true;
}

static bool server_to_client(struct talk *t)
{
	size_t have = 0, room = 0, n;
	const uint8_t *p = br_ssl_engine_sendrec_buf(&server.sc.eng, &have);
	uint8_t *q;

	if (p == NULL || !(t->c->ops->state(t->c) & ENGINE_NET_IN))
		return false;
	q = t->c->ops->net_in(t->c, &room);
	n = least(least(have, room), t->step);
	if (t->cut > 0)
		n = least(n, t->cut - t->to_client);
	memcpy(q, p, n);
	t->c->ops->net_in_ack(t->c, n);
	if (n > 0)
		br_ssl_engine_sendrec_ack(&server.sc.eng, n);
	t->to_client += n;
	return n > 0;
}

/* Until nothing moves. */
static void pump(struct talk *t)
{
	while (client_to_server(t) || server_to_client(t))
		;
}

static bool secured(struct talk *t)
{
	return t->c->ops->state(t->c) & ENGINE_APP_IN;
}

static void shake_hands(struct talk *t)
{
	tls_server_go(&server);
	pump(t);
	if (!secured(t)) {
		struct err err;

		err_init(&err);
		t->c->ops->error(t->c, &err);
		fail_msg("no handshake: %s (server %d)", err.msg,
		    br_ssl_engine_last_error(&server.sc.eng));
	}
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 13 + i / 255);
}

/* The client's plaintext to the server. */
static void upload(struct talk *t, size_t total)
{
	size_t put = 0, got = 0, n;

	while (got < total) {
		uint8_t *p;

		if (put < total && (t->c->ops->state(t->c) & ENGINE_APP_IN)) {
			p = t->c->ops->app_in(t->c, &n);
			n = least(least(n, total - put), t->step);
			for (size_t i = 0; i < n; i++)
				p[i] = byte_at(put + i);
			t->c->ops->app_in_ack(t->c, n);
			put += n;
			t->c->ops->flush(t->c);
		}
		pump(t);
		p = br_ssl_engine_recvapp_buf(&server.sc.eng, &n);
		assert_non_null(p);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], byte_at(got + i));
		got += n;
		br_ssl_engine_recvapp_ack(&server.sc.eng, n);
	}
}

/* The server's to the client. */
static void download(struct talk *t, size_t total)
{
	size_t put = 0, got = 0, n;

	while (got < total) {
		uint8_t *p = put < total ? br_ssl_engine_sendapp_buf(&server.sc.eng, &n) : NULL;
		const uint8_t *q;

		if (p != NULL) {
			n = least(n, total - put);
			for (size_t i = 0; i < n; i++)
				p[i] = byte_at(put + i);
			br_ssl_engine_sendapp_ack(&server.sc.eng, n);
			put += n;
			br_ssl_engine_flush(&server.sc.eng, 0);
		}
		pump(t);
		assert_true(t->c->ops->state(t->c) & ENGINE_APP_OUT);
		q = t->c->ops->app_out(t->c, &n);
		n = least(n, t->step);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(q[i], byte_at(got + i));
		got += n;
		t->c->ops->app_out_ack(t->c, n);
	}
}

static void test_data(void **state)
{
	static const struct {
		enum tls_cert cert;
		size_t step, total;
	} cases[] = { { CERT_GOOD, 1, 300 }, { CERT_GOOD, 7, 2000 }, { CERT_GOOD, BIG, BIG },
		{ CERT_RSA, 1, 100 }, { CERT_RSA, 1000, BIG } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct talk t = { .c = client(HOST, 443, NULL), .step = cases[i].step };

		assert_true(t.c->ops->state(t.c) & ENGINE_NET_OUT);	/* it speaks first */
		assert_false(secured(&t));
		tls_server_init(&server, cases[i].cert);
		shake_hands(&t);
		assert_int_equal(t.c->ops->error(t.c, NULL), 0);
		upload(&t, cases[i].total);
		download(&t, cases[i].total);
		assert_false(t.c->ops->ended(t.c));
		t.c->ops->free(t.c);
	}
}

/* TLS 1.2 and six suites, whatever the machine; the name in SNI. */
static void test_profile(void **state)
{
	struct talk t = { .c = client(HOST, 443, NULL), .step = BIG };
	size_t n;

	(void)state;
	tls_server_init(&server, CERT_GOOD);
	shake_hands(&t);
	assert_int_equal(server.sc.client_max_version, BR_TLS12);
	assert_int_equal(br_ssl_engine_get_version(&server.sc.eng), BR_TLS12);
	assert_string_equal(br_ssl_engine_get_server_name(&server.sc.eng), HOST);
	br_ssl_server_get_client_suites(&server.sc, &n);
	assert_in_range(n, 1, 6);
	for (size_t i = 0; i < n; i++) {
		uint16_t suite = br_ssl_server_get_client_suites(&server.sc, &n)[i][0];

		assert_true((suite >= 0xC02B && suite <= 0xC030) || suite == 0xCCA8 || suite == 0xCCA9);
		assert_true(suite != 0xC02D && suite != 0xC02E);	/* ECDH with a fixed key */
	}
	t.c->ops->free(t.c);
}

static void test_goodbye(void **state)
{
	struct talk t = { .c = client(HOST, 443, NULL), .step = BIG };

	(void)state;
	tls_server_init(&server, CERT_GOOD);
	shake_hands(&t);
	br_ssl_engine_close(&server.sc.eng);
	pump(&t);
	assert_int_equal(t.c->ops->state(t.c), ENGINE_CLOSED);
	assert_true(t.c->ops->ended(t.c));
	assert_int_equal(t.c->ops->error(t.c, NULL), 0);
	t.c->ops->free(t.c);
	/* the other way round */
	t = (struct talk){ .c = client(HOST, 443, NULL), .step = 1 };
	tls_server_init(&server, CERT_GOOD);
	shake_hands(&t);
	t.c->ops->close(t.c);
	pump(&t);
	assert_int_equal(br_ssl_engine_current_state(&server.sc.eng), BR_SSL_CLOSED);
	assert_int_equal(br_ssl_engine_last_error(&server.sc.eng), BR_ERR_OK);
	assert_true(t.c->ops->ended(t.c));
	t.c->ops->free(t.c);
}

/* Wherever the stream stops, that is not an end: neither in the handshake nor in a record. */
static void test_cut_off(void **state)
{
	struct talk t = { .c = client(HOST, 443, NULL), .step = BIG };
	size_t whole;

	(void)state;
	tls_server_init(&server, CERT_GOOD);
	shake_hands(&t);
	whole = t.to_client;
	t.c->ops->free(t.c);
	for (size_t cut = 1; cut <= whole; cut += cut < whole - 70 ? 97 : 1) {
		t = (struct talk){ .c = client(HOST, 443, NULL), .step = BIG, .cut = cut };
		tls_server_init(&server, CERT_GOOD);
		tls_server_go(&server);
		pump(&t);
		if (cut + 8 < whole)		/* signatures have 70 to 72 bytes */
			assert_false(secured(&t));
		assert_false(t.c->ops->ended(t.c));
		assert_int_equal(t.c->ops->error(t.c, NULL), 0);
		t.c->ops->free(t.c);
	}
}

/* ---- what must not succeed ---- */

static void fails(struct talk *t, int cls, const char *want)
{
	struct err err;

	assert_false(secured(t));
	assert_true(t->c->ops->state(t->c) & ENGINE_CLOSED);
	assert_false(t->c->ops->ended(t->c));
	err_init(&err);
	assert_int_equal(t->c->ops->error(t->c, &err), cls);
	assert_string_equal(err.msg, want);
	assert_int_equal(t->c->ops->error(t->c, NULL), cls);		/* it stays */
	t->c->ops->free(t->c);
}

static const struct {
	enum tls_cert cert;
	const char *host, *want;
} refusals[] = {
	{ CERT_GOOD, "example.test", "the certificate that example.test showed is for another host" },
	{ CERT_GOOD, "api.example.test.evil",
	    "the certificate that api.example.test.evil showed is for another "
	    "host" },
	{ CERT_GOOD, "a.b.wild.example.test",
	    "the certificate that a.b.wild.example.test showed is for another host" },
	{ CERT_STRANGER, HOST,
	    "the certificate of api.example.test is signed by no CA that root.pem knows; for a "
	    "private CA set SSL_CERT_FILE" },
	{ CERT_EXPIRED, HOST, "the certificate of api.example.test has expired (on 20100506)" },
	{ CERT_FUTURE, HOST,
	    "the certificate of api.example.test is not yet valid (from 20900708); is this "
	    "machine's clock right?" },
	{ CERT_WEAK, HOST, "the certificate of api.example.test has a key below 2048 bits" },
};

static void test_certificates(void **state)
{
	static const size_t steps[] = { 1, BIG };

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(refusals); i++) {
		struct talk t = { .c = client(refusals[i / 2].host, 443, NULL), .step = steps[i % 2] };

		tls_server_init(&server, refusals[i / 2].cert);
		tls_server_go(&server);
		pump(&t);
		fails(&t, ERR_DENIED, refusals[i / 2].want);
	}
}

static void test_names(void **state)
{
	static const char *const good[] = { HOST, "API.Example.TEST", "x.wild.example.test" };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct talk t = { .c = client(good[i], 443, NULL), .step = BIG };

		tls_server_init(&server, CERT_GOOD);
		shake_hands(&t);
		t.c->ops->free(t.c);
	}
}

/* A server that knows TLS 1.1 at most finds no suite of its own in what we offer, and says so. */
static void test_old_server(void **state)
{
	struct talk t = { .c = client(HOST, 443, NULL), .step = BIG };

	(void)state;
	tls_server_init(&server, CERT_GOOD);
	br_ssl_engine_set_versions(&server.sc.eng, BR_TLS10, BR_TLS11);
	tls_server_go(&server);
	pump(&t);
	fails(&t, ERR_DENIED, NO_SUITE);
}

static void test_no_suite(void **state)
{
	static const uint16_t old[] = { BR_TLS_RSA_WITH_AES_128_CBC_SHA, BR_TLS_RSA_WITH_AES_128_GCM_SHA256,
		BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 };
	struct talk t = { .c = client(HOST, 443, NULL), .step = BIG };

	(void)state;
	tls_server_init(&server, CERT_RSA);
	br_ssl_engine_set_suites(&server.sc.eng, old, COUNT(old));
	tls_server_go(&server);
	pump(&t);
	fails(&t, ERR_DENIED, NO_SUITE);
}

/* A server of anything else than TLS, and one that only sends an alert. */
static void hear(struct talk *t, const char *bytes, size_t n)
{
	while (n > 0 && (t->c->ops->state(t->c) & ENGINE_NET_IN)) {
		size_t room = 0;
		uint8_t *p = t->c->ops->net_in(t->c, &room);

		room = least(least(room, n), t->step);
		memcpy(p, bytes, room);
		t->c->ops->net_in_ack(t->c, room);
		bytes += room;
		n -= room;
	}
}

static const struct {
	const char *bytes;
	size_t n;
	int cls;
	const char *want;
} noises[] = {
	{ "HTTP/1.1 400 Bad Request\r\n\r\n", 28, ERR_PROTO, HOST " does not answer with TLS" },
	{ "SSH-2.0-OpenSSH_9.6\r\n", 21, ERR_PROTO, HOST " does not answer with TLS" },
	{ "\x15\x03\x03\0\x02\x02\x46", 7, ERR_DENIED, NO_TLS12 },
	{ "\x15\x03\x01\0\x02\x02\x46", 7, ERR_DENIED, NO_TLS12 },
	{ "\x16\x02\0\0\x02\x02\x46", 7, ERR_DENIED, NO_TLS12 },
	/* a ServerHello of TLS 1.1 */
	{ "\x16\x03\x02\0\x2A\x02\0\0\x26\x03\x02" "0123456789abcdef0123456789abcdef\0\xC0\x2B\0", 47,
	    ERR_DENIED, NO_TLS12 },
	{ "\x15\x03\x03\0\x02\x02\x28", 7, ERR_DENIED, NO_SUITE },
	{ "\x15\x03\x03\0\x02\x02\x50", 7, ERR_PROTO, HOST " ended the TLS handshake with alert 80" },
};

static void test_noise(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(noises); i++) {
		for (size_t step = 1; step < 100; step += 98) {
			struct talk t = { .c = client(HOST, 443, NULL), .step = step };
			size_t n;

			t.c->ops->net_out(t.c, &n);
			t.c->ops->net_out_ack(t.c, n);
			hear(&t, noises[i].bytes, noises[i].n);
			fails(&t, noises[i].cls, noises[i].want);
		}
	}
}

/* One bit on the way, at any place of the server's flight. */
static void test_changed_on_the_way(void **state)
{
	(void)state;
	for (size_t at = 5; at < 900; at += 29) {
		struct talk t = { .c = client(HOST, 443, NULL), .step = BIG, .cut = at };
		size_t n;

		tls_server_init(&server, CERT_GOOD);
		tls_server_go(&server);
		pump(&t);
		if (br_ssl_engine_sendrec_buf(&server.sc.eng, &n) != NULL && secured(&t) == false) {
			*br_ssl_engine_sendrec_buf(&server.sc.eng, &n) ^= 4;
			t.cut = 0;
			pump(&t);
			assert_false(secured(&t));
			assert_false(t.c->ops->ended(t.c));
		}
		t.c->ops->free(t.c);
	}
}

static void test_hosts(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "140.82.112.5", "::1" };
	struct engine *e = NULL;
	struct err err;
	char name[300], want[200];

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		err_init(&err);
		assert_int_equal(tls_client_new(anchors, span_of(addresses[i]), 443, NULL, &e, &err),
		    ERR_DENIED);
		snprintf(want, sizeof(want),
		    "%s is an IP address: no certificate can be checked against it; use "
		    "a host name",
		    addresses[i]);
		assert_string_equal(err.msg, want);
		assert_null(e);
	}
	memset(name, 'a', sizeof(name));
	err_init(&err);
	assert_int_equal(tls_client_new(anchors, span_make(name, 256), 443, NULL, &e, &err), ERR_USAGE);
	assert_null(e);
}

/* ---- resumption ---- */

static br_ssl_session_cache_lru lru;
static uint8_t lru_room[8000];

/* Bytes from the server: an abbreviated handshake has no certificate in it. */
static bool resumes(const char *host, uint16_t port, struct tls_cache *cache)
{
	struct talk t = { .c = client(host, port, cache), .step = BIG };

	tls_server_init(&server, CERT_GOOD);
	br_ssl_server_set_cache(&server.sc, &lru.vtable);
	shake_hands(&t);
	upload(&t, 100);
	download(&t, 100);
	t.c->ops->free(t.c);
	return t.to_client < sizeof(cert_good);
}

static void test_resumption(void **state)
{
	struct tls_cache *cache = tls_cache_new();
	char host[64];

	(void)state;
	br_ssl_session_cache_lru_init(&lru, lru_room, sizeof(lru_room));
	assert_false(resumes(HOST, 443, NULL));
	assert_false(resumes(HOST, 443, NULL));		/* without a cache nothing is */
	assert_false(resumes(HOST, 443, cache));
	assert_true(resumes(HOST, 443, cache));
	assert_true(resumes(HOST, 443, cache));
	assert_false(resumes(HOST, 444, cache));	/* another port, another host */
	assert_true(resumes(HOST, 444, cache));
	assert_true(resumes(HOST, 443, cache));
	for (int i = 0; i < 6; i++) {
		snprintf(host, sizeof(host), "h%d.wild.example.test", i);
		assert_false(resumes(host, 443, cache));
	}
	assert_true(resumes(HOST, 443, cache));		/* eight are kept */
	assert_false(resumes("h6.wild.example.test", 443, cache));
	assert_false(resumes(HOST, 443, cache));	/* the first has made room */
	assert_true(resumes("h6.wild.example.test", 443, cache));
	/* a server that has forgotten is no failure */
	br_ssl_session_cache_lru_init(&lru, lru_room, sizeof(lru_room));
	assert_false(resumes(HOST, 443, cache));
	assert_true(resumes(HOST, 443, cache));
	tls_cache_free(cache);
	tls_cache_free(NULL);
}

/* A session is not worth more than the certificate it came with: a failed handshake leaves none. */
static void test_failures_are_not_resumed(void **state)
{
	struct tls_cache *cache = tls_cache_new();

	(void)state;
	br_ssl_session_cache_lru_init(&lru, lru_room, sizeof(lru_room));
	for (int i = 0; i < 2; i++) {
		struct talk t = { .c = client(HOST, 443, cache), .step = BIG };

		tls_server_init(&server, CERT_EXPIRED);
		br_ssl_server_set_cache(&server.sc, &lru.vtable);
		tls_server_go(&server);
		pump(&t);
		fails(&t, ERR_DENIED, refusals[4].want);
	}
	tls_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_goodbye),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_old_server),
		cmocka_unit_test(test_no_suite),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_changed_on_the_way),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_failures_are_not_resumed),
	};

	return cmocka_run_group_tests_name("tls/tls", tests, group_setup, group_teardown);
}
