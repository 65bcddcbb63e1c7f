/*
 * http/url, proxyenv and redirect: the input is "text LF text". A URL that is taken can be written and
 * read again; what a reference resolves to is a URL with no dot segments and no fragment, and resolves
 * to itself.
 *
 * max_len: 9000
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/proxyenv.h"
#include "http/redirect.h"
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const struct url *u)
{
	const char *why = NULL;
	struct url again;
	struct buf b;

	assert(u->host.n > 0 && u->host.n <= URL_HOST_MAX && u->port > 0);
	assert(u->target.n > 0 && u->target.p[0] == '/');
	for (size_t i = 0; i < u->target.n; i++)
		assert(u->target.p[i] > ' ' && u->target.p[i] < 0x7f && u->target.p[i] != '#');
	assert(!url_is_loopback(u) || url_is_ip(u) || span_ifind(u->host, "localhost") >= 0);
	buf_init(&b, BUF_MAX_ANY);
	url_origin(u, &b);
	buf_addspan(&b, u->target);
	if (buf_len(&b) <= URL_MAX) {
		assert(url_parse(buf_span(&b), &again, &why) == 0);
		assert(url_same_origin(u, &again) && span_same(u->target, again.target) && u->v6 == again.v6);
	}
	buf_free(&b);
}

static void check_resolved(const struct url *base, struct span ref)
{
	const char *why = NULL;
	struct buf out, again;
	struct url u;

	buf_init(&out, BUF_MAX_ANY);
	buf_init(&again, BUF_MAX_ANY);
	if (url_resolve(base, ref, &out, &why) == 0) {
		assert(url_parse(buf_span(&out), &u, &why) == 0);
		check_url(&u);
		assert(span_chr(buf_span(&out), '#') < 0);
		assert(url_resolve(base, buf_span(&out), &again, &why) == 0);
		/* a query alone keeps the dots of the base's path */
		if (span_find(base->target, "/.") < 0)
			assert(span_same(buf_span(&again), buf_span(&out)));
	} else {
		assert(why && buf_len(&out) == 0);
	}
	buf_free(&out);
	buf_free(&again);
}

static void check_redirect(const struct url *from, struct span location)
{
	struct http_redirect r;
	const char *why = NULL;
	struct buf next;
	struct url u;

	buf_init(&next, BUF_MAX_ANY);
	if (http_redirect(302, "POST", from, location, &next, &r, &why) == 0) {
		assert(url_parse(buf_span(&next), &u, &why) == 0);
		assert(!from->tls || u.tls);
		assert(r.drop_auth == !url_same_origin(from, &u));
	}
	buf_free(&next);
}

static void check_proxy(struct span a, struct span b)
{
	const char *why = NULL;
	struct proxyenv p;

	proxyenv_bypass(a, b, 443);
	if (proxyenv_parse(a, &p, &why) == 0)
		assert(p.host.n > 0 && p.port > 0 && span_chr(p.host, '\n') < 0);
}

static void check_escapes(struct span s)
{
	uint8_t *back = malloc(s.n ? s.n : 1);
	struct buf b;

	buf_init(&b, BUF_MAX_ANY);
	url_encode(&b, s);
	assert(url_decode(back, s.n, buf_span(&b)) == (ssize_t)s.n);
	assert(span_same(span_make(back, s.n), s));
	assert(url_decode(back, s.n, s) <= (ssize_t)s.n);
	buf_free(&b);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_make(data, size), first, second;
	const char *why = NULL;
	struct url u, base;

	if (!span_cut(&rest, '\n', &first))
		return 0;
	second = rest.p ? rest : span_sub(first, 0, 0);
	if (url_parse(first, &u, &why) == 0) {
		check_url(&u);
		check_resolved(&u, second);
		check_redirect(&u, second);
	}
	assert(url_parse(span_of("http://a/b/c/d;p?q"), &base, &why) == 0);
	check_resolved(&base, first);
	check_proxy(first, second);
	check_escapes(first);
	return 0;
}
