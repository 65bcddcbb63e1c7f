#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "crypto/hash.h"
#include "p2p/keyfile.h"

#define FILE_MAX ((size_t)1 << 10)
#define MESSAGE_LEN (4 + ED25519_SEED_LEN + ED25519_PUB_LEN)
#define MACHINE_MAX ((size_t)256)
#define UNBOUND "-"
#define PLACE_LEN ((size_t)32)

static const uint8_t head[4] = { 0x08, 0x01, 0x12, 0x40 };	/* Ed25519, 64 bytes follow */

static void put_number(struct hash_sha256 *h, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	hash_sha256_field(h, span_of(text));
}

static void put_machine(struct hash_sha256 *h)
{
	struct buf id;

	buf_init(&id, MACHINE_MAX);
	if (file_read("/etc/machine-id", MACHINE_MAX, true, &id, NULL) != 0 || buf_len(&id) == 0) {
		buf_clear(&id);
		file_read("/proc/sys/kernel/random/boot_id", MACHINE_MAX, true, &id, NULL);
	}
	hash_sha256_field(h, buf_span(&id));
	buf_free(&id);
}

/* The place a key is bound to, as it stands in the file. */
static int place_of(const char *path, char out[PLACE_LEN + 1], struct err *err)
{
	const char *slash = strrchr(path, '/');
	char folder[FILE_TMP_MAX] = ".";
	uint8_t digest[SHA256_LEN];
	struct hash_sha256 h;
	struct stat st;

	if (slash != NULL &&
	    !span_copy(folder, sizeof(folder), span_make(path, slash == path ? 1 : (size_t)(slash - path))))
		return err_set(err, ERR_IO, "the path %s is too long", path);
	if (stat(folder, &st) != 0)
		return err_sys(err, ERR_IO, "looking at %s", folder);
	hash_sha256_init(&h);
	put_machine(&h);
	put_number(&h, st.st_dev);
	put_number(&h, st.st_ino);
	hash_sha256_out(&h, digest);
	hex_encode(out, digest, PLACE_LEN / 2);
	return 0;
}

int keyfile_fresh(struct ed25519_key *key, struct err *err)
{
	uint8_t seed[ED25519_SEED_LEN];
	int rc = rand_bytes(seed, sizeof(seed), err);

	if (rc == 0)
		ed25519_keygen(key, seed);
	wipe(seed, sizeof(seed));
	return rc;
}

static bool parse(struct span text, struct ed25519_key *key, struct span *place)
{
	uint8_t m[MESSAGE_LEN + 3];
	struct span line;
	ssize_t n;
	bool good;

	if (!span_cut(&text, '\n', &line) || !span_cut(&text, '\n', place))
		return false;
	n = b64_decode(m, sizeof(m), line);
	good = n == MESSAGE_LEN && memcmp(m, head, sizeof(head)) == 0 && text.n == 0;
	if (good) {
		ed25519_keygen(key, m + sizeof(head));
		good = memcmp(key->pub, m + sizeof(head) + ED25519_SEED_LEN, ED25519_PUB_LEN) == 0;
	}
	wipe(m, sizeof(m));
	return good && (span_eq(*place, UNBOUND) || place->n == PLACE_LEN);
}

static int write_new(const char *path, const char *place, struct ed25519_key *key, struct err *err)
{
	uint8_t m[MESSAGE_LEN];
	struct buf b;
	int rc = keyfile_fresh(key, err);

	if (rc != 0)
		return rc;
	memcpy(m, head, sizeof(head));
	memcpy(m + sizeof(head), key->seed, ED25519_SEED_LEN);
	memcpy(m + sizeof(head) + ED25519_SEED_LEN, key->pub, ED25519_PUB_LEN);
	buf_init(&b, FILE_MAX);
	b64_encode(&b, m, sizeof(m));
	buf_addf(&b, "\n%s\n", place);
	wipe(m, sizeof(m));
	if (file_write(AT_FDCWD, path, 0600, false, buf_data(&b), buf_len(&b), err) != 0) {
		err_prefix(err, "keeping the libp2p identity");
		rc = ERR_IO;
	}
	buf_wipe(&b);
	return rc;
}

bool keyfile_hold(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return true;
	close(*fd);
	*fd = -1;
	return false;
}

int keyfile_load(const char *path, bool bound, struct ed25519_key *key, struct err *err)
{
	char here[PLACE_LEN + 1] = UNBOUND;
	struct span place;
	struct stat st;
	struct err why;
	struct buf b;
	int rc;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		return err_set(err, ERR_DENIED, "others may read the libp2p identity in %s; "
		    "'chmod 600' it, or remove it for a new one", path);
	if (bound && place_of(path, here, err) != 0)
		return keyfile_fresh(key, NULL) == 0 ? ERR_IO : ERR_INTERNAL;
	buf_init(&b, FILE_MAX);
	err_init(&why);
	rc = file_read(path, FILE_MAX, true, &b, &why);
	if (rc == ERR_NOTFOUND) {
		rc = write_new(path, here, key, err);
	} else if (rc != 0) {
		err_set(err, rc, "%s", why.msg);
		rc = rc == ERR_LIMIT ? ERR_DAMAGED : keyfile_fresh(key, NULL) == 0 ? ERR_IO : ERR_INTERNAL;
	} else if (!parse(buf_span(&b), key, &place)) {
		ed25519_wipe(key);
		rc = err_set(err, ERR_DAMAGED, "%s does not hold a libp2p identity; remove it for a new one",
		    path);
	} else if (bound && !span_eq(place, UNBOUND) && !span_eq(place, here)) {
		rc = write_new(path, here, key, err);
	}
	buf_wipe(&b);
	return rc;
}
