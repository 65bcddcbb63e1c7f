#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/jscan.h"
#include "base/rand.h"
#include "base/safe.h"
#include "base/wipe.h"
#include "cred/kernring.h"
#include "cred/masterkey.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "crypto/pbkdf2.h"

#define TEXT_MAX 512		/* of a key file */
#define SALT_LEN 16
#define CHECK_LEN 16
#define SYSTEMD_NAME "cred-master-key"
#define RING_MARK ".keyring.next"
#define RING_OWN ".keyring"
#define RING_ID_LEN 16
#define RING_MARK_LEN (3 * RING_ID_LEN)
#define OWN_LEN (2 * RING_ID_LEN)
#define RING_NAME_MAX 64

static const struct {
	const char *name, *file;	/* below the folder */
} sources[] = { [MASTERKEY_NONE] = { "none", NULL }, [MASTERKEY_NAMED] = { "GHOARD_MASTER_KEY_FILE", NULL },
	[MASTERKEY_SYSTEMD] = { "systemd credential " SYSTEMD_NAME, NULL },
	[MASTERKEY_CACHE] = { "kernel keyring", NULL }, [MASTERKEY_RING] = { "keyring", NULL },
	[MASTERKEY_RING_NEXT] = { "keyring (an unfinished rekey)", NULL },
	[MASTERKEY_FILE] = { ".master_key", ".master_key" },
	[MASTERKEY_FILE_NEXT] = { ".master_key.next (an unfinished rekey)", ".master_key.next" },
	[MASTERKEY_PASS] = { "passphrase", ".passphrase" },
	[MASTERKEY_PASS_NEXT] = { "passphrase (an unfinished rekey)", ".passphrase.next" },
	[MASTERKEY_MADE] = { ".master_key (new)", ".master_key" } };

const char *masterkey_name(enum masterkey_source s)
{
	return sources[s].name;
}

/* ---- files ---- */

static int refuse(struct err *err, const char *path, const char *why)
{
	return err_set(err, ERR_DAMAGED, "the key file %s %s", path, why);
}

/* One that others can read is no secret; one of another user, or with a second name, may be a trap. */
int masterkey_check_file(const struct stat *st, const char *path, bool own, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return refuse(err, path, "is not a regular file");
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return refuse(err, path, "belongs to another user");
	if (st->st_nlink != 1)
		return refuse(err, path, "has a second name (a hard link)");
	/* systemd gives a service its credentials as root's, readable by a group */
	if ((st->st_mode & (own || st->st_uid != 0 ? 077 : 037)) != 0)
		return err_set(err, ERR_DAMAGED,
		    "the key file %s can be read by others (mode %03o); chmod 600 it if they "
		    "have not, else make a new key with 'ghoard cred rekey'",
		    path, (unsigned)st->st_mode & 0777);
	return 0;
}

static int read_key_file(int dirfd, const char *path, bool own, struct buf *out, struct err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (own ? O_NOFOLLOW : 0)), rc;
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOTFOUND, "there is no %s", path);
	if (fd < 0 || fstat(fd, &st) != 0) {
		rc = err_sys(err, ERR_DAMAGED, "reading the key file %s", path);
		goto out;
	}
	rc = masterkey_check_file(&st, path, own, err);
	if (rc != 0)
		goto out;
	n = read(fd, buf_reserve(out, TEXT_MAX), TEXT_MAX);
	if (n < 0)
		rc = err_sys(err, ERR_DAMAGED, "reading the key file %s", path);
	else
		buf_commit(out, (size_t)n);
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Base64 of 32 bytes, white space behind it; `raw`: or the bytes themselves. */
static bool parse_key(struct span text, bool raw, uint8_t key[static MASTERKEY_LEN])
{
	uint8_t room[MASTERKEY_LEN + 4];
	struct span t = text;
	bool ok;

	while (t.n > 0 && (t.p[t.n - 1] == '\n' || t.p[t.n - 1] == '\r' || t.p[t.n - 1] == ' '))
		t.n--;
	ok = b64_decode(room, sizeof(room), t) == MASTERKEY_LEN;
	if (!ok && raw && text.n == MASTERKEY_LEN) {
		memcpy(room, text.p, MASTERKEY_LEN);
		ok = true;
	}
	if (ok)
		memcpy(key, room, MASTERKEY_LEN);
	wipe(room, sizeof(room));
	return ok;
}

