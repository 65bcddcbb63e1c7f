#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/envfile.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/rand.h"

#define NAME_MAX_LEN 128
#define PREFIX "ghoard_"
#define DELIMITER_LEN (sizeof(PREFIX) + 32)

/* Names that make a shell, a loader, an interpreter or the runner itself do something. The man page has this
 * list. */
static const char *const denied[] = { "PATH", "HOME", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "PROMPT_COMMAND",
	"LD_*", "DYLD_*", "GLIBC_*", "NODE_*", "NPM_CONFIG_*", "PYTHON*", "PERL5*", "PERLLIB", "RUBY*",
	"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "DOTNET_*", "CORECLR_*", "GIT_*",
	"SSH_ASKPASS", "*_PROXY", "SSL_CERT_*", "CURL_*", "GITHUB_*", "RUNNER_*", "ACTIONS_*", "GHOARD_*",
	"CACHE_*", "CODEQL_*", "CREDENTIALS_DIR" };

const char *envfile_pattern(size_t i)
{
	return i < sizeof(denied) / sizeof(denied[0]) ? denied[i] : NULL;
}

const char *envfile_denied(struct span name)
{
	char upper[NAME_MAX_LEN + 1];

	if (name.n > NAME_MAX_LEN)
		return "*";
	for (size_t i = 0; i < name.n; i++)
		upper[i] = (char)(name.p[i] >= 'a' && name.p[i] <= 'z' ? name.p[i] - 'a' + 'A' : name.p[i]);
	for (size_t i = 0; envfile_pattern(i) != NULL; i++)
		if (span_glob(envfile_pattern(i), span_make(upper, name.n)))
			return envfile_pattern(i);
	return NULL;
}

static int make_delimiter(struct span value, char out[static DELIMITER_LEN], struct err *err)
{
	uint8_t random[16];
	int rc;

	memcpy(out, PREFIX, sizeof(PREFIX));
	do {
		rc = rand_bytes(random, sizeof(random), err);
		if (rc != 0)
			return rc;
		hex_encode(out + sizeof(PREFIX) - 1, random, sizeof(random));
	} while (span_find(value, out) >= 0);
	return 0;
}

int envfile_entry(struct buf *b, const char *name, struct span value, struct err *err)
{
	char delimiter[DELIMITER_LEN];
	int rc;

	if (span_chr(value, '\0') >= 0 || !span_utf8(value))
		return err_set(err, ERR_USAGE,
		    "the value of %s has a NUL or is not UTF-8; an environment file cannot hold it", name);
	rc = make_delimiter(value, delimiter, err);
	if (rc != 0)
		return rc;
	buf_adds(b, name);
	buf_adds(b, "<<");
	buf_adds(b, delimiter);
	buf_addc(b, '\n');
	buf_addspan(b, value);
	buf_addc(b, '\n');
	buf_adds(b, delimiter);
	buf_addc(b, '\n');
	return b->failed ? err_set(err, ERR_LIMIT, "the environment file would grow too large") : 0;
}

/* Somebody's last line without its end would swallow our first. */
static bool ends_open(const char *path, const struct stat *st)
{
	char last = '\n';
	int fd = st->st_size > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		if (pread(fd, &last, 1, st->st_size - 1) != 1)
			last = '\0';
		close(fd);
	}
	return last != '\n';
}

/* An entry without its end would swallow what the job writes next. */
static int take_back(int fd, const char *path, off_t size, struct err *err)
{
	err_sys(err, ERR_IO, "writing the runner's file %s", path);
	return ftruncate(fd, size) == 0 ? ERR_IO : err_sys(err, ERR_IO, "shortening %s", path);
}

int envfile_append(const char *path, struct span entries, struct err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		rc = err_sys(err, ERR_IO, "opening the runner's file %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, ERR_IO, "the runner's file %s is not a regular file", path);
	else if ((ends_open(path, &st) && file_write_all(fd, "\n", 1) < 0) ||
	    file_write_all(fd, entries.p, entries.n) < 0)
		rc = take_back(fd, path, st.st_size, err);
	if (fd >= 0)
		close(fd);
	return rc;
}
