#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/lan.h"
#include "config/layers.h"
#include "p2p/mdns.h"
#include "p2p/swarm.h"

#define CHECK_MS 5000
#define METHOD "discovery.methods.mdns"
#define CGROUP_MAX ((size_t)64 << 10)

/* ---- whether ---- */

/* The control groups of process 1 where they name who made them (version 1; version 2 shows "/" inside). */
static bool is_in_cgroup(const char *path)
{
	static const char *const makers[] = { "docker", "kubepods", "containerd", "libpod", "lxc" };
	struct buf b;
	bool found = false;

	buf_init(&b, CGROUP_MAX);
	if (file_read(path, CGROUP_MAX, true, &b, NULL) == 0)
		for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
			found |= strstr(buf_cstr(&b), makers[i]) != NULL;
	buf_free(&b);
	return found;
}

const char *lan_container(void)
{
	const char *name = getenv("container");

	if (access("/.dockerenv", F_OK) == 0)
		return "a Docker container";
	if (access("/run/.containerenv", F_OK) == 0)
		return "a Podman container";
	if (name != NULL && name[0] != '\0')
		return name;
	if (getenv("KUBERNETES_SERVICE_HOST") != NULL)
		return "a Kubernetes pod";
	return is_in_cgroup("/proc/1/cgroup") ? "a container" : NULL;
}

/* NULL: it is wanted. */
static const char *reason_against(struct lan *l, const struct app *a)
{
	const struct settings *s = a->settings;
	const char *in = lan_container();

	if (!settings_bool(s, "discovery.enabled"))
		return "discovery.enabled is off";
	if (!settings_bool(s, METHOD))
		return METHOD " is off";
	if (in == NULL || strcmp(settings_origin(s, METHOD), "default") != 0)
		return NULL;
	snprintf(l->sentence, sizeof(l->sentence), "inside %s; set " METHOD " to have it", in);
	return l->sentence;
}

/* ---- between the two ---- */

static size_t addrs(void *arg, const struct multiaddr **out)
{
	return swarm_addrs(((struct lan *)arg)->swarm, out);
}

static void found(void *arg, const struct multiaddr *m, bool local)
{
	swarm_learn(((struct lan *)arg)->swarm, m, SWARM_MDNS, local);
}

static bool is_short(void *arg)
{
	const struct lan *l = arg;

	return swarm_count(l->swarm, PEER_MEMBER) < l->min_peers;
}

static void on_check(struct timer *t)
{
	struct lan *l = (struct lan *)(void *)((char *)t - offsetof(struct lan, check));
	unsigned moves = swarm_moves(l->swarm);

	if (moves != l->moves)
		mdns_again(l->mdns);
	l->moves = moves;
	timer_set(l->loop, t, loop_now(l->loop) + CHECK_MS);
}

/* ---- life ---- */

void lan_start(struct lan *l, const struct app *a, struct loop *loop, struct swarm *swarm,
    const uint8_t *group_key)
{
	const struct settings *s = a->settings;
	struct mdns_params p = { .loop = loop, .group_key = group_key, .self = swarm_id(swarm),
		.interval_ms = settings_int(s, "discovery.mdns.interval") * 1000,
		.ttl_s = (uint32_t)settings_int(s, "discovery.mdns.ttl"), .addrs = addrs, .found = found,
		.is_short = is_short, .arg = l };
	struct err err;

	memset(l, 0, sizeof(*l));
	l->loop = loop;
	l->swarm = swarm;
	l->min_peers = (unsigned)settings_int(s, "network.connections.min_peers");
	l->check.fire = on_check;
	l->why = reason_against(l, a);
	err_init(&err);
	if (l->why != NULL)
		return;
	if (mdns_new(&p, &l->mdns, &err) != 0) {
		snprintf(l->sentence, sizeof(l->sentence), "%s", err.msg);
		l->why = l->sentence;
		log_warn("peers on the LAN are not looked for: %s", l->why);
		return;
	}
	l->why = "";
	timer_set(loop, &l->check, loop_now(loop) + CHECK_MS);
}

void lan_stop(struct lan *l)
{
	if (l->mdns == NULL)
		return;
	timer_clear(l->loop, &l->check);
	mdns_free(l->mdns);
	l->mdns = NULL;
	l->why = "the daemon is ending";
}

void lan_report(const struct lan *l, struct json *o)
{
	struct json *n = json_put_object(o, "mdns");

	json_put_str(n, "state", l->mdns != NULL ? "on" : "off");
	json_put_str(n, "why", l->why != NULL ? l->why : "");
	if (l->mdns == NULL)
		return;
	json_put_int(n, "sent", (int64_t)mdns_stats(l->mdns)->sent);
	json_put_int(n, "heard", (int64_t)mdns_stats(l->mdns)->heard);
	json_put_int(n, "found", (int64_t)mdns_stats(l->mdns)->found);
}
