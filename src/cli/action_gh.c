/* gh's own configuration, with http_unix_socket in it. gh has no variable for that, only the file. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/action.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define KEY "http_unix_socket"

static const char *const names[] = { "config.yml", "hosts.yml" };

/* As gh looks for it. */
static bool own_folder(char *out, size_t size)
{
	const char *dir = action_env("GH_CONFIG_DIR"), *xdg = action_env("XDG_CONFIG_HOME"),
		   *home = action_env("HOME");

	if (dir != NULL)
		return snprintf(out, size, "%s", dir) < (int)size;
	if (xdg != NULL)
		return snprintf(out, size, "%s/gh", xdg) < (int)size;
	return home != NULL && snprintf(out, size, "%s/.config/gh", home) < (int)size;
}

/* A line a setting, at the left margin: gh writes it so. A text of another shape cannot be added to. */
static bool is_block(struct span text)
{
	struct span line;

	while (span_cut(&text, '\n', &line)) {
		struct span t = span_trim(line);

		if (t.n == 0 || t.p[0] == '#' || span_starts(t, "---") || line.p[0] == ' ' ||
		    line.p[0] == '\t')
			continue;
		return span_chr(t, ':') > 0 && t.p[0] != '{';
	}
	return true;
}

static void with_socket(struct span text, const char *socket, struct buf *out)
{
	struct span line;

	if (!is_block(text))
		log_warn("gh's config.yml is not as gh writes it; its settings do not count in this job");
	while (is_block(text) && span_cut(&text, '\n', &line))
		if (!span_starts(line, KEY ":")) {
			buf_addspan(out, line);
			buf_addc(out, '\n');
		}
	buf_adds(out, KEY ": '");
	for (; *socket != '\0'; socket++) {
		buf_addc(out, *socket);
		if (*socket == '\'')
			buf_addc(out, '\'');
	}
	buf_adds(out, "'\n");
}

int action_gh_config(const char *folder, const char *socket, struct err *err)
{
	char from[ACTION_PATH_MAX], path[ACTION_PATH_MAX];
	bool there = own_folder(from, sizeof(from));
	struct buf text, out;
	int rc, dir;

	snprintf(path, sizeof(path), "%s/gh", folder);
	if (mkdir(path, 0700) != 0 || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(err, ERR_IO, "making %s", path);
	buf_init(&text, CONFIG_MAX);
	buf_init(&out, 2 * CONFIG_MAX);
	rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		bool found = there &&
		    snprintf(path, sizeof(path), "%s/%s", from, names[i]) < (int)sizeof(path) &&
		    file_read(path, CONFIG_MAX, true, &text, NULL) == 0;

		if (i == 0)
			with_socket(buf_span(&text), socket, &out);
		else
			buf_addspan(&out, buf_span(&text));
		if (i == 0 || found)
			rc = file_write(dir, names[i], 0600, false, buf_data(&out), buf_len(&out), err);
		buf_clear(&text);
		buf_clear(&out);
	}
	buf_wipe(&text);
	buf_wipe(&out);
	close(dir);
	return rc;
}

void action_gh_remove(const char *folder)
{
	char path[ACTION_PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/gh/%s", folder, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/gh", folder);
	rmdir(path);
}
