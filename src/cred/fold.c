#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jscan.h"
#include "cred/fold.h"
#include "cred/vault.h"

/* The record that the line names by name, scope and filter. */
static struct record *named(const struct recordset *s, const struct audit_line *l)
{
	char name[SCOPE_NAME_MAX + 1], filter[SCOPE_FILTER_MAX + 1], word[16];
	struct span v;
	enum scope scope;

	if (!jscan_str(l->credential, name, sizeof(name)) || jscan_member(l->details, "scope", &v) != 1 ||
	    !jscan_str(v, word, sizeof(word)) || !scope_parse(span_of(word), &scope) ||
	    jscan_member(l->details, "scope_filter", &v) != 1)
		return NULL;
	if (!jscan_str(v, filter, sizeof(filter)))
		filter[0] = '\0';
	return recordset_exact(s, span_of(name), scope, span_of(filter));
}

/* "2026-11-22T13:49:42.430541" of the log as seconds, the store's form. */
static void count(struct recordset *s, struct record *r, const struct audit_line *l)
{
	char stamp[40], text[48];
	int64_t us;

	r->count++;
	if (!jscan_str(l->timestamp, stamp, sizeof(stamp) - 1))
		return;
	strcat(stamp, "Z");
	if (!clock_rfc3339_parse(span_of(stamp), &us))
		return;
	snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64, us / CLOCK_SEC, us % CLOCK_SEC);
	r->accessed = recordset_keep(s, span_of(text));
}

struct folding {
	struct vault *v;
	size_t since;		/* offset behind the newest write's line */
	bool found, rotated;	/* …which is a rotation's: its accesses are before it too */
};

static void find_write(struct folding *f, struct span text)
{
	struct span rest = text, line;
	struct audit_line l;
	uint64_t gen, high;
	char sha[65];

	while (span_cut(&rest, '\n', &line)) {
		if (span_find(line, "\"gen\": ") < 0 || !audit_parse(line, &l) ||
		    !audit_line_gen(&l, &gen, &high, sha))
			continue;
		f->found = true;
		f->rotated = jscan_str_eq(l.action, "log_rotated");
		f->since = (size_t)(line.p + line.n - text.p);
	}
}

static void count_lines(struct folding *f, struct span rest)
{
	struct audit_line l;
	struct span line;
	struct record *r;

	while (span_cut(&rest, '\n', &line)) {
		if (!audit_parse(line, &l) || !jscan_str_eq(l.action, "access_granted") ||
		    !audit_mac_ok(&f->v->audit, &l))
			continue;
		r = named(&f->v->set, &l);
		if (r != NULL && (r->state == RECORD_BOUND || r->state == RECORD_UNBOUND))
			count(&f->v->set, r, &l);
	}
}

void fold_accesses(struct vault *v)
{
	char name[AUDIT_NAME_LEN];
	size_t files = 0;
	struct buf text;

	buf_init(&text, (size_t)64 << 20);
	while (audit_read_file(v->dirfd, files, name, &text, NULL) == 0) {
		files++;
		buf_clear(&text);
	}
	/* from the newest back to the one with the last real write, then forward is not needed: only times
	 * could differ
	 */
	while (files > 0) {
		struct folding f = { .v = v };

		buf_clear(&text);
		if (audit_read_file(v->dirfd, --files, name, &text, NULL) != 0)
			break;
		find_write(&f, buf_span(&text));
		count_lines(&f, span_sub(buf_span(&text), f.since, buf_len(&text)));
		if (f.found && !f.rotated)
			break;
	}
	buf_free(&text);
}
