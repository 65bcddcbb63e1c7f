#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/wipe.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/doors.h"
#include "cli/peering.h"
#include "cli/peers_doors.h"
#include "config/layers.h"
#include "loop/loop.h"
#include "p2p/group.h"

struct hand {				/* one command */
	struct app *app;
	struct doors doors;
	uint8_t group_key[WIRE_GROUP_KEY_LEN], pub[ED25519_PUB_LEN];
	struct multiaddr addrs[REGISTRY_ADDRS_MAX];
	size_t naddrs, found;
	struct json *list;		/* of discover */
	bool done;
	struct err *err;
};

/* ---- what the registry calls ---- */

static void found(void *arg, const struct registry_record *r)
{
	int64_t left = r->expiry - clock_wall() / CLOCK_SEC;
	struct hand *h = arg;
	struct json *o = json_put_object(h->list, NULL), *list;
	char text[MULTIADDR_TEXT_MAX];
	bool print = !h->app->globals->json;

	peerid_text(&r->id, text);
	json_put_str(o, "id", text);
	json_put_int(o, "expires_in", left);
	list = json_put_array(o, "addrs");
	h->found++;
	for (size_t i = 0; i < r->naddrs; i++) {
		multiaddr_text(&r->addrs[i], text);
		json_put_str(list, NULL, text);
		if (print)
			printf("%s  %lld s\n", text, (long long)left);
	}
}

static size_t addrs(void *arg, const struct multiaddr **out)
{
	struct hand *h = arg;

	*out = h->addrs;
	return h->naddrs;
}

static void on_done(void *arg, const struct err *err)
{
	struct hand *h = arg;

	if (h->err->cls == 0)
		*h->err = *err;
	h->done = true;
}

/* ---- before and after ---- */

static int open_group(struct hand *h, struct err *err)
{
	struct span secret;
	const char *why;

	if (peering_judge(h->app, &why) != PEERING_ON)
		return err_set(err, ERR_DENIED, "no peers: %s", why);
	peering_secret(h->app, &secret);
	group_derive(h->group_key, secret);
	return 0;
}

static int open_hand(struct hand *h, struct app *a, struct err *err)
{
	struct doors_params p = { h->group_key, h->pub, found, addrs, h };
	int rc = app_open_cache(a, (struct span){ NULL, 0 }, err);

	h->app = a;
	h->err = err;
	doors_take(&h->doors, a);
	if (rc == 0)
		rc = open_group(h, err);
	return rc != 0 ? rc : doors_open(&h->doors, a->loop, &p, err);
}

static int close_hand(struct hand *h, int rc, int code)
{
	doors_free(&h->doors);
	wipe(h->group_key, sizeof(h->group_key));
	if (rc == 0)
		return code;
	return rc == ERR_DENIED ? XC_NO : cli_exit_code(h->err);
}

static int wait_for(struct hand *h, int begun)
{
	if (begun != 0)
		return err_set(h->err, begun, "%s", registry_stats(h->doors.registry)->last_error);
	if (loop_run(h->app->loop, &h->done, h->err) == 0 && !h->done)
		err_set(h->err, ERR_INTERNAL, "the answer was lost");
	return h->err->cls;
}

/* ---- the commands ---- */

int peers_doors_discover(struct app *a, struct err *err)
{
	struct hand h = { .list = json_array() };
	int rc = open_hand(&h, a, err);
	struct buf b;

	if (rc == 0)
		rc = wait_for(&h, registry_discover_now(h.doors.registry, on_done, &h));
	if (rc == 0 && a->globals->json) {
		buf_init(&b, JSON_MAX);
		json_print(h.list, true, &b);
		printf("%s\n", buf_cstr(&b));
		buf_free(&b);
	}
	json_free(h.list);
	return close_hand(&h, rc, h.found > 0 ? XC_OK : XC_NO);
}

static int take_report(struct hand *h, const struct json *o, struct err *err)
{
	const char *id = json_str(json_get(o, "id"));
	const struct json *list = json_get(o, "addrs");
	struct peerid peer;

	if (id == NULL || !peerid_parse(&peer, span_of(id)) || !peerid_ed25519(&peer, h->pub))
		return err_set(err, ERR_DENIED, "the daemon has no peers: %s",
		    json_str(json_get(o, "why")) != NULL ? json_str(json_get(o, "why"))
							 : "it does not say why");
	for (size_t i = 0; json_at(list, i) != NULL && h->naddrs < REGISTRY_ADDRS_MAX; i++)
		h->naddrs += multiaddr_parse(&h->addrs[h->naddrs], span_of(json_str(json_at(list, i)))) == 1;
	return 0;
}

int peers_doors_register(struct app *a, const struct json *report, struct err *err)
{
	struct hand h = { .err = err };
	int rc = take_report(&h, report, err);

	if (rc == 0)
		rc = open_hand(&h, a, err);
	if (rc == 0 && h.doors.why[0] != '\0')
		rc = err_set(err, ERR_DENIED, "not registered: %s", h.doors.why);
	if (rc == 0)
		rc = wait_for(&h, registry_register_now(h.doors.registry, on_done, &h));
	if (rc == 0 && a->globals->json)
		printf("{\"registered\":true,\"repository\":\"%s\"}\n", h.doors.repository);
	else if (rc == 0)
		printf("registered in the Actions cache of %s\n", h.doors.repository);
	return close_hand(&h, rc, XC_OK);
}
