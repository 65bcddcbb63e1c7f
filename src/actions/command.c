#include <stdbool.h>

#include "base/buf.h"
#include "actions/command.h"

static bool is_plain(char c, bool property)
{
	return c != '%' && c != '\r' && c != '\n' && !(property && (c == ':' || c == ','));
}

static void escape(struct buf *out, struct span text, bool property)
{
	size_t from = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (is_plain(text.p[i], property))
			continue;
		buf_add(out, text.p + from, i - from);
		buf_addf(out, "%%%02X", (unsigned char)text.p[i]);
		from = i + 1;
	}
	buf_addspan(out, span_sub(text, from, text.n));
}

void actions_command(struct buf *out, const char *name, const char *title, struct span data)
{
	buf_adds(out, "::");
	buf_adds(out, name);
	if (title) {
		buf_adds(out, " title=");
		escape(out, span_of(title), true);
	}
	buf_adds(out, "::");
	escape(out, data, false);
	buf_addc(out, '\n');
}
