#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "cred/audit_check.h"

#define FILE_MAX ((size_t)64 << 20)

struct checking {
	const struct audit *a;
	const char *anchor;
	struct audit_check *k;
	const char *file;
	uint64_t number;	/* of the line in its file */
	struct err *err;
};

static int broken(const struct checking *c, const char *what)
{
	return err_set(c->err, ERR_DAMAGED, "%s line %" PRIu64 ": %s", c->file, c->number, what);
}

static int check_line(const struct checking *c, const struct audit_line *l)
{
	struct audit_check *k = c->k;

	if (!audit_mac_ok(c->a, l))
		return broken(c, "the line was changed (its mac does not fit)");
	if (k->lines == 0 && l->seq != 1)
		return broken(c, "the log does not begin with its first line: lines before it were removed");
	if (k->lines > 0 && (l->seq != k->seq + 1 || !mem_same_ct(l->prev.p, k->head, AUDIT_MAC_HEX)))
		return broken(c,
		    l->seq > k->seq + 1
			? "lines before it were removed"
			: "it does not follow the line before it: lines were moved or put in");
	if (k->lines++ == 0)
		k->first = l->seq;
	k->seq = l->seq;
	memcpy(k->head, l->mac.p, AUDIT_MAC_HEX);
	k->head[AUDIT_MAC_HEX] = '\0';
	if (c->anchor != NULL && strcmp(k->head, c->anchor) == 0)
		k->anchor_found = true;
	return 0;
}

static int check_file(struct checking *c, struct span rest)
{
	struct audit_line l;
	struct span line;
	int rc = 0;

	c->number = 0;
	while (rc == 0 && span_cut(&rest, '\n', &line)) {
		c->number++;
		if (line.n == 0)
			continue;
		if (!audit_parse(line, &l))
			c->k->unreadable++;
		else if (!l.chained)
			c->k->foreign++;
		else
			rc = check_line(c, &l);
	}
	return rc;
}

int audit_check_all(const struct audit *a, const char *anchor, struct audit_check *k, struct err *err)
{
	struct checking c = { .a = a, .anchor = anchor, .k = k, .err = err };
	char name[AUDIT_NAME_LEN];
	struct buf text;
	struct err why;
	int rc = 0;

	memset(k, 0, sizeof(*k));
	if (anchor != NULL && (strlen(anchor) != AUDIT_MAC_HEX || !hex_is(span_of(anchor), false)))
		return err_set(err, ERR_USAGE,
		    "an anchor is the 64 hex characters that were printed, not '%.80s'", anchor);
	buf_init(&text, FILE_MAX);
	c.file = name;
	for (size_t i = 0; rc == 0; i++) {
		buf_clear(&text);
		err_init(&why);
		rc = audit_read_file(a->dirfd, i, name, &text, &why);
		if (rc == 0)
			rc = check_file(&c, buf_span(&text));
		else if (rc != ERR_NOTFOUND)
			err_set(err, rc, "%s", why.msg);
	}
	buf_free(&text);
	if (rc != ERR_NOTFOUND)
		return rc;
	if (anchor != NULL && !k->anchor_found)
		return err_set(err, ERR_DAMAGED,
		    "the line of the anchor is not in the log: its end was cut, or it was written "
		    "anew");
	return 0;
}
