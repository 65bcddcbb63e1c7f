#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/mask.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cred_grant.h"
#include "cred/vault.h"

#define NAME_LEN_MAX 256

static bool in_actions(void)
{
	const char *actions = getenv("GITHUB_ACTIONS");

	return actions != NULL && strcmp(actions, "true") == 0;
}

/* The runner reads standard error too; standard output is the value's. */
static int mask(struct cred *c, struct span value, struct err *err)
{
	struct buf out, scratch;
	int rc = 0;

	safe_buf(&c->safe, &scratch, MASK_SCRATCH(value.n));
	safe_buf(&c->safe, &out, MASK_ROOM(value.n));
	mask_write(value, &scratch, &out);
	if (out.failed)
		rc = err_set(err, ERR_LIMIT, "there is no room for the masks of the value");
	else if (file_write_all(STDERR_FILENO, buf_data(&out), buf_len(&out)) < 0)
		rc = err_sys(err, ERR_IO, "writing the masks");
	safe_buf_clear(&out);
	return rc;
}

static int print(struct cred *c, struct span value, struct err *err)
{
	if (in_actions() && mask(c, value, err) != 0)
		return XC_MACHINE;
	/* write(2): stdio would keep a copy */
	if (file_write_all(STDOUT_FILENO, value.p, value.n) < 0 ||
	    (isatty(STDOUT_FILENO) && file_write_all(STDOUT_FILENO, "\n", 1) < 0)) {
		err_sys(err, ERR_IO, "writing the value");
		return XC_MACHINE;
	}
	return XC_OK;
}

/* A mask that lands in a file, on a screen or nowhere is the secret itself, or hides nothing. */
static int check_output(struct err *err)
{
	struct stat st;

	if (!in_actions() ||
	    (fstat(STDERR_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))))
		return 0;
	return err_set(err, ERR_USAGE,
	    "standard error is no pipe to the runner, and the masks would not reach it; run this without "
	    "redirecting it");
}

int cred_get_run(struct cred *c, struct err *err)
{
	struct grant g = { .name = span_of(c->arg[0]) };
	int code, rc = check_output(err);

	/* the reference takes any name */
	if (rc == 0 && g.name.n > NAME_LEN_MAX)
		rc = err_set(err, ERR_USAGE, "a name has at most %d bytes", NAME_LEN_MAX);
	if (rc == 0)
		rc = cred_open(c, false, NULL, err);
	if (rc == 0)
		rc = grant_all(c, &g, 1, "get", err);
	if (rc != 0)
		return cred_exit_code(err);
	if (g.answer != GRANT_YES) {
		err_set(err, g.answer == GRANT_BROKEN ? ERR_DAMAGED : ERR_NOTFOUND,
		    "credential %s is not handed out: %s", c->arg[0], g.why.msg);
		return g.answer == GRANT_BROKEN ? XC_DAMAGED : XC_NO;
	}
	code = print(c, buf_span(&g.value), err);
	grant_wipe(&g, 1);
	return code;
}
