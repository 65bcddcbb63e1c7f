#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "config/layers.h"
#include "config/table.h"
#include "http/proxyenv.h"

#define PATH_LEN 4096
#define VALUE_COLUMN 40

static int print_json(struct json *j, struct err *err)
{
	struct buf b;
	int rc;

	buf_init(&b, JSON_MAX);
	rc = json_print(j, true, &b);
	json_free(j);
	if (rc == 0)
		printf("%s\n", buf_cstr(&b));
	else
		err_set(err, ERR_INTERNAL, "no memory to print the settings");
	buf_free(&b);
	return rc != 0 ? cli_exit_code(err) : XC_OK;
}

/* ---- show ---- */

static int show_json(const struct settings *s, struct err *err)
{
	struct json *list = json_array();

	for (size_t i = 0; table_at(i) != NULL; i++) {
		struct json *o = json_put_object(list, NULL);

		json_put_str(o, "key", table_at(i)->key);
		json_put_str(o, "value", settings_text(s, table_at(i)->key));
		json_put_str(o, "origin", settings_origin(s, table_at(i)->key));
	}
	return print_json(list, err);
}

static void show_text(const struct settings *s)
{
	size_t width = 0;

	for (size_t i = 0; table_at(i) != NULL; i++)
		if (strlen(table_at(i)->key) > width)
			width = strlen(table_at(i)->key);
	for (size_t i = 0; table_at(i) != NULL; i++) {
		const char *key = table_at(i)->key, *value = settings_text(s, key);

		printf("%-*s  %-*s  %s\n", (int)width, key, VALUE_COLUMN, value[0] != '\0' ? value : "-",
		    settings_origin(s, key));
	}
}

static int show(struct app *app, struct err *err)
{
	if (app->globals->json)
		return show_json(app->settings, err);
	show_text(app->settings);
	return XC_OK;
}

/* ---- check: what loading does not see, for only commands that use it look ---- */

static int check_uses(const struct settings *s, struct err *err)
{
	const char *proxy = settings_str(s, "network.proxy"), *why;
	struct upstream up;
	struct proxyenv p;

	if (upstream_parse(&up, settings_str(s, "upstream.url"), err) != 0) {
		err_prefix(err, "upstream.url (%s)", settings_origin(s, "upstream.url"));
		return ERR_CONFIG;
	}
	if (proxy != NULL && proxy[0] != '\0' && proxyenv_parse(span_of(proxy), &p, &why) != 0)
		return err_set(err, ERR_CONFIG, "network.proxy (%s): %s", settings_origin(s, "network.proxy"),
		    why);
	return 0;
}

static int check(struct app *app, struct err *err)
{
	size_t changed = 0;

	if (check_uses(app->settings, err) != 0)
		return cli_exit_code(err);
	for (size_t i = 0; table_at(i) != NULL; i++)
		changed += strcmp(settings_origin(app->settings, table_at(i)->key), "default") != 0;
	if (app->globals->json)
		printf("{\"ok\":true,\"changed\":%zu}\n", changed);
	else
		printf("the settings are sound; %zu differ%s from the defaults or repeat%s them\n", changed,
		    changed == 1 ? "s" : "", changed == 1 ? "s" : "");
	return XC_OK;
}

/* ---- path ---- */

/* From the strongest to the weakest. Asks for no settings, so that it helps where they are broken. */
static int path(const struct globals *g, struct err *err)
{
	static const char *const names[] = { "cache-config.yml", "p2p-config.yml" };
	const char *dirs[] = { g->config_dir != NULL ? g->config_dir : ".github", "/etc/ghoard" };
	struct json *list = json_array();

	for (size_t i = 0; i < 4; i++) {
		char file[PATH_LEN];
		bool there;
		struct json *o = json_put_object(list, NULL);

		snprintf(file, sizeof(file), "%s/%s", dirs[i / 2], names[i % 2]);
		there = access(file, F_OK) == 0;
		json_put_str(o, "path", file);
		json_put_bool(o, "exists", there);
		if (!g->json)
			printf("%-7s %s\n", there ? "found" : "absent", file);
	}
	if (g->json)
		return print_json(list, err);
	json_free(list);
	return XC_OK;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	const char *what = args->n == 1 ? args->arg[0] : "";
	bool is_show = strcmp(what, "show") == 0;
	struct app app;
	int code;

	if (strcmp(what, "path") == 0)
		return path(g, err);
	if (!is_show && strcmp(what, "check") != 0) {
		err_set(err, ERR_USAGE, "it is 'ghoard config show', 'check' or 'path'");
		return XC_USAGE;
	}
	if (app_open(&app, g, err) != 0)
		return cli_exit_code(err);
	code = is_show ? show(&app, err) : check(&app, err);
	app_close(&app);
	return code;
}

const struct command cmd_config = {
	.name = "config",
	.args = "show|check|path",
	.summary = "the settings in force",
	.text =
	    "show prints every setting, its value and where it comes from. check reads all\n"
	    "files and variables, prints warnings, and exits with 3 and a sentence if one is\n"
	    "wrong. path prints the files that are looked at, the strongest first.\n"
	    "\n"
	    "'ghoard help settings' explains each setting.",
	.run = run
};
