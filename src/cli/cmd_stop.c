#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/daemon.h"

struct found {
	struct app app;
	char socket[256];
};

static int find(struct found *f, const struct globals *g, const struct opt_args *args, struct err *err)
{
	int rc;

	memset(f, 0, sizeof(*f));
	if (args->n > 0)
		return err_set(err, ERR_USAGE, "no operands are taken, not '%s'", args->arg[0]);
	rc = app_open(&f->app, g, err);
	if (rc == 0)
		rc = app_open_store(&f->app, false, err);
	if (rc == 0)
		rc = daemon_socket(&f->app, f->socket, sizeof(f->socket), err);
	return rc;
}

static int run_stop(const struct globals *g, const struct opt_args *args, struct err *err)
{
	struct found f;
	int rc = find(&f, g, args, err), code;

	if (rc == 0)
		rc = daemon_ask(f.socket, "POST", "/_ghoard/stop", NULL, err);
	code = rc == 0 ? XC_OK : rc == ERR_UNAVAIL ? XC_NO : cli_exit_code(err);
	app_close(&f.app);
	return code;
}

static void print_status(const struct found *f, struct json *told, bool alive)
{
	const char *page = json_str(json_get(told, "page"));
	struct buf pid;

	if (!alive) {
		printf("not running (%s)\n", f->socket);
		return;
	}
	buf_init(&pid, 64);
	if (json_get(told, "pid") != NULL)
		json_print(json_get(told, "pid"), false, &pid);
	printf("running on %s (pid %s)\n", f->socket, buf_cstr(&pid));
	buf_free(&pid);
	if (page != NULL)
		printf("page %s\n", page);
}

/* What the daemon says of itself, with the address of its page; an empty object where there is none. */
static struct json *ask_status(const struct found *f, bool alive)
{
	struct json *o = NULL;
	const char *url, *key;
	char page[256];
	struct buf b;
	struct err err;

	err_init(&err);
	buf_init(&b, 65536);
	if (!alive || daemon_ask(f->socket, "GET", "/_ghoard/status", &b, &err) != 0 ||
	    json_parse(buf_span(&b), &o) != 0)
		o = json_object();
	buf_wipe(&b);
	url = json_str(json_get(o, "url"));
	key = json_str(json_get(o, "key"));
	if (url != NULL && key != NULL && key[0] != '\0') {
		snprintf(page, sizeof(page), "%s/_ghoard/?key=%s", url, key);
		json_put_str(o, "page", page);
	}
	return o;
}

static void print_json(const struct found *f, struct json *told, bool alive)
{
	struct buf b;

	buf_init(&b, 65536);
	json_put_bool(told, "running", alive);
	json_put_str(told, "socket", f->socket);
	json_print(told, true, &b);
	printf("%s\n", buf_cstr(&b));
	buf_wipe(&b);
}

static int run_status(const struct globals *g, const struct opt_args *args, struct err *err)
{
	struct found f;
	int rc = find(&f, g, args, err), code = XC_OK;

	if (rc == 0) {
		bool alive = daemon_is_ours(f.socket);

		struct json *told = ask_status(&f, alive);

		if (g->json)
			print_json(&f, told, alive);
		else
			print_status(&f, told, alive);
		json_free(told);
		code = alive ? XC_OK : XC_NO;
	} else {
		code = cli_exit_code(err);
	}
	app_close(&f.app);
	return code;
}

const struct command cmd_stop = { "stop", "", "end the running daemon",
	"Asks the daemon on the socket to take no more requests and to end when the running answers are "
	"finished.\n",
	NULL, NULL, run_stop };

const struct command cmd_status = { "status", "", "describe the running daemon",
	"Says whether a daemon answers on the socket, and the address of its page with the key that opens "
	"it:\n"
	"whoever has the address can look. The exit code is 1 where none does.\n",
	NULL, NULL, run_status };
