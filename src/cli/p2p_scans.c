#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/app.h"
#include "cli/daemon.h"
#include "cli/p2p_files.h"
#include "cli/p2p_scans.h"
#include "codeql/scans.h"
#include "config/layers.h"
#include "crypto/cid.h"
#include "http/server.h"
#include "http/url.h"
#include "p2p/share.h"
#include "proxy/control.h"
#include "store/entry.h"

#define ENTRY_MS 500		/* a scan takes minutes: longer than an answer of the API is waited for */
#define SARIF_MS 4000
#define NAMED_MAX 16		/* SARIF that peers may ask for: of the entries that they got last */

/* ---- what peers may have ---- */

static char named[NAMED_MAX][CID_TEXT_LEN + 1];
static size_t nnamed;

static struct scans *open_scans(struct app *a, uint8_t trusted[static SCANS_KEYS_MAX][ED25519_PUB_LEN])
{
	const char *const *items;
	size_t n = settings_list(a->settings, "codeql.trusted_keys", &items);
	const char *dir = settings_str(a->settings, "codeql.directory");
	struct scans_params p = { .dir = dir, .trusted = (const uint8_t(*)[ED25519_PUB_LEN])trusted };
	struct scans *s = NULL;
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < n && p.ntrusted < SCANS_KEYS_MAX; i++)
		p.ntrusted += scan_public_key(span_of(items[i]), trusted[p.ntrusted]);
	if (dir == NULL || p.ntrusted == 0 || snprintf(path, sizeof(path), "%s/sarif", dir) >= PATH_MAX ||
	    stat(path, &st) != 0)
		return NULL;
	scans_open(&p, &s, NULL);
	return s;
}

static void hold(struct swarm_held *held, struct entry *e)
{
	const char *front = (const char *)buf_data(&e->image);

	held->image = span_make(front, (size_t)(e->data.p - front));
	held->body = e->body;
	held->entry = e;
}

static bool is_named(struct span cid)
{
	for (size_t i = 0; i < NAMED_MAX; i++)
		if (named[i][0] != '\0' && span_eq(cid, named[i]))
			return true;
	return false;
}

static bool hold_sarif(struct app *a, struct span cid, struct swarm_held *held)
{
	const char *dir = settings_str(a->settings, "codeql.directory");
	char path[PATH_MAX], image[384];	/* of an entry of its own, as every body travels in one */
	struct stat st;
	int n, fd;

	if (dir == NULL ||
	    snprintf(path, sizeof(path), "%s/sarif/%.*s.sarif", dir, (int)cid.n, cid.p) >= PATH_MAX)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 1 ||
	    (uintmax_t)st.st_size > WIRE_BODY_MAX) {
		close(fd);
		return false;
	}
	n = snprintf(image, sizeof(image),
	    "{\"cache_key\":\"%.*s\",\"timestamp\":%" PRId64 ".000000,\"ttl\":1,\"content_hash\":null,"
	    "\"validation_fields\":null,\"ghoard\":{\"v\":1,\"cid\":\"%.*s\",\"status\":200,"
	    "\"auth\":\"scan\",\"headers\":[],\"encoding\":\"json\"},\"data\":",
	    (int)cid.n, cid.p, clock_wall() / CLOCK_SEC, (int)cid.n, cid.p);
	return p2p_files_hold(fd, span_make(image, (size_t)n), 0, (uint64_t)st.st_size, held);
}

bool p2p_scans_find(struct app *a, struct span key, struct span cid, struct swarm_held *held)
{
	uint8_t trusted[SCANS_KEYS_MAX][ED25519_PUB_LEN];
	struct entry *e = NULL;
	struct scans *s;
	struct scan scan;

	if (cid.n > 0)
		return is_named(cid) && hold_sarif(a, cid, held);
	if (span_starts(key, SCAN_OP ":") && (s = open_scans(a, trusted)) != NULL) {
		e = scans_shared(s, key, &scan);
		scans_free(s);
		if (e != NULL && !is_named(span_of(scan.cid)))
			snprintf(named[nnamed++ % NAMED_MAX], sizeof(named[0]), "%s", scan.cid);
	}
	if (e != NULL)
		hold(held, e);
	return e != NULL;
}

/* ---- asking for a command ---- */

struct asking {
	struct asking *next;
	struct exchange *x;
	struct share_call *call;
	bool body;			/* SARIF is wanted, not an entry */
};
static struct asking *all;

static void forget(struct asking *k)
{
	struct asking **at = &all;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	free(k);
}

static void on_answer(void *arg, const struct share_answer *a)
{
	struct asking *k = arg;
	struct exchange *x = k->x;
	bool body = k->body;
	struct buf image;

	forget(k);
	buf_init(&image, ENTRY_FILE_MAX);
	if (a->outcome == SHARE_HIT && !body)
		message_entry_image(&image, a->file, span_of("{}"), a->body);
	if (a->outcome != SHARE_HIT || image.failed)
		control_send(x, 404, span_of("no peer has it\n"));
	else
		control_send(x, 200, body ? a->body : buf_span(&image));
	buf_free(&image);
}

void p2p_scans_ask(struct share *s, struct exchange *x, struct span query)
{
	uint8_t text[SCAN_KEY_MAX];
	bool body = span_starts(query, "cid=");
	ssize_t n = body || span_starts(query, "key=")
	    ? url_decode(text, sizeof(text), span_sub(query, 4, query.n))
	    : -1;
	struct span what = span_make(text, n > 0 ? (size_t)n : 0);
	struct share_want want = { .unannounced = true, .budget_ms = body ? SARIF_MS : ENTRY_MS };
	struct asking *k;

	*(body ? &want.cid : &want.key) = what;
	if (s == NULL || n <= 0 || (k = calloc(1, sizeof(*k))) == NULL) {
		control_send(x, 404, span_of("nobody can be asked\n"));
		return;
	}
	k->x = x;
	k->body = body;
	k->next = all;
	all = k;
	if (share_start(s, &want, on_answer, k, &k->call, NULL) != 0) {
		forget(k);
		control_send(x, 404, span_of("no peer is there\n"));
	}
}

void p2p_scans_gone(struct exchange *x)
{
	for (struct asking *k = all, *next; k != NULL; k = next) {
		next = k->next;
		if (k->x == x) {
			share_cancel(k->call);
			forget(k);
		}
	}
}

/* ---- in the command ---- */

static int ask_daemon(struct app *a, const char *what, struct span value, struct buf *out)
{
	struct buf path;
	char socket[256];
	struct err err;
	int rc = 0;

	err_init(&err);
	buf_init(&path, 4 * SCAN_KEY_MAX);
	buf_addf(&path, "/_ghoard/scan?%s=", what);
	url_encode(&path, value);
	if (daemon_socket(a, socket, sizeof(socket), &err) == 0 && daemon_is_ours(socket))
		rc = daemon_ask(socket, "GET", buf_cstr(&path), out, &err) == 0;
	buf_free(&path);
	return rc;
}

static int ask_entry(void *arg, struct span key, struct span tag, struct buf *file)
{
	/* a pull request's or a fork's results are nobody else's */
	return span_eq(tag, scan_class_name(SCAN_FULL)) ? ask_daemon(arg, "key", key, file) : 0;
}

static int ask_sarif(void *arg, const char *cid, struct buf *text)
{
	return ask_daemon(arg, "cid", span_of(cid), text);
}

void p2p_scans_peers(struct app *a, struct scan_peers *p)
{
	*p = (struct scan_peers){ ask_entry, ask_sarif, a };
}
