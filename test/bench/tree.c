/*
 * What `ghoard codeql` does before it looks anything up, in parts, for the bench to time:
 *
 *	tree index DIR	read the index, check its checksum, parse it, make the key of what it lists
 *	tree check DIR	the fingerprint as `codeql check` takes it
 *	tree peak DIR	the same, and prints the peak of its resident memory in KiB instead of the key
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "codeql/fingerprint.h"
#include "codeql/indexfile.h"
#include "codeql/treekey.h"

static int index_alone(const struct fingerprint_options *opt, struct fingerprint *fp, struct err *err)
{
	static struct gitrepo repo;
	static struct indexfile file;
	struct gitrepo_home home = { opt->home, opt->xdg_config };
	struct span where;
	const char *why;

	*fp = (struct fingerprint){ 0 };
	if (gitrepo_find(&repo, opt->source, true, &home, &fp->reason, &why, err) < 0 ||
	    indexfile_read(&file, &repo, &fp->reason, &where, err) < 0)
		return -1;
	fp->format = repo.format;
	fp->manifest = manifest_new(repo.format, true);
	for (size_t i = 0; fp->manifest && i < file.index.n; i++) {
		const struct gitindex_entry *e = &file.index.list[i];
		struct manifest_rec r = { .path = span_make(e->path, e->len),
			.mode = gitindex_mode(e),
			.flags = MANIFEST_TRACKED,
			.id = gitindex_id(e) };

		if (manifest_add(fp->manifest, &r) < 0)
			return -1;
	}
	int rc = fp->manifest ? treekey_make(fp, opt, false, fp->whole) : -1;
	indexfile_free(&file);
	return rc;
}

static void print_peak(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "VmHWM:", 6) == 0)
			printf("%ld\n", strtol(line + 6, NULL, 10));
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	struct fingerprint_options opt = { .source = argc > 2 ? argv[2] : ".", .home = getenv("HOME") };
	struct fingerprint fp;
	struct err err;

	err_init(&err);
	bool alone = argc > 1 && strcmp(argv[1], "index") == 0;
	int rc = alone ? index_alone(&opt, &fp, &err) : fingerprint_take(&opt, &fp, &err);
	if (rc < 0 || fp.reason != FP_USABLE) {
		fprintf(stderr, "tree: %s\n", rc < 0 ? err.msg : fp.where);
		return 1;
	}
	if (argc > 1 && strcmp(argv[1], "peak") == 0)
		print_peak();
	else
		puts(fp.whole);
	fingerprint_free(&fp);
	return 0;
}
