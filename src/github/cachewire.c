#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/b64.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/json.h"
#include "base/wipe.h"
#include "github/cachewire.h"
#include "http/url.h"

#define SERVICE "twirp/github.actions.results.api.v1.CacheService/"
#define PAYLOAD_MAX 4096

const char *cachewire_path(enum cachewire_call call)
{
	static const char *const paths[] = { SERVICE "CreateCacheEntry", SERVICE "FinalizeCacheEntryUpload",
		SERVICE "GetCacheEntryDownloadURL" };

	return paths[call];
}

/* ---- requests ---- */

static bool is_key(struct span key)
{
	return key.n > 0 && key.n <= CACHEWIRE_KEY_MAX && span_chr(key, ',') < 0;
}

int cachewire_body(enum cachewire_call call, const struct cachewire_ask *a, struct buf *b, struct err *err)
{
	bool good = is_key(a->key) && a->nrestore < CACHEWIRE_KEYS_MAX;

	for (size_t i = 0; i < a->nrestore; i++)
		good = good && is_key(a->restore[i]);
	if (!good)
		return err_set(err, ERR_USAGE,
		    "a cache key has 1 to %d characters and no comma, and at most %d are looked for at once",
		    CACHEWIRE_KEY_MAX, CACHEWIRE_KEYS_MAX);
	buf_adds(b, "{\"key\":");
	json_quote(b, a->key, false);
	if (call == CACHEWIRE_FINALIZE)
		buf_addf(b, ",\"size_bytes\":\"%" PRIu64 "\"", a->size);
	for (size_t i = 0; i < a->nrestore; i++) {
		buf_adds(b, i == 0 ? ",\"restore_keys\":[" : ",");
		json_quote(b, a->restore[i], false);
	}
	buf_adds(b, a->nrestore > 0 ? "],\"version\":" : ",\"version\":");
	json_quote(b, a->version, false);
	buf_addc(b, '}');
	return b->failed ? err_set(err, ERR_INTERNAL, "no memory for a request") : 0;
}

/* ---- answers ---- */

static bool member(struct span json, const char *name, const char *camel, struct span *raw)
{
	return jscan_member(json, name, raw) == 1 || jscan_member(json, camel, raw) == 1;
}

static bool is_url(struct buf *b)
{
	struct url u;
	const char *why;

	/* a signature is worth a token: not in clear over a network */
	return url_parse(buf_span(b), &u, &why) == 0 && (u.tls || url_is_loopback(&u));
}

int cachewire_read(enum cachewire_call call, struct span json, struct cachewire_answer *a, struct err *err)
{
	struct span raw;

	memset(a, 0, sizeof(*a));
	buf_init(&a->url, URL_MAX);
	if (!jscan_valid(json) || span_trim(json).p[0] != '{')
		return err_set(err, ERR_PROTO, "the cache service's answer is no JSON object");
	a->ok = jscan_member(json, "ok", &raw) == 1 && span_eq(raw, "true");
	if (member(json, "message", "message", &raw))
		jscan_str(raw, a->message, sizeof(a->message));
	if (!a->ok || call == CACHEWIRE_FINALIZE)
		return 0;
	if (call == CACHEWIRE_LOOKUP && member(json, "matched_key", "matchedKey", &raw))
		jscan_str(raw, a->matched, sizeof(a->matched));
	if (call == CACHEWIRE_LOOKUP && a->matched[0] == '\0')
		return err_set(err, ERR_PROTO, "the cache service does not say which key it found");
	if (!(call == CACHEWIRE_CREATE ? member(json, "signed_upload_url", "signedUploadUrl", &raw) :
					 member(json, "signed_download_url", "signedDownloadUrl", &raw)) ||
	    jscan_unescape(raw, &a->url) != 0 || !is_url(&a->url))
		return err_set(err, ERR_PROTO, "the cache service gives no https address for the content");
	return 0;
}

void cachewire_answer_free(struct cachewire_answer *a)
{
	buf_wipe(&a->url);
}

int cachewire_refusal(const char *what, int status, struct span body, int retry_s, struct err *err)
{
	int cls = status == 401 || status == 403 ? ERR_DENIED :
	    status == 429			 ? ERR_SPENT :
	    status == 404			 ? ERR_NOTFOUND :
	    status / 100 == 5			 ? ERR_UNAVAIL :
						   ERR_PROTO;
	char msg[200] = "";
	struct span raw;

	if (jscan_valid(body) && jscan_member(body, "msg", &raw) == 1)
		jscan_str(raw, msg, sizeof(msg));
	err_set(err, cls, "%s: the cache service answers %d%s%s%s", what, status, msg[0] != '\0' ? ": " : "",
	    msg,
	    status == 401 ? "; the job's token has ended" :
	    status == 403 ? "; this job may not do that" :
			    "");
	if (cls == ERR_SPENT)
		err->retry_s = retry_s;
	return cls;
}

/* ---- what is allowed ---- */

/* The claim's permissions together; -1: there is no such claim, or it is not understood. */
static int claimed(struct span token)
{
	uint8_t payload[PAYLOAD_MAX];
	struct span part, raw, key, item, number;
	char text[PAYLOAD_MAX];
	int found = -1, all = 0, rc;
	size_t at = 0;
	uint64_t bits;
	ssize_t n;

	if (!span_cut(&token, '.', &part) || !span_cut(&token, '.', &part) ||
	    (n = b64url_decode(payload, sizeof(payload), part)) < 0)
		return -1;
	if (jscan_member(span_make(payload, (size_t)n), "ac", &raw) == 1 &&
	    jscan_str(raw, text, sizeof(text)) && jscan_valid(span_of(text)) && text[0] == '[') {
		while ((rc = jscan_next(span_of(text), &at, &key, &item)) == 1)
			if (jscan_member(item, "Permission", &number) == 1 && span_u64(number, 255, &bits))
				all |= (int)bits;
		found = rc == 0 ? all : -1;
	}
	wipe(payload, sizeof(payload));
	return found;
}

/* GitHub Enterprise Server has version 1 of the service alone. */
static bool is_enterprise_server(const char *server)
{
	struct url u;
	const char *why;

	if (server == NULL || url_parse(span_of(server), &u, &why) != 0)
		return false;
	return !span_ieq(u.host, "github.com") && !span_iends(u.host, ".ghe.com") && !url_is_loopback(&u);
}

void cachewire_judge(struct span token, const char *mode, const char *server, struct cachewire_rights *r)
{
	int bits = claimed(token);

	*r = (struct cachewire_rights){ true, true, NULL };
	mode = mode != NULL ? mode : "";
	if (bits >= 0) {
		r->read = bits & 1;
		r->write = bits & 2;
	}
	if (!r->write)
		r->why = "the job's token may not write the Actions cache, as on events that strangers cause";
	if (strcmp(mode, "none") == 0 || strcmp(mode, "write-only") == 0)
		r->read = false;
	if (strcmp(mode, "none") == 0 || strcmp(mode, "read") == 0) {
		r->write = false;
		r->why = mode[0] == 'n' ? "ACTIONS_CACHE_MODE is none" : "ACTIONS_CACHE_MODE is read";
	}
	if (!r->read && r->why == NULL)
		r->why = "the Actions cache may not be read by this job";
	if (is_enterprise_server(server))
		*r = (struct cachewire_rights){ false, false,
			"GitHub Enterprise Server has version 1 of the cache service alone, which ghoard "
			"does "
			"without" };
}
