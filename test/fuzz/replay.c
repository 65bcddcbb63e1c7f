/*
 * Runs a fuzz target once over each file of the folder that is named, with a
 * compiler that has no libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	uint8_t *data;
	long size;
	FILE *f = fopen(path, "rb");

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
		perror(path);
		return -1;
	}
	rewind(f);
	/* of just this size, so that the sanitizer sees a byte too far */
	data = malloc((size_t)size);
	if ((data == NULL && size > 0) ||
	    fread(data, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		return -1;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

int
main(int argc, char **argv)
{
	char path[4096];
	struct dirent *e;
	int count = 0;
	DIR *dir;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	if (argc < 2 || (dir = opendir(argv[1])) == NULL) {
		printf("replayed no file: there is no folder %s\n",
		    argc < 2 ? "named" : argv[1]);
		return 0;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		/* seen in the log when the target does not come back */
		printf("%s\n", path);
		fflush(stdout);
		if (replay(path) < 0)
			return 1;
		count++;
	}
	closedir(dir);
	printf("replayed %d files\n", count);
	return 0;
}
