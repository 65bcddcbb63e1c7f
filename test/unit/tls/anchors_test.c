#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/b64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "tls/anchors.h"
#include "tls/anchors_bearssl.h"

/* Made once with Python's cryptography: RSA 2048, P-256, Ed25519, all of them CAs. */
#define RSA \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIICuDCCAaCgAwIBAgIBATANBgkqhkiG9w0BAQsFADAVMRMwEQYDVQQDDApnaG9h\n" \
	"cmQgcnNhMB4XDTIwMDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowFTETMBEGA1UE\n" \
	"AwwKZ2hvYXJkIHJzYTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBALgL\n" \
	"gQ+oqdFDspb4c6oSSjPTbOjoIbOrUDjuDBWcj9CETAxb5ExYwIqrLvYeV+3Hxqq3\n" \
	"3JNvQKZYHqizmFhPawdnHHs14oN5p4WwQZw43LChyLlzYO5fOmXdtmBDb2c+wOAC\n" \
	"u5nFe6r3Dnv9A+Sa/h8jatG3MZ8RTZxy/EYD+8Eo5WYQfgKQi3SfWA5+l0XDO1El\n" \
	"NjZgjmr5Gluv9as6hubIu6aj8JF6819IjedpebPEzPX+KsaBXiWychduUjpVxtK5\n" \
	"O9s2O0X7OldJe83B2WjV3nOmBPvdYFVHg0+VCBL2bhRjw4d8YfQJjhQu9Xkv/Doq\n" \
	"E53F4d323fWkdvS9fGkCAwEAAaMTMBEwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG\n" \
	"9w0BAQsFAAOCAQEAaqcPtJ1YN64/yw+2jxMRAuVt42kxrSaCoVg7JmRhaLxHvj38\n" \
	"PaowLobwf6KhGpcZfZegKghsUzEKgruSlL/lDWiboBDoiS4307kx5GDpM/cFnl/o\n" \
	"+jNJ2DydTdVDdTazFqNl9VDZtK0FDeauE/EBioULrNKTI0GwPBlXXFM8ItfnYUKn\n" \
	"48LlvqVLosupOWV2o1ueBM9Ua1YMrQybnLEMNuFYwXOgX3LPCQtkry7CMvg+blET\n" \
	"/2WmT7DBII9IDDhrLnKz/AlqrZ0ek9LwK9KNzRhAO2P8tR5+dCGD5H7PNOm4bKhT\n" \
	"TePrdQP9OAZ/GabPYTS0qWyG24X4s6mxGODVEg==\n" \
	"-----END CERTIFICATE-----\n"
#define EC \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBKDCB0KADAgECAgEBMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCWdob2FyZCBl\n" \
	"YzAeFw0yMDAxMDEwMDAwMDBaFw00OTAxMDEwMDAwMDBaMBQxEjAQBgNVBAMMCWdo\n" \
	"b2FyZCBlYzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBAiEaBrQ9k4BZtnrI01\n" \
	"3eZ8f6lG4q9519hDZxaaHd7P7LGG5zIXCocBa4dfqXJ8/AP2/HbB7lT2Kcuh3/K7\n" \
	"7JWjEzARMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgPU3T+qbT\n" \
	"iKTDS3xIgu+MWPE2bb3nn6xcIN1BYx1XfE0CIF52ViR7qNUkODuZZpT0U9y5+TLc\n" \
	"9vsGL6qUiwH84UaM\n" \
	"-----END CERTIFICATE-----\n"
#define ED \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIHpMIGcoAMCAQICAQEwBQYDK2VwMBQxEjAQBgNVBAMMCWdob2FyZCBlZDAeFw0y\n" \
	"MDAxMDEwMDAwMDBaFw00OTAxMDEwMDAwMDBaMBQxEjAQBgNVBAMMCWdob2FyZCBl\n" \
	"ZDAqMAUGAytlcAMhAONJGqTyQPp4JLzfo3F/g4Fk6Wkr2HHVc9mYxy69vKDdoxMw\n" \
	"ETAPBgNVHRMBAf8EBTADAQH/MAUGAytlcANBAAtosNqB/KcQEQ0vmzaf7tvphmPZ\n" \
	"k5+MrPl5s2tq58bkyQsdlDo9JRDIjGBV69/3ZBgH8baJU2IXzZboGl0iUgw=\n" \
	"-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