static int key_from_file(int dirfd, const char *path, bool own, bool raw, uint8_t *key, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX + 1);
	rc = read_key_file(dirfd, path, own, &text, err);
	if (rc == 0 && !parse_key(buf_span(&text), raw, key))
		rc = refuse(err, path, "does not hold a key (base64 of 32 bytes); nothing was changed");
	buf_wipe(&text);
	return rc;
}

static int from_named(const struct masterkey_place *p, uint8_t *key, struct err *err)
{
	int rc;

	if (p->env.key_file == NULL)
		return ERR_NOTFOUND;
	rc = key_from_file(AT_FDCWD, p->env.key_file, false, true, key, err);
	if (rc != ERR_NOTFOUND)
		return rc;
	err_init(err);
	return err_set(err, ERR_DAMAGED, "GHOARD_MASTER_KEY_FILE names %s, which is not there",
	    p->env.key_file);
}

static int from_systemd(const struct masterkey_place *p, uint8_t *key, struct err *err)
{
	char path[1024];

	if (p->env.systemd_dir == NULL ||
	    snprintf(path, sizeof(path), "%s/" SYSTEMD_NAME, p->env.systemd_dir) >= (int)sizeof(path))
		return ERR_NOTFOUND;
	return key_from_file(AT_FDCWD, path, false, true, key, err);
}

/* ---- the keyrings ---- */

static void cache_name(const struct masterkey_place *p, char out[static KERNRING_NAME_MAX])
{
	uint8_t hash[SHA256_LEN];
	struct hash_sha256 h;
	struct stat st;
	char hex[17];

	memset(&st, 0, sizeof(st));
	fstat(p->dirfd, &st);
	hash_sha256_init(&h);
	hash_sha256_add(&h, &st.st_dev, sizeof(st.st_dev));
	hash_sha256_add(&h, &st.st_ino, sizeof(st.st_ino));
	hash_sha256_out(&h, hash);
	hex_encode(hex, hash, 8);
	snprintf(out, KERNRING_NAME_MAX, "ghoard:mk:%s", hex);
}

void masterkey_uncache(const struct masterkey_place *p)
{
	char name[KERNRING_NAME_MAX];

	cache_name(p, name);
	kernring_drop(name);
}

static int from_cache(const struct masterkey_place *p, uint8_t *key)
{
	char name[KERNRING_NAME_MAX];

	if (p->cache_s == 0)
		return ERR_NOTFOUND;
	cache_name(p, name);
	return kernring_get(name, key, MASTERKEY_LEN) ? 0 : ERR_NOTFOUND;
}

/* What the mark says of a key: the rest of the mark, in hex. */
static void ring_print(const uint8_t *key, char hex[static 2 * RING_ID_LEN + 1])
{
	uint8_t tag[RING_ID_LEN];

	kdf_hkdf(tag, sizeof(tag), span_make(key, MASTERKEY_LEN), span_make("", 0), "ghoard keyring mark 1");
	hex_encode(hex, tag, sizeof(tag));
}

/* Which key this folder has put into the keyring's entry: a copy of the folder has not. */
static void own_print(const struct masterkey_place *p, const uint8_t *key, char hex[static OWN_LEN + 1])
{
	uint8_t tag[RING_ID_LEN];
	uint64_t where[2];
	struct stat st;

	memset(&st, 0, sizeof(st));
	fstat(p->dirfd, &st);
	where[0] = st.st_dev;
	where[1] = st.st_ino;
	kdf_hkdf(tag, sizeof(tag), span_make(key, MASTERKEY_LEN), span_make(where, sizeof(where)),
	    "ghoard keyring owner 1");
	hex_encode(hex, tag, sizeof(tag));
}

