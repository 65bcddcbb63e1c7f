#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"

/* The build hands in both: its own version, and those of vendor/pins. */
#ifndef GHOARD_VERSION
#define GHOARD_VERSION "0"
#endif
#ifndef GHOARD_LIBRARIES
#define GHOARD_LIBRARIES "BearSSL, cJSON, libsodium, libyaml, zlib, musl"
#endif

#if defined(__PIE__)
#define LINKED "static-pie"
#else
#define LINKED "static"
#endif

#if defined(__x86_64__)
#define MACHINE "x86_64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#elif defined(__arm__)
#define MACHINE "armv7"
#elif defined(__riscv)
#define MACHINE "riscv64"
#else
#define MACHINE "other"
#endif

#if defined(__OPTIMIZE__)
#define CHECKS "optimised"
#else
#define CHECKS "not optimised"
#endif

const char *cli_agent(void)
{
	return "ghoard/" GHOARD_VERSION;
}

static int print_json(struct err *err)
{
	struct json *o = json_object();
	struct buf b;
	int rc;

	json_put_str(o, "version", GHOARD_VERSION);
	json_put_str(o, "libraries", GHOARD_LIBRARIES);
	json_put_str(o, "compiler", __VERSION__);
	json_put_str(o, "machine", MACHINE);
	json_put_str(o, "linked", LINKED);
	buf_init(&b, 65536);
	rc = json_print(o, false, &b);
	if (rc == 0)
		printf("%s\n", buf_cstr(&b));
	else
		err_set(err, ERR_INTERNAL, "no memory to print the version");
	buf_free(&b);
	json_free(o);
	return rc == 0 ? XC_OK : cli_exit_code(err);
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	(void)args;
	if (g->json)
		return print_json(err);
	printf("ghoard " GHOARD_VERSION "\n");
	printf("libraries: " GHOARD_LIBRARIES "\n");
	printf("build: gcc " __VERSION__ ", " MACHINE ", " LINKED ", " CHECKS "\n");
	return XC_OK;
}

const struct command cmd_version = {
	.name = "version",
	.args = "",
	.summary = "the version of the program and of what is in it",
	.text = "",
	.run = run
};
