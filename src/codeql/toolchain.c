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
#define FILE_FRONT ((size_t)16 << 20)

static const char *const tools[] = { "cc", "c++", "gcc", "g++", "clang", "clang++", "ld", "make", "cmake",
	"ninja", "meson", "bazel", "java", "javac", "kotlinc", "mvn", "gradle", "ant", "go", "dotnet",
	"msbuild", "mono", "swift", "swiftc", "xcodebuild", "cargo", "rustc", "node", "npm", "tsc", "python3",
	"ruby" };

/* 16 hex of the SHA-256 of the file's first `left` bytes; false: it cannot be read. */
static bool front_hash(const char *path, size_t left, char out[static 17])
{
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;
	char *piece = malloc(65536);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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

static int no_dots(const struct dirent *de)
{
	return de->d_name[0] != '.';
}

/* Names and sizes of the files of a folder, and their bytes where `front` is not 0. */
static void add_folder(struct hash_sha256 *h, const char *folder, size_t front)
{
	char path[PATH_MAX], text[64], hash[17] = "";
	struct dirent **list;
	struct stat st;
	int n = scandir(folder, &list, no_dots, alphasort);

	for (int i = 0; i < n; i++) {
		bool file = snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name) < PATH_MAX &&
		    stat(path, &st) == 0 && S_ISREG(st.st_mode);

		if (file && front > 0 && !front_hash(path, front, hash))
			hash[0] = '\0';
		snprintf(text, sizeof(text), "%jd %s", file ? (intmax_t)st.st_size : -1, hash);
		hash_sha256_field(h, span_of(list[i]->d_name));
		hash_sha256_field(h, span_of(text));
		free(list[i]);
	}
	hash_sha256_field(h, span_of(""));
	if (n >= 0)
		free(list);
}

static void end_folders(struct hash_sha256 *h, char out[static 17])
{
	uint8_t digest[SHA256_LEN];

	hash_sha256_out(h, digest);
	hex_encode(out, digest, 8);
}

/* A script only starts what lies in the folder beside its own (mvn, gradle, kotlinc, tsc), and a small
 * program what its libraries do. What lies in /usr/lib the machine's list of packages knows. */
static void library_hash(const char *real, char out[static 17])
{
	char folder[PATH_MAX + 8];
	struct hash_sha256 h;

	hash_sha256_init(&h);
	snprintf(folder, sizeof(folder), "%.*s/../lib", (int)(strrchr(real, '/') - real), real);
	if (strncmp(real, "/usr/bin/", 9) != 0 && strncmp(real, "/bin/", 5) != 0)
		add_folder(&h, folder, 0);
	end_folders(&h, out);
}

bool toolchain_describe(const char *path, char *out, size_t size)
{
	char real[PATH_MAX], hash[17], library[17];
	struct stat st;

	if (realpath(path, real) == NULL || stat(real, &st) != 0 || !S_ISREG(st.st_mode) ||
	    !(st.st_mode & 0111) || !front_hash(real, FRONT, hash))
		return false;
	library_hash(real, library);
	return snprintf(out, size, "%s %jd %s %s", real, (intmax_t)st.st_size, hash, library) < (int)size;
}