static bool is_own(const struct masterkey_place *p, const uint8_t *key)
{
	char hex[OWN_LEN + 1];
	struct stat st;
	struct buf b;
	bool own;

	own_print(p, key, hex);
	buf_init(&b, OWN_LEN);
	own = file_read_at(p->dirfd, RING_OWN, OWN_LEN, &b, &st, NULL) == 0 && span_eq(buf_span(&b), hex);
	buf_free(&b);
	return own;
}

/* The passing entry's id, and which key is on its way out; one that was written without the latter will do.
 */
static bool read_mark(const struct masterkey_place *p, struct buf *b)
{
	struct stat st;

	return file_read_at(p->dirfd, RING_MARK, RING_MARK_LEN, b, &st, NULL) == 0 &&
	    (buf_len(b) == RING_ID_LEN || buf_len(b) == RING_MARK_LEN) && hex_is(buf_span(b), false);
}

/* The keyring is a user's, who may have several stores: the passing entry is this folder's alone, as a file
 * in it says. false: there is none. */
static bool ring_entry(const struct masterkey_place *p, enum masterkey_source s,
    char out[static RING_NAME_MAX])
{
	struct buf b;
	bool ok = s == MASTERKEY_RING;

	buf_init(&b, RING_MARK_LEN);
	if (ok)
		snprintf(out, RING_NAME_MAX, "%s", KEYRING_NAME);
	else if (read_mark(p, &b)) {
		snprintf(out, RING_NAME_MAX, "%s.%.*s", KEYRING_NEXT, RING_ID_LEN, (char *)buf_data(&b));
		ok = true;
	}
	buf_free(&b);
	return ok;
}

int masterkey_mark_ring(const struct masterkey_place *p, const uint8_t *old, struct err *err)
{
	uint8_t id[RING_ID_LEN / 2];
	char hex[RING_MARK_LEN + 1];
	int rc = rand_bytes(id, sizeof(id), err);

	hex_encode(hex, id, sizeof(id));
	ring_print(old, hex + RING_ID_LEN);
	return rc != 0 ? rc : file_write(p->dirfd, RING_MARK, 0600, true, hex, RING_MARK_LEN, err);
}

/* Locked, slow or no bus: not there. Something else than a key: damaged. */
static int from_ring(const struct masterkey_place *p, enum masterkey_source s, uint8_t *key, struct err *err)
{
	char name[RING_NAME_MAX];
	struct buf text;
	struct err why;
	int rc;

	if (!ring_entry(p, s, name) || !keyring_is_here())
		return ERR_NOTFOUND;
	err_init(&why);
	buf_init(&text, TEXT_MAX);
	rc = keyring_get(name, &text, &why) == 0 ? 0 : ERR_NOTFOUND;
	if (rc == 0 && !parse_key(buf_span(&text), false, key))
		rc = err_set(err, ERR_DAMAGED, "the keyring's entry %s holds no key", name);
	buf_wipe(&text);
	return rc;
}

/* ---- the passphrase ---- */

struct pass {
	uint32_t rounds;
	uint8_t salt[SALT_LEN], check[CHECK_LEN];
};

