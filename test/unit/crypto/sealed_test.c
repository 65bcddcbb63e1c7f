#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/sealed.h"

#define SECRET "an invented secret of the tests, long enough"
#define NAME "ghoard-api-77"
#define WHOLE (SEALED_RECORD + 28)

static const size_t sizes[] = { 0, 1, 100, SEALED_RECORD - 1, SEALED_RECORD, SEALED_RECORD + 1,
	2 * SEALED_RECORD, 3 * SEALED_RECORD + 7 };

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + i / 256);
}

static void seal(struct buf *out, const char *secret, const char *name, size_t n, size_t step)
{
	uint8_t *data = malloc(n + 1);
	struct sealed s;

	fill(data, n);
	buf_init(out, BUF_MAX_ANY);
	assert_int_equal(sealed_init(&s, span_of(secret), span_of(name), NULL), 0);
	assert_int_equal(sealed_begin(&s, out, NULL), 0);
	for (size_t at = 0; at < n; at += step)
		assert_int_equal(sealed_add(&s, data + at, n - at < step ? n - at : step, out, NULL), 0);
	assert_int_equal(sealed_end(&s, out, NULL), 0);
	sealed_wipe(&s);
	free(data);
}

/* What opens of it, in pieces of `step`; the class. */
static int unseal(struct span in, const char *secret, const char *name, size_t step, struct buf *out)
{
	struct sealed s;
	struct err err;
	int rc = 0;

	err_init(&err);
	buf_init(out, BUF_MAX_ANY);
	assert_int_equal(sealed_init(&s, span_of(secret), span_of(name), NULL), 0);
	for (size_t at = 0; at < in.n && rc == 0; at += step) {
		size_t n = in.n - at < step ? in.n - at : step;

		rc = sealed_open(&s, guard_put(in.p + at, n), n, out, &err);
	}
	if (rc == 0)
		rc = sealed_open_end(&s, out, &err);
	else	/* what failed stays so */
		assert_int_equal(sealed_open_end(&s, out, &err), rc);
	assert_int_equal(err.cls, rc);
	sealed_wipe(&s);
	return rc;
}

static void is_bad(struct span in)
{
	struct buf out;

	assert_int_equal(unseal(in, SECRET, NAME, 50000, &out), ERR_DAMAGED);
	buf_free(&out);
}

static void test_all_sizes(void **state)
{
	static const size_t steps[] = { 1 << 20, SEALED_RECORD, 65563, 999 };
	uint8_t *data = malloc(4 * SEALED_RECORD);

	(void)state;
	fill(data, 4 * SEALED_RECORD);
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (size_t k = 0; k < COUNT(steps); k++) {
			size_t records = sizes[i] == 0 ? 1 : (sizes[i] + SEALED_RECORD - 1) / SEALED_RECORD;
			struct buf in, out;

			seal(&in, SECRET, NAME, sizes[i], steps[k]);
			assert_int_equal(buf_len(&in), SEALED_HEAD + sizes[i] + records * 28);
			assert_int_equal(unseal(buf_span(&in), SECRET, NAME, steps[COUNT(steps) - 1 - k],
					     &out),
			    0);
			assert_int_equal(buf_len(&out), sizes[i]);
			if (sizes[i] > 0)
				assert_memory_equal(buf_data(&out), data, sizes[i]);
			buf_free(&in);
			buf_free(&out);
		}
	free(data);
}

/* The form, put together by hand from AES-GCM and HKDF. */
static void test_form(void **state)
{
	uint8_t key[32], aad[16 + 9 + sizeof(NAME) - 1], *p;
	struct aead a;
	struct buf in;

	(void)state;
	seal(&in, SECRET, NAME, SEALED_RECORD + 5, 1000);
	p = buf_data(&in);
	assert_memory_equal(p, "GHSEAL\0\1", 8);
	kdf_hkdf(key, 32, span_of(SECRET), span_of(""), "ghoard persist 1");
	aead_init(&a, key);
	memset(aad, 0, sizeof(aad));
	memcpy(aad, p + 8, 16);
	memcpy(aad + 25, NAME, sizeof(NAME) - 1);
	p += SEALED_HEAD;
	assert_int_equal(aead_open(&a, p, span_make(aad, sizeof(aad)), p + 12, SEALED_RECORD,
			     p + 12 + SEALED_RECORD), 0);
	p += WHOLE;
	aad[23] = 1;			/* the second, and the last */
	aad[24] = 1;
	assert_int_equal(aead_open(&a, p, span_make(aad, sizeof(aad)), p + 12, 5, p + 17), 0);
	buf_free(&in);
}