static void put(const char *name, const char *text)
{
	assert_int_equal(file_write(AT_FDCWD, name, 0600, false, text, strlen(text), NULL), 0);
}

/* Each test in an empty folder. */
static int setup(void **state)
{
	char dir[] = "anchors.XXXXXX";

	(void)state;
	return mkdtemp(dir) != NULL ? chdir(dir) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return chdir("..");
}

static struct anchors *load(const char *file, const char *dir, unsigned step, unsigned *steps)
{
	struct anchors *a = NULL;
	struct err e;
	int rc;

	err_init(&e);
	assert_int_equal(anchors_new(file, dir, &a, &e), 0);
	assert_non_null(a);
	*steps = 0;
	do
		++*steps;
	while ((rc = anchors_step(a, step, &e)) == 1);
	assert_int_equal(rc, 0);
	return a;
}

static void expect(const char *file, const char *dir, size_t count)
{
	unsigned steps;
	struct anchors *a = load(file, dir, ANCHORS_SLICE, &steps);

	assert_int_equal(anchors_count(a), count);
	anchors_free(a);
}

static void test_file(void **state)
{
	const br_x509_trust_anchor *list;
	unsigned steps;
	struct anchors *a;
	size_t n;

	(void)state;
	put("ca.pem", "# comment\n" RSA "\n" EC);
	a = load("ca.pem", NULL, ANCHORS_SLICE, &steps);
	assert_string_equal(anchors_source(a), "ca.pem");
	list = anchors_list(a, &n);
	assert_int_equal(n, 2);
	assert_int_equal(anchors_count(a), 2);
	assert_int_equal(list[0].pkey.key_type, BR_KEYTYPE_RSA);
	assert_int_equal(list[0].pkey.key.rsa.nlen, 256);
	assert_int_equal(list[0].pkey.key.rsa.n[0], 0xB8);
	assert_int_equal(list[0].pkey.key.rsa.elen, 3);
	assert_int_equal(list[1].pkey.key_type, BR_KEYTYPE_EC);
	assert_int_equal(list[1].pkey.key.ec.curve, BR_EC_secp256r1);
	assert_int_equal(list[1].pkey.key.ec.qlen, 65);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].flags, BR_X509_TA_CA);
		assert_non_null(memmem(list[i].dn.data, list[i].dn.len, i == 0 ? "ghoard rsa" : "ghoard ec",
		    9));
	}
	anchors_free(a);
	anchors_free(NULL);
}

static void to_crlf(char text[static 4096])
{
	char *copy = strdup(text), *to = text;

	for (const char *p = copy; *p != '\0'; p++) {
		if (*p == '\n')
			*to++ = '\r';
		*to++ = *p;
	}
	*to = '\0';
	free(copy);
}

/* Keys that cannot be used, other objects, damage and a missing last newline: what is good is taken. */
static void test_mixed(void **state)
{
	char text[4096];

	(void)state;
	put("ca.pem", ED RSA KEY ED EC);
	expect("ca.pem", NULL, 2);
	put("ca.pem", EC RSA EC EC RSA);
	expect("ca.pem", NULL, 2);
	put("ca.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n" EC);
	expect("ca.pem", NULL, 1);
	put("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" EC);
	expect("ca.pem", NULL, 1);
	snprintf(text, sizeof(text), "%s", RSA EC);
	text[strlen(text) - 1] = '\0';
	put("ca.pem", text);
	expect("ca.pem", NULL, 2);
	to_crlf(text);
	put("ca.pem", text);
	expect("ca.pem", NULL, 2);
}

/* EC with another signature, which nobody checks on an anchor: number i. */
static void add_variant(struct buf *b, unsigned i)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
	uint8_t der[1024];
	struct span rest = span_of(EC + sizeof(begin) - 1), line;
	struct buf text;
	ssize_t n;

	buf_init(&text, 4096);
	while (span_cut(&rest, '\n', &line) && !span_starts(line, "-----"))
		buf_addspan(&text, line);
	n = b64_decode(der, sizeof(der), buf_span(&text));
	assert_true(n > 256);
	der[n - 1] = (uint8_t)i;
	der[n - 2] = (uint8_t)(i >> 8);
	buf_clear(&text);
	b64_encode(&text, der, (size_t)n);
	buf_adds(b, begin);
	for (size_t at = 0; at < buf_len(&text); at += 64) {
		buf_addspan(b, span_sub(buf_span(&text), at, 64));
		buf_addc(b, '\n');
	}
	buf_adds(b, "-----END CERTIFICATE-----\n");
	buf_free(&text);
}

