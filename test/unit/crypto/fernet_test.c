#include <stdlib.h>
#include <string.h>

#include "../base/cm.h"
#include "../guard.h"
#include "base/b64.h"
#include "base/err.h"
#include "crypto/fernet.h"

/* The specification's vectors: generate.json, verify.json and invalid.json. */
#define SECRET "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define NOW 499162800
#define HELLO \
	"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="

static const struct {
	const char *token;
	bool opens;		/* what is wrong is its time, which is the caller's to judge */
	uint64_t time_s;
} others[] = {
	/* incorrect mac */
	{ "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-"
	  "szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
	    false, 0 },
	/* too short */
	{ "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", false, 0 },
	/* invalid base64 */
	{ "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-"
	  "p1YsUD2Q==",
	    false, 0 },
	/* payload size not multiple of block size */
	{ "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
	    false, 0 },
	/* payload padding error */
	{ "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-"
	  "JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
	    false, 0 },
	/* far-future TS (unacceptable clock skew) */
	{ "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_"
	  "qXQcw==",
	    true, NOW + 36001 },
	/* expired TTL */
	{ "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-"
	  "p1YsUD2Q==",
	    true, NOW + 1 },
	/* incorrect IV (causes padding error) */
	{ "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-"
	  "fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
	    false, 0 }
};

typedef void (*init_fn)(struct fernet *, const uint8_t[static FERNET_KEY_LEN]);

static const init_fn inits[] = { fernet_init, fernet_init_portable };

static void begin(struct fernet *f, init_fn init)
{
	uint8_t key[FERNET_KEY_LEN];

	assert_int_equal(b64url_decode(key, sizeof(key), span_of(SECRET)), sizeof(key));
	init(f, key);
}

static int open_text(const struct fernet *f, struct span token, struct buf *out, uint64_t *time_s)
{
	return fernet_open(f, span_make(guard_put(token.p, token.n), token.n), out, time_s);
}

static void test_spec(void **state)
{
	uint8_t iv[FERNET_IV_LEN];
	struct fernet f;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(iv); i++)
		iv[i] = (uint8_t)i;
	for (size_t k = 0; k < COUNT(inits); k++) {
		uint64_t time_s = 0;

		begin(&f, inits[k]);
		buf_init(&b, 1000);
		assert_int_equal(fernet_seal(&f, iv, NOW, span_of("hello"), &b), 0);
		assert_string_equal(buf_cstr(&b), HELLO);
		buf_clear(&b);
		assert_int_equal(open_text(&f, span_of(HELLO), &b, &time_s), 0);
		assert_string_equal(buf_cstr(&b), "hello");
		assert_int_equal(time_s, NOW);
		for (size_t i = 0; i < COUNT(others); i++) {
			buf_clear(&b);
			assert_int_equal(open_text(&f, span_of(others[i].token), &b, &time_s),
			    others[i].opens ? 0 : ERR_DAMAGED);
			assert_int_equal(buf_len(&b), 0);	/* those that open hold nothing */
			if (others[i].opens)
				assert_int_equal(time_s, others[i].time_s);
		}
		buf_free(&b);
		fernet_wipe(&f);
	}
}

/* Each size, sealed by one kind of AES and opened by the other; no changed letter is taken. */
static void test_sizes(void **state)
{
	static const uint8_t iv[FERNET_IV_LEN] = { 9 };
	char text[80];
	struct fernet f[2];
	struct buf token, plain;
	uint64_t time_s;

	(void)state;
	memset(text, 'x', sizeof(text));
	begin(&f[0], fernet_init);
	begin(&f[1], fernet_init_portable);
	buf_init(&token, 1000);
	buf_init(&plain, 1000);
	for (size_t n = 0; n <= sizeof(text); n++) {
		buf_clear(&token);
		buf_clear(&plain);
		assert_int_equal(fernet_seal(&f[n % 2], iv, n, span_make(text, n), &token), 0);
		assert_int_equal(buf_len(&token), FERNET_LETTERS(n));
		assert_int_equal(open_text(&f[1 - n % 2], buf_span(&token), &plain, &time_s), 0);
		assert_true(span_same(buf_span(&plain), span_make(text, n)) && time_s == n);
	}
	buf_clear(&plain);
	for (size_t i = 0; i < buf_len(&token); i++) {
		uint8_t was = buf_data(&token)[i];

		buf_data(&token)[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(open_text(&f[0], buf_span(&token), &plain, &time_s), ERR_DAMAGED);
		buf_data(&token)[i] = was;
		assert_int_equal(open_text(&f[0], span_sub(buf_span(&token), 0, i), &plain, &time_s),
		    ERR_DAMAGED);
	}
	assert_int_equal(buf_len(&plain), 0);
	buf_free(&token);
	buf_free(&plain);
}

static void test_room(void **state)
{
	static const uint8_t iv[FERNET_IV_LEN];
	struct fernet f;
	struct buf b;
	uint64_t time_s;

	(void)state;
	begin(&f, fernet_init);
	buf_init(&b, FERNET_LETTERS(5) - 1);
	assert_int_equal(fernet_seal(&f, iv, 0, span_of("hello"), &b), ERR_LIMIT);
	buf_free(&b);
	buf_init(&b, 4);
	assert_int_equal(open_text(&f, span_of(HELLO), &b, &time_s), ERR_LIMIT);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("crypto/fernet", tests, NULL, NULL);
}
