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

static size_t count_bootstrap(const struct app *a)
{
	const char *const *items;

	return settings_list(a->settings, "p2p.bootstrap_peers", &items) +
	    settings_list(a->settings, "discovery.bootstrap_peers", &items);
}

static void judge(struct doctor *d, const struct app *a, const struct json *o)
{
	const struct json *p;
	size_t n = 0, members = 0, addrs = 0;

	while ((p = json_at(json_get(o, "peers"), n)) != NULL) {
		members +=
		    strcmp(text_of(p, "kind"), "member") == 0 || strcmp(text_of(p, "kind"), "reference") == 0;
		n++;
	}
	while (json_at(json_get(o, "addrs"), addrs) != NULL)
		addrs++;
	if (members == 0 && count_bootstrap(a) > 0)
		doctor_say(d, DOCTOR_WARN, "p2p", "look at the peer's own log, and compare the secrets",
		    "no peer of this group is connected, though bootstrap_peers names some: %s",
		    text_of(o, "failure")[0] != '\0' ? text_of(o, "failure")
						     : "none was dialled; see the log");
	else
		doctor_say(d, addrs > 0 ? DOCTOR_OK : DOCTOR_WARN, "p2p",
		    addrs > 0 ? NULL : "others cannot dial it; look at network.listen.addresses",
		    "the daemon is connected to %zu peers and listens on %s", n,
		    addrs > 0 ? json_str(json_at(json_get(o, "addrs"), 0)) : "no address");
}

static uint64_t number(struct span report, const char *path)
{
	struct span n;
	uint64_t v = 0;

	if (jscan_path(report, path, &n) == 1)
		span_u64(n, INT64_MAX, &v);
	return v;
}

static void judge_answers(struct doctor *d, struct span report)
{
	uint64_t late = number(report, "sharing.late"), asked = number(report, "sharing.asked"),
		 body = number(report, "sharing.bad_body"), seal = number(report, "sharing.bad_seal");

	/* Each waits its whole budget and then asks GitHub all the same. */
	if (late > asked / 5)
		doctor_say(d, DOCTOR_WARN, "p2p",
		    "`ghoard peers ls` names them; peer_blocklist keeps one out",
		    "%" PRIu64 " of %" PRIu64 " look-ups got no answer from peers in time", late, asked);
	if (body + seal > 0)
		doctor_say(d, DOCTOR_WARN, "p2p",
		    "the log names who sends them; peer_blocklist keeps one out",
		    "%" PRIu64 " bodies of peers were not what was asked for, %" PRIu64
		    " messages were sealed with another secret or damaged",
		    body, seal);
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

/* `now`: the daemon's; NULL: there is none. */
static void look_at_identity(struct doctor *d, const struct app *a, const char *now)
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
	if (now == NULL && peering_is_fleeting(a))
		doctor_say(d, DOCTOR_OK, "identity", NULL, "each daemon here is another one among its peers");
	else
		doctor_say(d, DOCTOR_OK, "identity", NULL, "this node is %s among its peers",
		    now != NULL ? now : text);
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

static struct json *ask(const struct app *a, struct buf *b)
{
	struct json *o = NULL;
	char socket[256];

	if (daemon_socket(a, socket, sizeof(socket), NULL) == 0 && daemon_is_ours(socket) &&
	    daemon_ask(socket, "GET", "/_ghoard/peers", b, NULL) == 0)
		json_parse(buf_span(b), &o);
	return o;
}

void doctor_peers(struct doctor *d, const struct app *a)
{
	const char *why, *secret = getenv("CACHE_P2P_SHARED_SECRET");
	bool wanted = secret != NULL && secret[0] != '\0' && settings_bool(a->settings, "p2p.enabled");
	bool on = peering_judge(a, &why) == PEERING_ON;
	struct json *o;
	struct buf b;

	buf_init(&b, REPORT_MAX);
	o = ask(a, &b);
	if (on) {
		look_at_identity(d, a, json_str(json_get(o, "id")));
		look_at_group(d, a);
	} else {
		doctor_say(d, wanted ? DOCTOR_WARN : DOCTOR_OK, "p2p", NULL, "off: %s", why);
	}
	if (strcmp(text_of(o, "state"), "on") == 0) {
		judge(d, a, o);
		judge_answers(d, buf_span(&b));
		judge_registry(d, json_get(o, "registry"));
		judge_mdns(d, json_get(o, "mdns"));
	} else if (on && o != NULL) {
		doctor_say(d, DOCTOR_WARN, "p2p", NULL, "the daemon has no peers: %s",
		    text_of(o, "why")[0] != '\0' ? text_of(o, "why") : "it still derives its group key");
	}
	buf_free(&b);
	json_free(o);
}
