#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jscan.h"
#include "base/json.h"
#include "cli/app.h"
#include "cli/daemon.h"
#include "cli/doctor.h"
#include "cli/peering.h"
#include "config/layers.h"
#include "crypto/ed25519.h"
#include "p2p/peerid.h"

#define REPORT_MAX ((size_t)2 << 20)

static const char *text_of(const struct json *o, const char *key)
{
	const char *s = json_str(json_get(o, key));

	return s != NULL ? s : "";
}

static void judge(struct doctor *d, const struct json *o)
{
	size_t n = 0, addrs = 0;

	if (strcmp(text_of(o, "state"), "on") != 0) {
		doctor_say(d, DOCTOR_WARN, "p2p", NULL, "the daemon has no peers: %s", text_of(o, "why"));
		return;
	}
	while (json_at(json_get(o, "peers"), n) != NULL)
		n++;
	while (json_at(json_get(o, "addrs"), addrs) != NULL)
		addrs++;
	doctor_say(d, addrs > 0 ? DOCTOR_OK : DOCTOR_WARN, "p2p",
	    addrs > 0 ? NULL : "others cannot dial it; look at network.listen.addresses",
	    "the daemon is connected to %zu peers and listens on %s", n,
	    addrs > 0 ? json_str(json_at(json_get(o, "addrs"), 0)) : "no address");
}

/* Each waits its whole budget and then asks GitHub all the same. */
static void judge_answers(struct doctor *d, struct span report)
{
	uint64_t late = 0, asked = 0;
	struct span n;

	if (jscan_path(report, "sharing.late", &n) == 1)
		span_u64(n, INT64_MAX, &late);
	if (jscan_path(report, "sharing.asked", &n) == 1)
		span_u64(n, INT64_MAX, &asked);
	if (late > asked / 5)
		doctor_say(d, DOCTOR_WARN, "p2p", "`ghoard peers ping` shows who is silent",
		    "%" PRIu64 " of %" PRIu64 " look-ups got no answer from peers in time", late, asked);
}

static void judge_registry(struct doctor *d, const struct json *r)
{
	const char *state = text_of(r, "state"), *why = text_of(r, "why");

	if (r == NULL || strcmp(state, "off") == 0)
		return;		/* outside Actions there is none, and bootstrap_peers do */
	if (strcmp(state, "looks") == 0)
		doctor_say(d, DOCTOR_WARN, "registry", NULL,
		    "the daemon looks for peers in the Actions cache of %s, but others do not find it: %s",
		    text_of(r, "repository"), why);
	else
		doctor_say(d, why[0] == '\0' ? DOCTOR_OK : DOCTOR_WARN, "registry", NULL,
		    "the Actions cache of %s lists peers%s%s", text_of(r, "repository"),
		    why[0] == '\0' ? "" : ", but: ", why);
}

static void judge_mdns(struct doctor *d, const struct json *o)
{
	if (strcmp(text_of(o, "state"), "on") == 0)
		doctor_say(d, DOCTOR_OK, "mdns", NULL, "peers on the LAN are looked for");
	else if (o != NULL)
		doctor_say(d, DOCTOR_OK, "mdns", NULL, "off: %s", text_of(o, "why"));
}

static void look_at_daemon(struct doctor *d, const char *socket)
{
	struct json *o = NULL;
	struct buf b;
	struct err err;

	err_init(&err);
	buf_init(&b, REPORT_MAX);
	if (daemon_ask(socket, "GET", "/_ghoard/peers", &b, &err) == 0 &&
	    json_parse(buf_span(&b), &o) == 0) {
		judge(d, o);
		judge_answers(d, buf_span(&b));
		judge_registry(d, json_get(o, "registry"));
		judge_mdns(d, json_get(o, "mdns"));
	}
	buf_free(&b);
	json_free(o);
}

static void look_at_identity(struct doctor *d, const struct app *a)
{
	char text[PEERID_TEXT_MAX];
	struct ed25519_key key;
	struct peerid id;
	struct err err;

	err_init(&err);
	if (peering_identity(a, &key, &err) != 0) {
		doctor_say(d, DOCTOR_FAIL, "identity", NULL, "%s", err.msg);
		return;
	}
	peerid_of_ed25519(&id, key.pub);
	peerid_text(&id, text);
	doctor_say(d, DOCTOR_OK, "identity", NULL, "this node is %s among its peers", text);
	ed25519_wipe(&key);
}

static void look_at_group(struct doctor *d, const struct app *a)
{
	const char *secret = getenv("CACHE_P2P_SHARED_SECRET");
	const char *share = settings_str(a->settings, "p2p.share");

	if (secret == NULL || secret[0] == '\0')
		doctor_say(d, DOCTOR_WARN, "group", "set CACHE_P2P_SHARED_SECRET, or ENABLE_P2P_CACHE=false",
		    "the token is the group's secret: every ghoard that runs with it is a peer, and gets "
		    "what "
		    "was fetched here with %s",
		    share != NULL && strcmp(share, "all") == 0 ? "any token" : "it");
	if (!settings_bool(a->settings, "security.access_control.verify_repository_access"))
		doctor_say(d, DOCTOR_WARN, "trust", "set verify_repository_access: true",
		    "whoever holds the group's secret can make this machine serve any answer as GitHub's, "
		    "and "
		    "whoever asks it, with any token or none, gets what members' tokens may see of "
		    "repositories");
}

void doctor_peers(struct doctor *d, const struct app *a)
{
	char socket[256];
	const char *why;

	if (peering_judge(a, &why) != PEERING_ON)
		return;		/* the secret and the token have their own lines */
	look_at_identity(d, a);
	look_at_group(d, a);
	if (daemon_socket(a, socket, sizeof(socket), NULL) == 0 && daemon_is_ours(socket))
		look_at_daemon(d, socket);
}