/* Any file, or the files of a folder; false: it is not there. */
static bool describe_file(const char *path, char *out, size_t size)
{
	struct hash_sha256 h;
	struct stat st;
	char hash[17];

	if (stat(path, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return false;
	if (S_ISREG(st.st_mode) && !front_hash(path, FILE_FRONT, hash))
		strcpy(hash, "?");
	if (S_ISDIR(st.st_mode)) {
		hash_sha256_init(&h);
		add_folder(&h, path, FILE_FRONT);
		end_folders(&h, hash);
		st.st_size = 0;
	}
	return snprintf(out, size, "%jd %s", (intmax_t)st.st_size, hash) < (int)size;
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

/* Of a program that nobody named its size must do. */
static void list_path(const struct shims_place *p, toolchain_fn *fn, void *arg)
{
	struct span rest = span_of(p->env(p->arg, "PATH")), folder;
	char path[PATH_MAX], hash[17];
	struct hash_sha256 h;

	hash_sha256_init(&h);
	while (span_cut(&rest, ':', &folder))
		if (span_starts(folder, "/") && span_copy(path, sizeof(path), folder))
			add_folder(&h, path, 0);
	end_folders(&h, hash);
	fn(arg, "tool.PATH", span_of(hash), true);
}

/* ---- files of the machine ---- */

/* GRADLE_USER_HOME and CARGO_HOME say where ~/.gradle and ~/.cargo are. */
static bool file_place(const struct shims_place *p, const char *file, char out[static PATH_MAX])
{
	const char *root = NULL;

	if (file[0] != '~')
		return snprintf(out, PATH_MAX, "%s", file) < PATH_MAX;
	if (span_starts(span_of(file), "~/.gradle/"))
		root = p->env(p->arg, "GRADLE_USER_HOME");
	else if (span_starts(span_of(file), "~/.cargo/"))
		root = p->env(p->arg, "CARGO_HOME");
	file = root != NULL ? strchr(file + 2, '/') : file + 1;
	if (root == NULL)
		root = p->env(p->arg, "HOME");
	return root != NULL && snprintf(out, PATH_MAX, "%s%s", root, file) < PATH_MAX;
}

/* What is installed, and what tells a build tool to do more than the sources say. A change in a large
 * database shows in its head. */
static void list_files(const struct shims_place *p, toolchain_fn *fn, void *arg)
{
	static const char *const files[] = { "/etc/os-release", "/var/lib/dpkg/status",
		"/lib/apk/db/installed", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages",
		"/usr/lib/sysimage/rpm/rpmdb.sqlite", "~/.gradle/gradle.properties", "~/.gradle/init.gradle",
		"~/.gradle/init.gradle.kts", "~/.gradle/init.d", "~/.m2/settings.xml", "~/.m2/toolchains.xml",
		"~/.mavenrc", "~/.cargo/config", "~/.cargo/config.toml", "~/.config/go/env", "~/.bazelrc",
		"~/.nuget/NuGet/NuGet.Config" };
	char path[PATH_MAX], name[64], value[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!file_place(p, files[i], path) || !describe_file(path, value, sizeof(value)))
			continue;
		snprintf(name, sizeof(name), "file:%s", files[i]);
		fn(arg, name, span_of(value), true);
	}
}

struct named {
	struct buf text;
	bool known;
};

static void on_named(void *arg, const char *name, struct span value, bool known)
{
	struct named *n = arg;

	buf_addf(&n->text, "%s %.*s\n", name, (int)value.n, value.p);
	n->known &= known;
}

void toolchain_named(const struct shims_place *p, const char *variable, toolchain_fn *fn, void *arg)
{
	struct span rest = span_of(p->env(p->arg, variable));
	char word[PATH_MAX], value[64], name[256];
	struct named n = { .known = true };
	struct stat st;
	size_t len;

	buf_init(&n.text, 65536);
	for (; rest.n > 0; rest = span_sub(rest, len + 1, rest.n)) {
		len = strcspn(rest.p, " \t\n:;,=\"'");
		if (!span_copy(word, sizeof(word), span_sub(rest, 0, len)) || strchr("-", word[0]) != NULL)
			continue;
		if (stat(word, &st) == 0 && word[0] == '/' && S_ISREG(st.st_mode) &&
		    describe_file(word, value, sizeof(value)))
			on_named(&n, word, span_of(value), true);
		else if (strchr(word, '/') == NULL)
			look_for(p, word, on_named, &n);
	}
	snprintf(name, sizeof(name), "tool.$%.200s", variable);
	if (buf_len(&n.text) > 0)
		fn(arg, name, buf_span(&n.text), n.known && !n.text.failed);
	buf_free(&n.text);
}

void toolchain_walk(const struct shims_place *p, toolchain_fn *fn, void *arg)
{
	const char *java_home = p->env(p->arg, "JAVA_HOME");
	char file[PATH_MAX];
	struct buf release;

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		look_for(p, tools[i], fn, arg);
	list_path(p, fn, arg);
	list_files(p, fn, arg);
	if (java_home == NULL || snprintf(file, sizeof(file), "%s/release", java_home) >= (int)sizeof(file))
		return;
	buf_init(&release, 65536);
	if (file_read(file, 65536, true, &release, NULL) == 0)
		fn(arg, "tool.jdk", buf_span(&release), true);
	buf_free(&release);
}
