#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"
#include "codeql/shims.h"
#include "codeql/toolchain.h"
#include "crypto/hash.h"

#define FRONT ((size_t)1 << 20)

static const char *const tools[] = { "cc", "c++", "gcc", "g++", "clang", "clang++", "ld", "make", "cmake",
	"ninja", "meson", "bazel", "java", "javac", "kotlinc", "mvn", "gradle", "ant", "go", "dotnet",
	"msbuild", "mono", "swift", "swiftc", "xcodebuild", "cargo", "rustc", "node", "npm", "tsc", "python3",
	"ruby" };

/* 16 hex of the SHA-256 of the file's front; false: it cannot be read. */
static bool front_hash(const char *path, char out[static 17])
{
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;
	char *piece = malloc(65536);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t left = FRONT;
	ssize_t n = -1;

	hash_sha256_init(&h);
	while (fd >= 0 && piece != NULL && left > 0 &&
	    (n = read(fd, piece, left < 65536 ? left : 65536)) > 0) {
		hash_sha256_add(&h, piece, (size_t)n);
		left -= (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	free(piece);
	if (n < 0)
		return false;
	hash_sha256_out(&h, digest);
	hex_encode(out, digest, 8);
	return true;
}

bool toolchain_describe(const char *path, char *out, size_t size)
{
	char real[PATH_MAX], hash[17];
	struct stat st;

	if (realpath(path, real) == NULL || stat(real, &st) != 0 || !S_ISREG(st.st_mode) ||
	    !(st.st_mode & 0111) || !front_hash(real, hash))
		return false;
	return snprintf(out, size, "%s %" PRIdMAX " %s", real, (intmax_t)st.st_size, hash) < (int)size;
}

static int no_dots(const struct dirent *de)
{
	return de->d_name[0] != '.';
}

/* `dotnet` only starts one of the SDKs beside it, which stays the same when another one is put there. */
static void list_sdks(const char *real, toolchain_fn *fn, void *arg)
{
	char folder[PATH_MAX + 8];
	struct dirent **list;
	struct buf names;
	int n;

	snprintf(folder, sizeof(folder), "%.*s/sdk", (int)(strrchr(real, '/') - real), real);
	n = scandir(folder, &list, no_dots, alphasort);
	if (n < 0)
		return;
	buf_init(&names, 65536);
	for (int i = 0; i < n; i++) {
		buf_adds(&names, i > 0 ? " " : "");
		buf_adds(&names, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	fn(arg, "tool.dotnet-sdks", buf_span(&names), !names.failed);
	buf_free(&names);
}

/* One folder of PATH. false: look on in the next. */
static bool look_in(const struct shims_place *p, const char *file, const char *tool, toolchain_fn *fn,
    void *arg)
{
	char real[PATH_MAX], value[PATH_MAX + 64], name[64];

	if (!toolchain_describe(file, value, sizeof(value)) || realpath(file, real) == NULL)
		return false;
	snprintf(name, sizeof(name), "tool.%s", tool);
	char behind[256];
	switch (shims_look(p, tool, file, real, behind, sizeof(behind))) {
	case SHIMS_WRAPPER:
		return false;
	case SHIMS_NONE:
		fn(arg, name, span_of(value), true);
		if (strcmp(tool, "dotnet") == 0)
			list_sdks(real, fn, arg);
		return true;
	case SHIMS_KNOWN:
		fn(arg, name, span_of(behind), true);
		return true;
	case SHIMS_UNKNOWN:
		fn(arg, name, span_of(behind[0] != '\0' ? behind : file), false);
	}
	return true;
}

static void look_for(const struct shims_place *p, const char *tool, toolchain_fn *fn, void *arg)
{
	struct span rest = span_of(p->env(p->arg, "PATH")), folder;
	char file[PATH_MAX];

	while (span_cut(&rest, ':', &folder)) {
		/* A relative folder would be found from wherever the build stands. */
		if (folder.n > 0 && folder.p[0] == '/' &&
		    snprintf(file, sizeof(file), "%.*s/%s", (int)folder.n, folder.p, tool) < PATH_MAX &&
		    look_in(p, file, tool, fn, arg))
			return;
	}
}

void toolchain_walk(const struct shims_place *p, toolchain_fn *fn, void *arg)
{
	const char *java_home = p->env(p->arg, "JAVA_HOME");
	char file[PATH_MAX];
	struct buf release;

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		look_for(p, tools[i], fn, arg);
	if (java_home == NULL || snprintf(file, sizeof(file), "%s/release", java_home) >= (int)sizeof(file))
		return;
	buf_init(&release, 65536);
	if (file_read(file, 65536, true, &release, NULL) == 0)
		fn(arg, "tool.jdk", buf_span(&release), true);
	buf_free(&release);
}
