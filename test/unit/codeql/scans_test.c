#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "codeql/scans.h"
#include "store/entry.h"

static char here[] = "/tmp/ghoard-scans-here-XXXXXX", there[] = "/tmp/ghoard-scans-there-XXXXXX";
static struct ed25519_key key;
static const char sarif[] = "{\"version\":\"2.1.0\",\"runs\":[]}";

static int setup(void **state)
{
	(void)state;
	ed25519_keygen(&key, (const uint8_t *)"0123456789abcdef0123456789abcdef");
	return mkdtemp(here) != NULL && mkdtemp(there) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s %s", here, there);
	return system(command);
}

static struct scan made(void)
{
	struct scan scan = { .repo = "o/r", .tool = "T", .version = "1", .event = "push", .pinned = true };

	memset(scan.fingerprint, 'f', 64);
	memset(scan.config, 'c', 64);
	scan.finished = clock_wall();
	scan.started = scan.finished - 60 * CLOCK_SEC;
	cid_of(scan.cid, sarif, strlen(sarif));
	return scan;
}

static struct scans *open_in(const char *dir, bool trusts, bool signs, const struct scan_peers *peers)
{
	static const uint8_t(*keys)[ED25519_PUB_LEN];
	struct scans_params p = { .dir = dir, .ntrusted = trusts ? 1 : 0, .key = signs ? &key : NULL,
		.peers = peers };
	struct scans *s;
	struct err err;

	keys = (const uint8_t(*)[ED25519_PUB_LEN])key.pub;
	p.trusted = keys;
	err_init(&err);
	assert_int_equal(scans_open(&p, &s, &err), 0);
	return s;
}

static void put(struct scans *s, const struct scan *scan)
{
	char name[128];
	struct err err;

	err_init(&err);
	assert_int_equal(scans_put(s, scan, 3600, &err), 0);
	snprintf(name, sizeof(name), "%s.sarif", scan->cid);
	assert_int_equal(file_write(scans_sarif_fd(s), name, 0600, false, sarif, strlen(sarif), &err), 0);
}

static enum scan_answer find(struct scans *s, const struct scan *want, int64_t now, bool *from_peer)
{
	struct scan_ask ask = { .want = want, .now = now, .max_age = 86400 };
	struct scan_found f;
	enum scan_answer answer;

	scans_find(s, &ask, &f);
	answer = f.answer;
	*from_peer = f.from_peer;
	if (answer == SCANS_FOUND)
		assert_int_equal(access(f.sarif, R_OK), 0);
	scan_found_free(&f);
	return answer;
}

/* ---- a peer: the other folder ---- */

struct peer {
	bool other_sarif, has_none;
	unsigned asked;
};

static int peer_entry(void *arg, struct span name, struct span tag, struct buf *out)
{
	struct peer *p = arg;
	char pattern[256], path[512] = "";
	FILE *ls;

	(void)name;
	p->asked++;
	if (p->has_none || !span_eq(tag, "full"))
		return 0;
	snprintf(pattern, sizeof(pattern), "ls %s/github_cache/codeql_tree-*-full.json", there);
	ls = popen(pattern, "r");
	assert_non_null(fgets(path, sizeof(path), ls));
	pclose(ls);
	path[strcspn(path, "\n")] = '\0';
	return file_read(path, 1 << 20, false, out, NULL) == 0;
}

static int peer_sarif(void *arg, const char *cid, struct buf *out)
{
	struct peer *p = arg;

	(void)cid;
	buf_adds(out, p->other_sarif ? "{}" : sarif);
	return 1;
}

static void clear(const char *dir)
{
	struct scans *s = open_in(dir, false, false, NULL);
	struct err err;

	err_init(&err);
	assert_true(scans_clear(s, &err) >= 0);
	scans_free(s);
}

