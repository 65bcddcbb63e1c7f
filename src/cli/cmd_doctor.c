#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rand.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/peering.h"
#include "cli/lan.h"
#include "config/layers.h"
#include "store/store.h"
#include "tls/anchors.h"

#define MIB ((uint64_t)1 << 20)
#define SPACE_WARN (100 * MIB)
#define SPACE_FAIL (1 * MIB)
#define PROBE_BYTES 4096
#define SECRET_LEAST 32			/* FORMATS.md, 3 */

/* ---- what is found ---- */

void doctor_say(struct doctor *d, enum finding f, const char *what, const char *remedy, const char *fmt, ...)
{
	static const char *const words[] = {
		[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"
	};
	struct json *o;
	struct buf b;
	va_list ap;

	buf_init(&b, 65536);
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	d->failed = d->failed || f == DOCTOR_FAIL;
	if (d->list == NULL) {
		printf("%-4s  %s: %s%s%s\n", words[f], what, buf_cstr(&b), remedy != NULL ? "; " : "",
		    remedy != NULL ? remedy : "");
		fflush(stdout);
	} else {
		o = json_put_object(d->list, NULL);
		json_put_str(o, "result", words[f]);
		json_put_str(o, "what", what);
		json_put_str(o, "finding", buf_cstr(&b));
		if (remedy != NULL)
			json_put_str(o, "remedy", remedy);
	}
	buf_free(&b);
}

/* ---- the machine ---- */

static void look_at_kernel(struct doctor *d)
{
	struct utsname u;
	char *end = NULL;
	long major, minor;

	if (uname(&u) != 0)
		return;
	major = strtol(u.release, &end, 10);
	minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
	if (major > 0 && (major < 3 || (major == 3 && minor < 17)))
		doctor_say(d, DOCTOR_WARN, "kernel", "use Linux 3.17 or later", "%s has no getrandom",
		    u.release);
	else
		doctor_say(d, DOCTOR_OK, "kernel", NULL, "%s %s %s", u.sysname, u.release, u.machine);
}

static void look_at_entropy(struct doctor *d)
{
	uint8_t bytes[32];
	struct err err;

	err_init(&err);
	if (rand_bytes(bytes, sizeof(bytes), &err) == 0)
		doctor_say(d, DOCTOR_OK, "random numbers", NULL, "from the kernel");
	else
		doctor_say(d, DOCTOR_FAIL, "random numbers", "make /dev/urandom available", "%s", err.msg);
}

static void look_around(struct doctor *d)
{
	const char *actions = getenv("GITHUB_ACTIONS"), *hosted = getenv("RUNNER_ENVIRONMENT"),
		   *in = lan_container();

	if (in != NULL)
		doctor_say(d, DOCTOR_OK, "container", NULL, "inside %s; what is not in a volume ends with it",
		    in);
	if (actions == NULL || strcmp(actions, "true") != 0)
		return;
	if (hosted != NULL && strcmp(hosted, "github-hosted") == 0)
		doctor_say(d, DOCTOR_OK, "GitHub Actions", NULL,
		    "a hosted runner, whose cache folder ends with the job");
	else
		doctor_say(d, DOCTOR_OK, "GitHub Actions", NULL,
		    "a runner of one's own, whose cache folder stays between jobs");
}

/* ---- settings ---- */

static void look_at_files(struct doctor *d, const struct globals *g)
{
	static const char *const names[] = { "cache-config.yml", "p2p-config.yml" };
	const char *dirs[] = { g->config_dir != NULL ? g->config_dir : ".github", "/etc/ghoard" };
	struct buf found;
	char file[4096];

	buf_init(&found, 65536);
	for (size_t i = 0; i < 4; i++) {
		snprintf(file, sizeof(file), "%s/%s", dirs[i / 2], names[i % 2]);
		if (access(file, F_OK) == 0)
			buf_addf(&found, "%s%s", buf_len(&found) > 0 ? ", " : "", file);
	}
	if (buf_len(&found) > 0)
		doctor_say(d, DOCTOR_OK, "configuration", NULL, "%s", buf_cstr(&found));
	else
		doctor_say(d, DOCTOR_OK, "configuration", NULL, "no files; defaults and the environment");
	buf_free(&found);
}

static void look_at_secret(struct doctor *d, const struct app *a)
{
	const char *secret = getenv("CACHE_P2P_SHARED_SECRET"), *why;

	if (secret == NULL || secret[0] == '\0')
		return;
	if (strlen(secret) < SECRET_LEAST)
		doctor_say(d, DOCTOR_FAIL, "CACHE_P2P_SHARED_SECRET",
		    "make a good one with: openssl rand -base64 32",
		    "fewer than %d characters: one message suffices to test guesses of it", SECRET_LEAST);
	else if (peering_judge(a, &why) == PEERING_ON)
		doctor_say(d, DOCTOR_WARN, "CACHE_P2P_SHARED_SECRET",
		    "keep it out of the environment that untrusted jobs inherit",
		    "who holds the secret can read every body shared under it");
}

/* ---- the cache folder ---- */

static void look_at_space(struct doctor *d, const struct app *a)
{
	struct statvfs v;
	uint64_t space;

	if (fstatvfs(store_dirfd(a->store), &v) != 0)
		return;
	space = (uint64_t)v.f_bavail * v.f_frsize;
	if (space < SPACE_FAIL || (v.f_files > 0 && v.f_favail == 0))
		doctor_say(d, DOCTOR_FAIL, "disk space", "make room, or give --cache-dir another folder",
		    "%s is full", a->cache_dir);
	else if (space < SPACE_WARN)
		doctor_say(d, DOCTOR_WARN, "disk space", "make room, or lower cache.max_size",
		    "%llu MiB left for %s", (unsigned long long)(space / MIB), a->cache_dir);
	else
		doctor_say(d, DOCTOR_OK, "disk space", NULL, "%llu MiB left",
		    (unsigned long long)(space / MIB));
}

static void look_at_entries(struct doctor *d, const struct app *a)
{
	int64_t entries, bytes, max = settings_int(a->settings, "cache.max_size");
	struct err err;

	err_init(&err);
	if (store_usage(a->store, &entries, &bytes, &err) != 0)
		doctor_say(d, DOCTOR_FAIL, "entries", "check the folder's permissions", "%s", err.msg);
	else if (entries > max + max / 10)
		doctor_say(d, DOCTOR_WARN, "entries", "run 'ghoard cache gc'",
		    "%lld, where cache.max_size is %lld", (long long)entries, (long long)max);
	else
		doctor_say(d, DOCTOR_OK, "entries", NULL, "%lld of at most %lld, %lld KiB",
		    (long long)entries, (long long)max, (long long)(bytes / 1024));
}

static void try_write(struct doctor *d, const struct app *a)
{
	uint8_t bytes[PROBE_BYTES];
	struct file_hold h;
	struct err err;
	int rc;

	err_init(&err);
	memset(bytes, 0, sizeof(bytes));
	rc = file_hold(&h, store_dirfd(a->store), "doctor", &err);
	if (rc == 0)
		rc = file_hold_write(&h, bytes, sizeof(bytes), &err);
	if (rc == 0)
		doctor_say(d, DOCTOR_OK, "writing", NULL,
		    "a file was written to the cache folder and removed");
	else
		doctor_say(d, DOCTOR_FAIL, "writing",
		    "answers are not kept; make room or correct the permissions", "%s", err.msg);
	file_rollback(&h);
}

static void look_at_folder(struct doctor *d, struct app *a)
{
	struct err err;
	struct stat st;

	err_init(&err);
	if (!settings_bool(a->settings, "cache.enabled") || !settings_bool(a->settings, "cache.persistence"))
		doctor_say(d, DOCTOR_WARN, "cache", "set both to true",
		    "cache.enabled or cache.persistence is false: nothing is kept");
	if (app_open_store(a, true, &err) != 0) {
		doctor_say(d, DOCTOR_FAIL, "cache folder", "correct it, or name another with --cache-dir",
		    "%s", err.msg);
		return;
	}
	if (fstat(store_dirfd(a->store), &st) != 0)
		return;
	if (store_is_read_only(a->store))
		doctor_say(d, DOCTOR_FAIL, "cache folder",
		    "make it writable, or name another with --cache-dir",
		    "%s cannot be written: what is there answers, nothing is added", a->cache_dir);
	else
		doctor_say(d, DOCTOR_OK, "cache folder", NULL, "%s, of uid %u, mode %03o", a->cache_dir,
		    (unsigned)st.st_uid, (unsigned)(st.st_mode & 0777));
	look_at_space(d, a);
	look_at_entries(d, a);
	if (!store_is_read_only(a->store))
		try_write(d, a);
}

/* ---- trust ---- */

static void look_at_anchors(struct doctor *d, const struct app *a)
{
	const char *file = settings_str(a->settings, "tls.ca_file"),
		   *dir = settings_str(a->settings, "tls.ca_dir");
	struct anchors *anchors = NULL;
	struct err err;
	int rc;

	err_init(&err);
	rc = anchors_new(file != NULL && file[0] != '\0' ? file : NULL,
	    dir != NULL && dir[0] != '\0' ? dir : NULL, &anchors, &err);
	if (rc == 0)
		while ((rc = anchors_step(anchors, ANCHORS_SLICE, &err)) == 1)
			;
	if (rc == 0)
		doctor_say(d, DOCTOR_OK, "CA bundle", NULL, "%zu certificates in %s", anchors_count(anchors),
		    anchors_source(anchors));
	else
		doctor_say(d, DOCTOR_FAIL, "CA bundle",
		    "install the package ca-certificates, or name a file in SSL_CERT_FILE", "%s", err.msg);
	anchors_free(anchors);
}

/* ---- the command ---- */

static void look(struct doctor *d, const struct globals *g)
{
	struct app app;
	struct err err;

	err_init(&err);
	look_at_kernel(d);
	look_at_entropy(d);
	look_around(d);
	if (app_open(&app, g, &err) != 0) {
		doctor_say(d, DOCTOR_FAIL, "configuration",
		    "correct it; 'ghoard config check' reads it again", "%s", err.msg);
		return;
	}
	look_at_files(d, g);
	look_at_secret(d, &app);
	look_at_folder(d, &app);
	look_at_anchors(d, &app);
	doctor_peers(d, &app);
	doctor_upstream(d, &app);
	app_close(&app);
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	struct doctor d = { .list = g->json ? json_array() : NULL };
	struct buf b;

	if (args->n > 0) {
		err_set(err, ERR_USAGE, "doctor takes no operands, not '%s'", args->arg[0]);
		return XC_USAGE;
	}
	look(&d, g);
	if (d.list != NULL) {
		buf_init(&b, JSON_MAX);
		if (json_print(d.list, true, &b) == 0)
			printf("%s\n", buf_cstr(&b));
		buf_free(&b);
		json_free(d.list);
	}
	return d.failed ? XC_NO : XC_OK;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "what would stop ghoard from working here",
	.text =
	    "Looks at the machine, the settings, the cache folder, the CA bundle, the token\n"
	    "and GitHub, and prints a line for each: ok, warn or fail, what was found, and\n"
	    "what to do. Exits with 1 if anything fails. It asks GitHub for /rate_limit,\n"
	    "which costs nothing; with --offline it asks nobody.",
	.run = run
};
