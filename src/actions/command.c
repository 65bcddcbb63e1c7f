#include <stdbool.h>

#include "base/buf.h"
#include "actions/command.h"

static void escape(struct buf *out, struct span text, bool property)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
			buf_addf(out, "%%%02X", c);
		else
			buf_addc(out, (char)c);
	}
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