static void test_another_secret_or_name(void **state)
{
	struct buf in, out;

	(void)state;
	seal(&in, SECRET, NAME, 100, 100);
	assert_int_equal(unseal(buf_span(&in), SECRET "!", NAME, 999, &out), ERR_DAMAGED);
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(unseal(buf_span(&in), SECRET, "ghoard-api-78", 999, &out), ERR_DAMAGED);
	assert_int_equal(unseal(buf_span(&in), SECRET, NAME "0", 999, &out), ERR_DAMAGED);
	buf_free(&in);
}

static void test_every_cut(void **state)
{
	struct buf in;

	(void)state;
	seal(&in, SECRET, NAME, 90, 90);
	for (size_t n = 0; n < buf_len(&in); n++)
		is_bad(span_make(buf_data(&in), n));
	buf_free(&in);
	seal(&in, SECRET, NAME, 2 * SEALED_RECORD, SEALED_RECORD);
	is_bad(span_make(buf_data(&in), SEALED_HEAD + WHOLE));		/* at a record's end */
	is_bad(span_make(buf_data(&in), SEALED_HEAD + WHOLE + 28));
	is_bad(span_make(buf_data(&in), SEALED_HEAD));
	buf_free(&in);
}

static void test_every_flip(void **state)
{
	struct buf in;

	(void)state;
	seal(&in, SECRET, NAME, 40, 40);
	for (size_t i = 0; i < buf_len(&in); i++) {
		buf_data(&in)[i] ^= 0x20;
		is_bad(buf_span(&in));
		buf_data(&in)[i] ^= 0x20;
	}
	buf_addc(&in, 'x');
	is_bad(buf_span(&in));
	buf_free(&in);
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static void test_records_keep_their_places(void **state)
{
	struct buf in, other;
	uint8_t *p, *q;

	(void)state;
	seal(&in, SECRET, NAME, 3 * SEALED_RECORD, SEALED_RECORD);
	seal(&other, SECRET, NAME, 3 * SEALED_RECORD, SEALED_RECORD);
	p = buf_data(&in) + SEALED_HEAD;
	q = buf_data(&other) + SEALED_HEAD;
	swap(p, p + WHOLE, WHOLE);				/* reordered */
	is_bad(buf_span(&in));
	swap(p, p + WHOLE, WHOLE);
	swap(p + WHOLE, q + WHOLE, WHOLE);			/* of another archive of the same name */
	is_bad(buf_span(&in));
	swap(p + WHOLE, q + WHOLE, WHOLE);
	swap(p + 2 * WHOLE, q + 2 * WHOLE, WHOLE);		/* and its last */
	is_bad(buf_span(&in));
	swap(p + 2 * WHOLE, q + 2 * WHOLE, WHOLE);
	memcpy(p + WHOLE, p + 2 * WHOLE, WHOLE);		/* the last one early: one record left out */
	is_bad(span_make(buf_data(&in), SEALED_HEAD + 2 * WHOLE));
	buf_free(&in);
	buf_free(&other);
}

static void test_what_is_refused(void **state)
{
	char name[SEALED_NAME_MAX + 1];
	struct sealed s;
	struct buf out;
	struct err err;

	(void)state;
	memset(name, 'n', sizeof(name));
	err_init(&err);
	assert_int_equal(sealed_init(&s, span_of("31 characters are one too few.."), span_of(NAME), &err),
	    ERR_USAGE);
	assert_non_null(strstr(err.msg, "openssl rand"));
	buf_init(&out, 1000);
	assert_int_equal(sealed_add(&s, "x", 1, &out, NULL), ERR_USAGE);
	assert_int_equal(buf_len(&out), 0);
	sealed_wipe(&s);
	assert_int_equal(sealed_init(&s, span_of(SECRET), span_of(""), NULL), ERR_USAGE);
	assert_int_equal(sealed_init(&s, span_of(SECRET), span_make(name, sizeof(name)), NULL), ERR_USAGE);
	assert_int_equal(sealed_init(&s, span_of(SECRET), span_make(name, SEALED_NAME_MAX), NULL), 0);
	sealed_wipe(&s);
}

/* No two archives are alike, and none shows what is in it. */
static void test_archives_differ(void **state)
{
	struct buf a, b;

	(void)state;
	seal(&a, SECRET, NAME, 50, 50);
	seal(&b, SECRET, NAME, 50, 50);
	assert_memory_not_equal(buf_data(&a) + 8, buf_data(&b) + 8, 16);
	assert_memory_not_equal(buf_data(&a) + SEALED_HEAD, buf_data(&b) + SEALED_HEAD, 12);
	assert_memory_not_equal(buf_data(&a) + SEALED_HEAD + 12, buf_data(&b) + SEALED_HEAD + 12, 50);
	buf_free(&a);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_another_secret_or_name),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_records_keep_their_places),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_archives_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
