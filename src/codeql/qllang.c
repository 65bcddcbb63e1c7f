#include <string.h>

#include "codeql/deny.h"
#include "codeql/qllang.h"

uint32_t qllang_bit(struct span name)
{
	int i = deny_language(name);

	return i < 0 ? 0 : (uint32_t)1 << i;
}

uint32_t qllang_of_pack(struct span name)
{
	static const char owner[] = "codeql/";

	if (!span_starts(name, owner) || span_chr(name, '-') < 0)
		return 0;
	return qllang_bit(span_before(span_sub(name, strlen(owner), name.n), '-'));
}

uint32_t qllang_of_category(struct span id)
{
	static const char front[] = "language:";
	struct span part;
	uint32_t bits = 0;

	while (span_cut(&id, '/', &part))
		if (span_starts(part, front))
			bits |= qllang_bit(span_sub(part, strlen(front), part.n));
	return bits;
}