static int read_pass(const struct masterkey_place *p, const char *file, struct pass *pass, struct err *err)
{
	struct span v, text;
	struct buf b;
	uint64_t rounds = 0;
	int rc;
	bool ok;

	buf_init(&b, TEXT_MAX + 1);
	rc = read_key_file(p->dirfd, file, true, &b, err);
	text = buf_span(&b);
	ok = rc == 0 && jscan_member(text, "kdf", &v) == 1 && jscan_str_eq(v, "pbkdf2-hmac-sha256") &&
	    jscan_member(text, "rounds", &v) == 1 && span_u64(v, UINT32_MAX, &rounds) &&
	    jscan_member(text, "salt", &v) == 1 && v.n == 2 * SALT_LEN + 2 &&
	    hex_decode(pass->salt, SALT_LEN, span_sub(v, 1, v.n - 2)) &&
	    jscan_member(text, "check", &v) == 1 && v.n == 2 * CHECK_LEN + 2 &&
	    hex_decode(pass->check, CHECK_LEN, span_sub(v, 1, v.n - 2));
	pass->rounds = (uint32_t)rounds;
	buf_free(&b);
	if (rc == 0 && !ok)
		return refuse(err, file, "is damaged; nothing was changed");
	if (rc == 0 && (rounds < MASTERKEY_ROUNDS_MIN || rounds > MASTERKEY_ROUNDS_MAX))
		return err_set(err, ERR_DAMAGED, "%s asks for %u rounds; between %d and %d are taken", file,
		    pass->rounds, MASTERKEY_ROUNDS_MIN, MASTERKEY_ROUNDS_MAX);
	return rc;
}

static int ask_pass(const struct masterkey_place *p, bool fresh, struct buf *out, struct err *err)
{
	safe_buf(p->safe, out, MASTERKEY_PASS_MAX);
	if (p->ask == NULL)
		return err_set(err, ERR_DAMAGED,
		    "the key needs a passphrase: name its file in GHOARD_PASSPHRASE_FILE");
	return p->ask(p->arg, fresh, out, err);
}

static void derive(struct pass *pass, struct span words, uint8_t *key, uint8_t check[static CHECK_LEN])
{
	pbkdf2_sha256(key, MASTERKEY_LEN, words, span_make(pass->salt, SALT_LEN), pass->rounds);
	kdf_hkdf(check, CHECK_LEN, span_make(key, MASTERKEY_LEN), span_make("", 0),
	    "ghoard passphrase check 1");
}

static int from_pass(const struct masterkey_place *p, const char *file, uint8_t *key, struct err *err)
{
	uint8_t check[CHECK_LEN];
	struct pass pass;
	struct buf words;
	int rc = read_pass(p, file, &pass, err);

	if (rc == 0)
		rc = ask_pass(p, false, &words, err);
	if (rc != 0)
		return rc;
	derive(&pass, buf_span(&words), key, check);
	safe_buf_clear(&words);
	if (mem_same_ct(check, pass.check, CHECK_LEN))
		return 0;
	wipe(key, MASTERKEY_LEN);
	/* cut off on the way from one passphrase to another, the words may be the other's */
	if (strcmp(file, sources[MASTERKEY_PASS].file) == 0 &&
	    file_is_there(p->dirfd, sources[MASTERKEY_PASS_NEXT].file))
		return ERR_NOTFOUND;
	return err_set(err, ERR_DAMAGED, "the passphrase is not the one of %s/%s; nothing was changed",
	    p->dir, file);
}

int masterkey_make_pass(const struct masterkey_place *p, enum masterkey_source s,
    uint8_t key[static MASTERKEY_LEN], struct err *err)
{
	char text[TEXT_MAX], salt[2 * SALT_LEN + 1], check_hex[2 * CHECK_LEN + 1];
	uint8_t check[CHECK_LEN];
	struct pass pass = { .rounds = p->rounds != 0 ? p->rounds : MASTERKEY_ROUNDS };
	struct buf words;
	int n, rc = rand_bytes(pass.salt, SALT_LEN, err);

	if (rc == 0)
		rc = ask_pass(p, true, &words, err);
	if (rc != 0)
		return rc;
	if (buf_len(&words) < 12)
		return err_set(err, ERR_USAGE, "a passphrase has at least 12 characters");
	derive(&pass, buf_span(&words), key, check);
	safe_buf_clear(&words);
	hex_encode(salt, pass.salt, SALT_LEN);
	hex_encode(check_hex, check, CHECK_LEN);
	n = snprintf(text, sizeof(text),
	    "{\"v\":1,\"kdf\":\"pbkdf2-hmac-sha256\",\"rounds\":%u,\"salt\":\"%s\",\"check\":\"%s\"}\n",
	    pass.rounds, salt, check_hex);
	return file_write(p->dirfd, sources[s].file, 0600, true, text, (size_t)n, err);
}

