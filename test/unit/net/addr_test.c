#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/cm.h"
#include "../guard.h"
#include "net/addr.h"

static bool parse(struct addr *a, const char *text, uint16_t port)
{
	return addr_parse(a, span_make(guard_put(text, strlen(text)), strlen(text)), port);
}

static const struct {
	const char *literal;
	uint16_t port;
	const char *text;
	bool v6, loopback;
} good[] = {
	{ "127.0.0.1", 80, "127.0.0.1:80", false, true },
	{ "127.255.255.254", 65535, "127.255.255.254:65535", false, true },
	{ "128.0.0.1", 1, "128.0.0.1:1", false, false },
	{ "126.255.255.255", 0, "126.255.255.255:0", false, false },
	{ "0.0.0.0", 443, "0.0.0.0:443", false, false },
	{ "::1", 443, "[::1]:443", true, true },
	{ "::", 443, "[::]:443", true, false },
	{ "0:0:0:0:0:0:0:1", 9, "[::1]:9", true, true },
	{ "2001:DB8::a", 9014, "[2001:db8::a]:9014", true, false },
	{ "::ffff:127.0.0.1", 1, "[::ffff:127.0.0.1]:1", true, false },
	/* the longest */
	{ "1111:2222:3333:4444:5555:6666:7777:8888", 65535,
	    "[1111:2222:3333:4444:5555:6666:7777:8888]:65535", true, false },
	{ "0000:0000:0000:0000:0000:ffff:255.255.255.255", 65535, "[::ffff:255.255.255.255]:65535", true,
	    false },
};

static void test_literals(void **state)
{
	char text[ADDR_TEXT_LEN];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		memset(&a, 0xEE, sizeof(a));
		assert_true(parse(&a, good[i].literal, good[i].port));
		addr_text(&a, text);
		assert_string_equal(text, good[i].text);
		assert_int_equal(addr_is_v6(&a), good[i].v6);
		assert_int_equal(addr_is_loopback(&a), good[i].loopback);
		assert_int_equal(a.len,
		    good[i].v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
	}
}

static void test_no_literals(void **state)
{
	static const char *const bad[] = { "", "localhost", "127.1", "127.0.0.1.", "127.0.0.256",
		"0x7f.0.0.1", "127.0.0.1:80", "[::1]", "::1%lo", "fe80::1%1", ":::", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "::g", " 127.0.0.1", "127.0.0.1 ", "2130706433",
		"0000:0000:0000:0000:0000:ffff:255.255.255.2555",
		"00000000000000000000000000000000000000000000000000000000000000000000000000000001" };
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (parse(&a, bad[i], 80))
			fail_msg("'%s' is taken for an address", bad[i]);
	assert_false(addr_parse(&a, span_make("127.0.0.1\0", 10), 80));
	assert_true(addr_parse(&a, span_make("127.0.0.10", 9), 80));	/* no byte beyond the span */
	assert_int_equal(((struct sockaddr_in *)(void *)&a.ss)->sin_addr.s_addr, htonl(0x7F000001));
	assert_int_equal(((struct sockaddr_in *)(void *)&a.ss)->sin_port, htons(80));
}

static void test_bytes(void **state)
{
	static const uint8_t v4[4] = { 10, 1, 2, 3 }, v6[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 9 };
	struct addr a;
	char text[ADDR_TEXT_LEN];
	size_t n;

	(void)state;
	assert_true(addr_of_ip(&a, guard_put(v4, 4), 4, 9000));
	addr_text(&a, text);
	assert_string_equal(text, "10.1.2.3:9000");
	assert_memory_equal(addr_ip(&a, &n), v4, 4);
	assert_int_equal(n, 4);
	assert_true(addr_of_ip(&a, guard_put(v6, 16), 16, 1));
	addr_text(&a, text);
	assert_string_equal(text, "[2001:db8::9]:1");
	assert_memory_equal(addr_ip(&a, &n), v6, 16);
	assert_int_equal(n, 16);
	assert_false(addr_of_ip(&a, v6, 8, 1));
}

/* A listener on both families sees an IPv4 peer as itself. */
static void test_both_ends(void **state)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), off = 0, client, served;
	struct addr peer, self;
	char text[ADDR_TEXT_LEN];

	(void)state;
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0)
		skip();
	assert_int_equal(listen(fd, 1), 0);
	assert_true(addr_of_self(&self, fd));
	assert_false(addr_of_peer(&peer, fd));
	to.sin_port = htons(addr_port(&self));
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	served = accept(fd, NULL, NULL);
	assert_true(addr_of_peer(&peer, served) && addr_of_self(&self, client));
	assert_false(addr_is_v6(&peer));
	assert_true(addr_is_loopback(&peer));
	assert_int_equal(addr_port(&peer), addr_port(&self));
	addr_text(&self, text);
	assert_memory_equal(text, "127.0.0.1:", 10);
	close(fd);
	close(client);
	close(served);
	assert_false(addr_of_peer(&peer, -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_no_literals),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_both_ends),
	};

	return cmocka_run_group_tests_name("net/addr", tests, NULL, NULL);
}
