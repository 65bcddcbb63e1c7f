#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_no_literals),
	};

	return cmocka_run_group_tests_name("net/addr", tests, NULL, NULL);
}