/* ---- all of them ---- */

int masterkey_read(const struct masterkey_place *p, enum masterkey_source s,
    uint8_t key[static MASTERKEY_LEN], struct err *err)
{
	switch (s) {
	case MASTERKEY_NONE:
	case MASTERKEY_MADE:
		break;
	case MASTERKEY_NAMED:
		return from_named(p, key, err);
	case MASTERKEY_SYSTEMD:
		return from_systemd(p, key, err);
	case MASTERKEY_CACHE:
		return from_cache(p, key);
	case MASTERKEY_RING:
	case MASTERKEY_RING_NEXT:
		return from_ring(p, s, key, err);
	case MASTERKEY_FILE:
	case MASTERKEY_FILE_NEXT:
		return key_from_file(p->dirfd, sources[s].file, true, false, key, err);
	case MASTERKEY_PASS:
	case MASTERKEY_PASS_NEXT:
		return from_pass(p, sources[s].file, key, err);
	}
	return ERR_NOTFOUND;
}

static void keep(const struct masterkey_place *p, enum masterkey_source s, const uint8_t *key)
{
	char name[KERNRING_NAME_MAX];

	if (p->cache_s == 0 || (s != MASTERKEY_RING && s != MASTERKEY_PASS))
		return;
	cache_name(p, name);
	kernring_put(name, key, MASTERKEY_LEN, p->cache_s);
}

/* Good for a store that was sealed under it, no beginning for a new one: it is to go, or another store's. */
static bool is_no_beginning(enum masterkey_source s)
{
	return s == MASTERKEY_CACHE || s == MASTERKEY_RING || s == MASTERKEY_RING_NEXT ||
	    s == MASTERKEY_FILE_NEXT || s == MASTERKEY_PASS_NEXT;
}

int masterkey_find(const struct masterkey_place *p, bool (*opens)(void *arg, const uint8_t *key), void *arg,
    uint8_t key[static MASTERKEY_LEN], enum masterkey_source *found, struct err *err)
{
	char seen[256] = "";

	for (int s = MASTERKEY_NAMED; s < MASTERKEY_MADE; s++) {
		struct err why;
		int rc;

		if (opens == NULL && is_no_beginning((enum masterkey_source)s))
			continue;
		err_init(&why);
		rc = masterkey_read(p, (enum masterkey_source)s, key, &why);
		if (rc == ERR_NOTFOUND)
			continue;
		if (rc != 0)
			return err_set(err, rc, "%s", why.msg);
		if (opens == NULL || opens(arg, key)) {
			*found = (enum masterkey_source)s;
			keep(p, *found, key);
			return 0;
		}
		wipe(key, MASTERKEY_LEN);
		if (s != MASTERKEY_CACHE)
			snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%s",
			    seen[0] != '\0' ? ", " : "", masterkey_name((enum masterkey_source)s));
	}
	if (seen[0] != '\0')
		return err_set(err, ERR_DAMAGED,
		    "no key opens %s/credentials.json.enc (tried: %s): it is under another key, which is to "
		    "be put "
		    "back, or damaged, which 'ghoard cred doctor --repair' mends; nothing was changed",
		    p->dir, seen);
	return err_set(err, ERR_NOTFOUND, "there is no master key");
}

static int write_own(const struct masterkey_place *p, const uint8_t *key, struct err *err)
{
	char hex[OWN_LEN + 1];

	own_print(p, key, hex);
	return file_write(p->dirfd, RING_OWN, 0600, true, hex, OWN_LEN, err);
}

