#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "cred/keyring.h"
#include "cred/tool.h"

#define TIMEOUT_MS 3000
#define SERVICE "ipfs_datasets_py"
#define VALUE_MAX 256

/* An absolute path: the PATH is the job's. */
static const char *tool = "/usr/bin/secret-tool";

void keyring_use_tool(const char *path)
{
	tool = path;
}

static const char *variable(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

void keyring_read_env(struct keyring_env *e)
{
	*e = (struct keyring_env){ .key_file = variable("GHOARD_MASTER_KEY_FILE"),
		.systemd_dir = variable("CREDENTIALS_DIRECTORY"),
		.passphrase_file = variable("GHOARD_PASSPHRASE_FILE") };
}

bool keyring_is_here(void)
{
	const char *run = variable("XDG_RUNTIME_DIR");
	char path[512];

	if (access(tool, X_OK) != 0)
		return false;
	if (variable("DBUS_SESSION_BUS_ADDRESS") != NULL)
		return true;
	return run != NULL && snprintf(path, sizeof(path), "%s/bus", run) < (int)sizeof(path) &&
	    access(path, R_OK | W_OK) == 0;
}

/* What reaches the bus and a prompter, and nothing of the job's. */
static int call(const char *const *argv, struct span in, struct buf *out, struct err *err)
{
	static const char *const names[] = { "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME", "DISPLAY",
		"WAYLAND_DISPLAY" };
	char text[5][600], *envp[7] = { (char *)(uintptr_t) "LC_ALL=C" };
	struct tool t = { .argv = argv, .envp = envp, .in = in, .timeout_ms = TIMEOUT_MS };
	size_t n = 1;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *v = variable(names[i]);

		if (v != NULL &&
		    snprintf(text[i], sizeof(text[i]), "%s=%s", names[i], v) < (int)sizeof(text[i]))
			envp[n++] = text[i];
	}
	if (!keyring_is_here())
		return err_set(err, ERR_UNAVAIL, "no keyring: there is no session bus, or no %s", tool);
	return tool_run(&t, out, err);
}

int keyring_get(const char *name, struct buf *out, struct err *err)
{
	const char *const argv[] = { tool, "lookup", "service", SERVICE, "username", name, NULL };
	size_t before = buf_len(out);
	int rc = call(argv, span_make("", 0), out, err);

	if (rc < 0)
		return rc;
	if (rc != 0 || buf_len(out) == before)
		return err_set(err, ERR_NOTFOUND, "the keyring has no entry %s, or is locked", name);
	return 0;
}

int keyring_set(const char *name, struct span value, struct err *err)
{
	char label[128];
	const char *const argv[] = { tool, "store", "--label", label, "service", SERVICE, "username", name,
		"application", "Python keyring library", NULL };
	struct buf back;
	int rc;

	snprintf(label, sizeof(label), "Password for '%s' on '%s'", name, SERVICE);
	rc = call(argv, value, NULL, err);
	if (rc != 0)
		return rc < 0
		    ? rc
		    : err_set(err, ERR_UNAVAIL, "the keyring did not take the entry %s; is it locked?", name);
	buf_init(&back, VALUE_MAX);
	rc = keyring_get(name, &back, err);
	if (rc == 0 && !span_same(buf_span(&back), value))
		rc = err_set(err, ERR_IO, "the keyring gives back another value for %s than it was given",
		    name);
	buf_wipe(&back);
	return rc;
}

int keyring_drop(const char *name, struct err *err)
{
	const char *const argv[] = { tool, "clear", "service", SERVICE, "username", name, NULL };
	int rc = call(argv, span_make("", 0), NULL, err);

	return rc > 0 ? err_set(err, ERR_NOTFOUND, "the keyring did not remove %s", name) : rc;
}
