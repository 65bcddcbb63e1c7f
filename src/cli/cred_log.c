#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jscan.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"
#include "cred/audit_check.h"
#include "cred/vault.h"

#define FILE_MAX ((size_t)64 << 20)

/* ---- show ---- */

static bool is_wanted(const struct cred *c, const struct audit_line *l)
{
	char stamp[40];
	int64_t at;

	if (c->o->action != NULL && !jscan_str_eq(l->action, c->o->action))
		return false;
	if (c->o->credential != NULL && !jscan_str_eq(l->credential, c->o->credential))
		return false;
	if (c->o->since == OPT_UNSET)
		return true;
	if (!jscan_str(l->timestamp, stamp, sizeof(stamp) - 1))
		return false;
	strcat(stamp, "Z");
	return clock_rfc3339_parse(span_of(stamp), &at) && at >= clock_wall() - c->o->since * CLOCK_SEC;
}

/* The reference's lines, and lines of nobody, were not made harmless when they were written. */
static void print_line(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		unsigned char ch = (unsigned char)line.p[i];
		bool command = (i > 0 && ch == ':' && line.p[i - 1] == ':') ||
		    (i > 1 && ch == '[' && line.p[i - 1] == '#' && line.p[i - 2] == '#');

		if (command || ch < ' ' || ch >= 0x7F)
			printf("\\u%04x", ch);
		else
			putchar(ch);
	}
	putchar('\n');
}

static int show(const struct cred *c, struct err *err)
{
	char name[AUDIT_NAME_LEN];
	struct audit_line l;
	struct span rest, line;
	struct buf text;
	int rc = 0;

	buf_init(&text, FILE_MAX);
	for (size_t i = 0; (rc = audit_read_file(c->vault->dirfd, i, name, &text, err)) == 0; i++) {
		rest = buf_span(&text);
		while (span_cut(&rest, '\n', &line))
			if (audit_parse(line, &l) && is_wanted(c, &l))
				print_line(line);
		buf_clear(&text);
	}
	buf_free(&text);
	if (rc != ERR_NOTFOUND)
		return cred_exit_code(err);
	err_init(err);
	return XC_OK;
}

/* ---- verify ---- */

static void print_json(const struct audit_check *k, bool ok)
{
	printf("{\"ok\":%s,\"lines\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"unreadable\":%" PRIu64
	       ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"head\":\"%s\",\"anchor_found\":%s}\n",
	    ok ? "true" : "false", k->lines, k->foreign, k->unreadable, k->first, k->seq, k->head,
	    k->anchor_found ? "true" : "false");
}

static int verify(const struct cred *c, struct err *err)
{
	struct audit_check k;
	const struct vault *v = c->vault;
	int rc = audit_check_all(&v->audit, c->o->anchor, &k, err);

	/* gone, or cut: what is left of it follows itself */
	if (v->log_broken && (rc == 0 || !v->audit.has_key)) {
		*err = v->log_why;
		rc = ERR_DAMAGED;
	}
	if (rc != 0 && rc != ERR_DAMAGED)
		return cred_exit_code(err);
	if (c->g->json)
		print_json(&k, rc == 0);
	if (rc != 0)
		return XC_DAMAGED;
	if (!c->g->json)
		printf("%" PRIu64 " lines (%" PRIu64 " to %" PRIu64 ") follow each other unchanged; %" PRIu64
		       " lines of another program and %" PRIu64 " unreadable ones prove nothing\nanchor %s\n",
		    k.lines, k.first, k.seq, k.foreign, k.unreadable, k.head);
	return XC_OK;
}

int cred_log_run(struct cred *c, struct err *err)
{
	bool shows = c->nargs > 0 && strcmp(c->arg[0], "show") == 0;
	int rc;

	if (c->nargs != 1 || (!shows && strcmp(c->arg[0], "verify") != 0)) {
		err_set(err, ERR_USAGE,
		    "it is 'ghoard cred audit show' or 'ghoard cred audit verify [--anchor HASH]'");
		return XC_USAGE;
	}
	rc = cred_open_log(c, err);
	if (rc == ERR_NOTFOUND) {
		err_init(err);
		return XC_OK;
	}
	if (rc != 0)
		return cred_exit_code(err);
	return shows ? show(c, err) : verify(c, err);
}
