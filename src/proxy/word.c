#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "http/parse.h"
#include "http/server.h"
#include "proxy/word.h"

void word_say_status(struct exchange *x, int status, const char *sentence, const char *cache_status)
{
	struct http_field f[] = { { span_of("Content-Type"), span_of("application/json; charset=utf-8") },
		{ span_of("Cache-Status"), span_of(cache_status) } };
	struct buf b;

	buf_init(&b, 8192);
	buf_adds(&b, "{\"message\":");
	json_quote(&b, span_of(sentence), false);
	buf_adds(&b, "}");
	exchange_head(x, status, span_of(""), f, 2, (int64_t)buf_len(&b));
	exchange_body(x, buf_data(&b), buf_len(&b));
	exchange_end(x);
	buf_free(&b);
}

void word_say(struct exchange *x, int status, const char *sentence)
{
	word_say_status(x, status, sentence, "ghoard; fwd=bypass");
}

int word_status(const struct err *err)
{
	if (err->cls == ERR_SPENT)
		return 429;
	return err->cls == ERR_TIMEOUT || err->cls == ERR_NOTFOUND ? 504 : err->cls == ERR_USAGE ? 400 : 502;
}