int masterkey_write(const struct masterkey_place *p, enum masterkey_source s,
    const uint8_t key[static MASTERKEY_LEN], struct err *err)
{
	char name[RING_NAME_MAX];
	struct buf text;
	int rc;

	safe_buf(p->safe, &text, 64);
	b64_encode(&text, key, MASTERKEY_LEN);
	if (text.failed)
		return err_set(err, ERR_INTERNAL, "no memory for a key");
	/* the mark first: an entry without one is never replaced */
	rc = s == MASTERKEY_RING ? write_own(p, key, err) : 0;
	if (rc == 0 && (s == MASTERKEY_RING || s == MASTERKEY_RING_NEXT))
		rc = ring_entry(p, s, name) ? keyring_set(name, buf_span(&text), err)
					    : err_set(err, ERR_IO, "%s/%s cannot be read", p->dir, RING_MARK);
	else if (rc == 0)
		rc = file_write(p->dirfd, sources[s].file, 0600, true, buf_data(&text), buf_len(&text), err);
	safe_buf_clear(&text);
	return rc;
}

int masterkey_drop(const struct masterkey_place *p, enum masterkey_source s, struct err *err)
{
	char name[RING_NAME_MAX];
	struct err why;

	if (s == MASTERKEY_RING || s == MASTERKEY_RING_NEXT) {
		/* where the keyring is not, the mark stays and tells the next one */
		if (!ring_entry(p, s, name) || !keyring_is_here())
			return 0;
		err_init(&why);
		keyring_drop(name, &why);
		return file_remove(p->dirfd, s == MASTERKEY_RING ? RING_OWN : RING_MARK, false, err);
	}
	return sources[s].file != NULL ? file_remove(p->dirfd, sources[s].file, true, err) : 0;
}

/* Is it the one that the mark says is on its way out? */
static bool is_marked(const struct masterkey_place *p, const uint8_t *key)
{
	char hex[2 * RING_ID_LEN + 1];
	struct buf b;
	bool same;

	ring_print(key, hex);
	buf_init(&b, RING_MARK_LEN);
	same = read_mark(p, &b) && buf_len(&b) == RING_MARK_LEN &&
	    memcmp(buf_data(&b) + RING_ID_LEN, hex, 2 * RING_ID_LEN) == 0;
	buf_free(&b);
	return same;
}

enum masterkey_ring masterkey_ring_whose(const struct masterkey_place *p, const uint8_t *key)
{
	uint8_t *room = safe_take(p->safe, MASTERKEY_LEN);
	enum masterkey_ring whose = MASTERKEY_RING_OTHER;
	struct err why;
	int rc;

	if (room == NULL)
		return whose;
	err_init(&why);
	rc = from_ring(p, MASTERKEY_RING, room, &why);
	if (rc == ERR_NOTFOUND)
		whose = MASTERKEY_RING_NONE;
	else if (rc == 0 &&
	    (is_marked(p, room) ||
		(key != NULL && mem_same_ct(room, key, MASTERKEY_LEN) && is_own(p, room))))
		whose = MASTERKEY_RING_OURS;
	wipe(room, MASTERKEY_LEN);
	return whose;
}

int masterkey_settle(const struct masterkey_place *p, enum masterkey_source next, const uint8_t *key,
    struct err *err)
{
	enum masterkey_source to = (enum masterkey_source)(next - 1);
	int rc;

	if (next == MASTERKEY_RING_NEXT) {
		/* another store's key may have come there since: ours is found where it is, too */
		if (masterkey_ring_whose(p, key) == MASTERKEY_RING_OTHER)
			return 0;
		rc = masterkey_write(p, to, key, err);
		return rc != 0 ? rc : masterkey_drop(p, next, err);
	}
	return file_replace(p->dirfd, sources[next].file, sources[to].file, err);
}