/* Nothing here: a peer's entry counts if a trusted key has signed it and its SARIF is what its CID says. */
static void test_peers(void **state)
{
	static const struct {
		bool there_signs, here_trusts, other_sarif, has_none;
		enum scan_answer want;
	} table[] = {
		{ true, true, false, false, SCANS_FOUND },
		{ false, true, false, false, SCANS_UNSIGNED },
		{ true, false, false, false, SCANS_NONE },
		{ true, true, true, false, SCANS_NONE },
		{ true, true, false, true, SCANS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct peer peer = { table[i].other_sarif, table[i].has_none, 0 };
		struct scan_peers peers = { peer_entry, peer_sarif, &peer };
		struct scans *other = open_in(there, false, table[i].there_signs, NULL);
		struct scan scan = made();
		bool from_peer;

		put(other, &scan);
		scans_free(other);
		struct scans *s = open_in(here, table[i].here_trusts, false, &peers);
		assert_int_equal(find(s, &scan, clock_wall(), &from_peer), table[i].want);
		if (table[i].want == SCANS_FOUND) {
			unsigned asked = peer.asked;
			assert_true(from_peer && asked > 0);
			/* kept: the next look-up asks nobody */
			assert_int_equal(find(s, &scan, clock_wall(), &from_peer), SCANS_FOUND);
			assert_true(!from_peer && peer.asked == asked);
		}
		if (!table[i].here_trusts)
			assert_int_equal(peer.asked, 0);
		scans_free(s);
		clear(here);
		clear(there);
	}
}

static void test_ages(void **state)
{
	struct scans *s = open_in(here, false, false, NULL);
	struct scan scan = made();
	int64_t now = scan.finished;
	bool from_peer;

	(void)state;
	assert_int_equal(find(s, &scan, now, &from_peer), SCANS_NONE);
	put(s, &scan);
	assert_int_equal(find(s, &scan, now, &from_peer), SCANS_FOUND);
	assert_int_equal(find(s, &scan, now + 3599 * CLOCK_SEC, &from_peer), SCANS_FOUND);
	assert_int_equal(find(s, &scan, now + 3600 * CLOCK_SEC, &from_peer), SCANS_EXPIRED);
	assert_int_equal(find(s, &scan, now - 60 * CLOCK_SEC, &from_peer), SCANS_FOUND);
	assert_int_equal(find(s, &scan, now - 61 * CLOCK_SEC, &from_peer), SCANS_DAMAGED);
	scans_free(s);
	clear(here);
}

static int count_rows(void *arg, const struct scan_row *row)
{
	(void)row;
	++*(int *)arg;
	return 0;
}

static void test_sweeping(void **state)
{
	struct scans *s = open_in(here, false, false, NULL);
	struct scan scan = made();
	struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	char path[PATH_MAX];
	struct err err;
	int rows = 0;

	(void)state;
	err_init(&err);
	put(s, &scan);
	assert_int_equal(file_write(scans_sarif_fd(s), "orphan.sarif", 0600, false, "x", 1, &err), 0);
	assert_int_equal(scans_sweep(s, clock_wall(), 86400), 0);
	/* young: perhaps a scan that is under way */
	assert_int_equal(faccessat(scans_sarif_fd(s), "orphan.sarif", F_OK, 0), 0);
	utimensat(scans_sarif_fd(s), "orphan.sarif", old, 0);
	scans_sarif_path(s, scan.cid, path);
	utimensat(AT_FDCWD, path, old, 0);
	assert_int_equal(scans_sweep(s, clock_wall(), 86400), 0);
	assert_int_not_equal(faccessat(scans_sarif_fd(s), "orphan.sarif", F_OK, 0), 0);
	assert_int_equal(access(path, R_OK), 0);		/* old, and an entry names it */
	assert_true(scans_sweep(s, clock_wall() + 2 * 86400 * CLOCK_SEC, 86400) > 0);
	assert_int_equal(scans_each(s, clock_wall(), 86400, count_rows, &rows, &err), 0);
	assert_int_equal(rows, 0);
	scans_sweep(s, clock_wall() + 2 * 86400 * CLOCK_SEC, 86400);
	assert_int_not_equal(access(path, R_OK), 0);
	scans_free(s);
}

static void test_counting_once(void **state)
{
	struct scans *s = open_in(here, false, false, NULL);

	(void)state;
	assert_true(scans_count_once(s, span_of("a")));
	assert_false(scans_count_once(s, span_of("a")));
	assert_true(scans_count_once(s, span_of("b")));
	scans_free(s);
	clear(here);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_sweeping),
		cmocka_unit_test(test_counting_once),
	};

	return cmocka_run_group_tests_name("codeql/scans", tests, setup, teardown);
}