#define MANY 330		/* more than any system has */

static void test_slices(void **state)
{
	const br_x509_trust_anchor *list;
	unsigned steps;
	struct anchors *a;
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < MANY; i++)
		add_variant(&b, i);
	put("ca.pem", buf_cstr(&b));
	buf_free(&b);
	a = load("ca.pem", NULL, ANCHORS_SLICE, &steps);
	list = anchors_list(a, &n);
	assert_int_equal(n, MANY);
	assert_in_range(steps, MANY / ANCHORS_SLICE, MANY / ANCHORS_SLICE + 2);
	for (size_t i = 1; i < n; i++)
		assert_memory_equal(list[i].pkey.key.ec.q, list[0].pkey.key.ec.q, 65);
	anchors_free(a);
	/* given up half way */
	assert_int_equal(anchors_new("ca.pem", NULL, &a, NULL), 0);
	assert_int_equal(anchors_step(a, 5, NULL), 1);
	assert_int_equal(anchors_count(a), 5);
	assert_int_equal(anchors_step(a, 2, NULL), 1);
	assert_int_equal(anchors_count(a), 7);
	anchors_free(a);
}

static void test_folders(void **state)
{
	unsigned steps;
	struct anchors *a;

	(void)state;
	assert_true(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0 && mkdir("b/sub", 0700) == 0);
	put("a/rsa.pem", RSA);
	put("b/ec.crt", EC);
	put("b/.hidden", EC);
	put("b/unreadable", "nothing of use\n");
	assert_int_equal(symlink("none", "b/dangling"), 0);
	expect(NULL, "a", 1);
	expect(NULL, "a:b", 2);
	expect(NULL, "none::b:", 1);
	/* c_rehash: the same once more under its hash; a link out of the folder is a certificate of its own
	 */
	assert_int_equal(symlink("rsa.pem", "a/0a1b2c3d.0"), 0);
	assert_int_equal(symlink("../b/ec.crt", "a/0a1b2c3e.0"), 0);
	expect(NULL, "a", 2);
	put("ca.pem", EC EC);
	expect("ca.pem", "a", 2);		/* each counts once */
	a = load(NULL, "a:b", ANCHORS_SLICE, &steps);
	assert_string_equal(anchors_source(a), "a:b");
	anchors_free(a);
}

static void expect_none(const char *file, const char *dir, const char *words)
{
	struct anchors *a = NULL;
	struct err e;
	int rc;

	err_init(&e);
	rc = anchors_new(file, dir, &a, &e);
	while (rc == 0 && (rc = anchors_step(a, ANCHORS_SLICE, &e)) == 1)
		rc = 0;
	assert_int_equal(rc, ERR_DENIED);
	assert_non_null(strstr(e.msg, "SSL_CERT_FILE"));
	assert_non_null(strstr(e.msg, words));
	anchors_free(a);
}

/* What is set counts, and then nothing else: no way to be without anchors leads to the system's, or to none.
 */
static void test_none(void **state)
{
	struct anchors *a = NULL;

	(void)state;
	assert_int_equal(mkdir("empty", 0700), 0);
	put("empty.pem", "");
	put("ed.pem", ED);
	put("key.pem", KEY);
	expect_none("missing.pem", NULL, "missing.pem");
	expect_none("empty", NULL, "empty");
	expect_none("empty.pem", NULL, "empty.pem");
	expect_none("ed.pem", NULL, "ed.pem");
	expect_none("key.pem", NULL, "key.pem");
	expect_none("missing.pem", "empty", "missing.pem");
	expect_none(NULL, "empty", "no CA bundle was found");
	expect_none(NULL, "none", "no CA bundle was found");
	expect_none(NULL, "", "");
	/* who wants no sentence */
	assert_int_equal(anchors_new("missing.pem", NULL, &a, NULL), ERR_DENIED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),
		TEST(test_mixed),
		TEST(test_slices),
		TEST(test_folders),
		TEST(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
