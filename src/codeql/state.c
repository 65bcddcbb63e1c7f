#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/json.h"
#include "codeql/state.h"

int state_write(const char *path, const struct state *s, struct err *err)
{
	char expected[33];
	struct buf b;
	int rc;

	buf_init(&b, STATE_MAX);
	hex_encode(expected, s->expected, sizeof(s->expected));
	buf_adds(&b, "{\"v\":1,\"run\":");
	json_quote(&b, span_of(s->run), false);
	if (s->sampled)
		buf_addf(&b, ",\"expected\":\"%s\"", expected);
	buf_adds(&b, ",\"scan\":");
	scan_json(&s->scan, &b);
	buf_adds(&b, "}\n");
	if (b.failed)
		rc = err_set(err, ERR_LIMIT, "the configuration has too many fields to keep");
	else
		rc = file_write(AT_FDCWD, path, 0600, false, buf_data(&b), buf_len(&b), err);
	buf_free(&b);
	return rc;
}

static int parse(struct state *s)
{
	struct span text = buf_span(&s->text), v;

	if (jscan_member(text, "v", &v) != 1 || !span_eq(v, "1") || jscan_member(text, "run", &v) != 1 ||
	    !jscan_str(v, s->run, sizeof(s->run)))
		return ERR_DAMAGED;
	if (jscan_member(text, "expected", &v) == 1) {
		if (v.n != 34 || !hex_decode((uint8_t *)s->expected, sizeof(s->expected), span_sub(v, 1, 32)))
			return ERR_DAMAGED;
		s->sampled = true;
	}
	return jscan_member(text, "scan", &v) == 1 && scan_read(v, &s->scan) ? 0 : ERR_DAMAGED;
}

int state_read(const char *path, struct state *s, struct err *err)
{
	struct stat st;
	int rc;

	memset(s, 0, sizeof(*s));
	buf_init(&s->text, STATE_MAX);
	if (lstat(path, &st) != 0)
		return err_sys(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "reading %s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(err, ERR_DENIED, "%s is not a file that only this user can write", path);
	rc = file_read(path, STATE_MAX, false, &s->text, err);
	if (rc == 0 && parse(s) != 0)
		rc = err_set(err, ERR_DAMAGED, "%s is not what `ghoard codeql check` left", path);
	return rc;
}

void state_free(struct state *s)
{
	buf_free(&s->text);
}
