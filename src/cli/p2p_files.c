#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/p2p_files.h"
#include "p2p/source.h"

static struct file {
	struct file *next;
	unsigned refs;
	int fd;
	dev_t dev;
	ino_t ino;			/* nobody else's while it is open */
	size_t n;
	char image[];
} *files;

static struct file *open_file(int fd, struct span image)
{
	struct file *f = files;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return NULL;
	while (f != NULL && (f->ino != st.st_ino || f->dev != st.st_dev))
		f = f->next;
	if (f != NULL) {
		close(fd);
		return f;
	}
	if ((f = malloc(sizeof(*f) + image.n)) == NULL)
		return NULL;
	*f = (struct file){ .next = files, .fd = fd, .dev = st.st_dev, .ino = st.st_ino, .n = image.n };
	memcpy(f->image, image.p, image.n);
	files = f;
	return f;
}

bool p2p_files_hold(int fd, struct span image, uint64_t at, uint64_t n, struct swarm_held *held)
{
	struct file *f = open_file(fd, image);

	if (f == NULL) {
		close(fd);
		return false;
	}
	f->refs++;
	held->image = span_make(f->image, f->n);
	held->body = span_make(NULL, n);
	held->at = at;
	held->fd = f->fd;
	held->entry = f;
	return true;
}

void p2p_files_release(struct swarm_held *held)
{
	struct file **at = &files, *f = held->entry;

	if (--f->refs > 0)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	close(f->fd);
	free(f);
}
