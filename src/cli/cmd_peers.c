#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/app.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "cli/peering.h"
#include "cli/peers_doors.h"
#include "loop/loop.h"
#include "p2p/basic.h"
#include "p2p/keyfile.h"
#include "p2p/swarm.h"

#ifdef GHOARD_ECHO
#include "peers/echo.h"
#endif

#define START_TRIES 40			/* the daemon derives its key: 65 ms, more on a busy machine */
#define START_MS 50
#define REPORT_MAX ((size_t)2 << 20)
#define PINGS 3
#define PINGS_MAX 1000

struct ctx {
	const struct globals *globals;
	struct app app;
	char socket[256];
	const char *const *arg;		/* behind the subcommand */
	size_t narg;
};

static struct {
	const char *count;
#ifdef GHOARD_ECHO
	const char *mode, *bytes, *times, *at_once;
#endif
} v;

#define AT(member) offsetof(__typeof__(v), member)

static const struct opt opts[] = {
	{ "count", 'c', OPT_TEXT, "N", AT(count), "ping: so many (default 3)" },
#ifdef GHOARD_ECHO
	{ "mode", 0, OPT_TEXT, "e|d|u", AT(mode), "echo: the way" },
	{ "bytes", 0, OPT_TEXT, "N", AT(bytes), "echo: of each body" },
	{ "times", 0, OPT_TEXT, "N", AT(times), "echo: streams in all" },
	{ "at-once", 0, OPT_TEXT, "N", AT(at_once), "echo: open together" },
#endif
	{ .name = NULL }
};

/* ---- what the daemon says ---- */

/* NULL with err: none runs, or it has no peers. */
static struct json *ask(const struct ctx *c, struct err *err)
{
	struct json *o = NULL;
	const char *state;
	struct buf b;

	for (int tries = 0; tries < START_TRIES; tries++) {
		buf_init(&b, REPORT_MAX);
		if (daemon_ask(c->socket, "GET", "/_ghoard/peers", &b, err) == 0 &&
		    json_parse(buf_span(&b), &o) != 0)
			err_set(err, ERR_PROTO, "the daemon's answer is no JSON; is it of another version?");
		buf_free(&b);
		if (err->cls != 0)
			return NULL;
		state = json_str(json_get(o, "state"));
		if (state == NULL || strcmp(state, "starting") != 0)
			return o;
		json_free(o);
		nanosleep(&(struct timespec){ .tv_nsec = START_MS * 1000000L }, NULL);
	}
	err_set(err, ERR_TIMEOUT, "the daemon is still deriving its group key; ask again");
	return NULL;
}

static bool is_on(const struct json *o)
{
	const char *state = json_str(json_get(o, "state"));

	return state != NULL && strcmp(state, "on") == 0;
}

static void print_json(const struct json *o)
{
	struct buf b;

	buf_init(&b, REPORT_MAX);
	json_print(o, true, &b);
	printf("%s\n", buf_cstr(&b));
	buf_free(&b);
}

static const char *text_of(const struct json *o, const char *key)
{
	const char *s = json_str(json_get(o, key));

	return s != NULL && s[0] != '\0' ? s : "-";
}

/* ---- id ---- */

static void print_id(const struct json *o)
{
	const struct json *addrs = json_get(o, "addrs");

	printf("%s\n%s\n", json_str(json_get(o, "id")), json_str(json_get(o, "cid")));
	for (size_t i = 0; json_at(addrs, i) != NULL; i++)
		printf("%s\n", json_str(json_at(addrs, i)));
}

/* Without `why` there would be peers: where a daemon would listen is tried out. */
static int put_id_of_file(struct ctx *c, const char *why, struct json *o, struct err *err)
{
	struct ed25519_key key;
	struct err no;

	if (peering_is_fleeting(&c->app))
		return err_set(err, ERR_NOTFOUND, "%s; here each daemon has an identity of its own",
		    why != NULL ? why : "no daemon runs");
	if (peering_identity(&c->app, &key, err) != 0)
		return err->cls;
	err_init(&no);
	if (peering_describe(&c->app, &key, why == NULL, o, &no) != 0)
		why = no.msg;
	json_put_str(o, "state", "off");
	json_put_str(o, "why", why != NULL ? why : "no daemon runs");
	if (!c->globals->json)
		log_warn("%s%s", why != NULL ? "no address: " : "no daemon runs; it would listen there",
		    why != NULL ? why : "");
	ed25519_wipe(&key);
	return 0;
}

static int run_id(struct ctx *c, struct err *err)
{
	struct json *o = NULL, *own = NULL;
	const char *why = NULL;
	struct err none;
	int rc = 0;

	err_init(&none);
	if (daemon_is_ours(c->socket) && (o = ask(c, &none)) == NULL)
		why = none.msg;
	else if (o != NULL)
		why = text_of(o, "why");
	else if (peering_judge(&c->app, &why) == PEERING_ON)
		why = NULL;
	if (o == NULL || !is_on(o))
		rc = put_id_of_file(c, why, own = json_object(), err);
	if (rc == 0)
		(c->globals->json ? print_json : print_id)(own != NULL ? own : o);
	json_free(own);
	json_free(o);
	return rc == 0 ? XC_OK : cli_exit_code(err);
}

/* ---- ls ---- */

static void print_peers(const struct json *list)
{
	for (size_t i = 0; json_at(list, i) != NULL; i++) {
		const struct json *p = json_at(list, i);

		printf("%s  %s  %s  %s  %s\n", text_of(p, "id"), text_of(p, "direction"), text_of(p, "kind"),
		    text_of(p, "addr"), text_of(p, "agent"));
	}
}

static int run_ls(struct ctx *c, struct err *err)
{
	struct json *o = ask(c, err);
	int code = XC_OK;

	if (o == NULL)
		return err->cls == ERR_UNAVAIL ? XC_NO : cli_exit_code(err);
	if (c->globals->json) {
		print_json(o);
	} else if (!is_on(o)) {
		err_set(err, ERR_UNAVAIL, "the daemon has no peers: %s", text_of(o, "why"));
		code = XC_NO;
	} else {
		print_peers(json_get(o, "peers"));
	}
	json_free(o);
	return code;
}

/* ---- ping ---- */

struct ping_run {
	struct swarm *swarm;
	struct peer *peer;
	char id[PEERID_TEXT_MAX];
	uint64_t left;
	struct json *ms;		/* NULL: print */
	struct err *err;
	bool done;
};

static void on_pong(void *arg, int64_t us)
{
	struct ping_run *r = arg;

	if (us < 0) {
		err_set(r->err, ERR_UNAVAIL, "%s did not answer the ping", r->id);
		r->done = true;
		return;
	}
	if (r->ms != NULL)
		json_put_num(r->ms, NULL, (double)us / 1000);
	else
		printf("%s answered in %.3f ms\n", r->id, (double)us / 1000);
	if (--r->left > 0 && peer_ping(r->peer, on_pong, r))
		return;
	r->done = true;
}

static void on_peer(void *arg, struct peer *p, const struct err *err)
{
	struct ping_run *r = arg;

	if (p == NULL) {
		err_set(r->err, ERR_UNAVAIL, "%s", err->msg);
		r->done = true;
		return;
	}
	r->peer = p;
	peerid_text(peer_id(p), r->id);
	if (!peer_ping(p, on_pong, r))
		r->done = true;
}

static void on_gone(void *arg, struct peer *p)
{
	struct ping_run *r = arg;

	if (p != r->peer || r->done)
		return;
	err_set(r->err, ERR_UNAVAIL, "%s closed the connection", r->id);
	r->done = true;
}

/* The daemon's identity is the daemon's: two connections of one peer would drive each other out. */
static int identity(struct ctx *c, struct ed25519_key *key, struct err *err)
{
	return daemon_is_ours(c->socket) ? keyfile_fresh(key, err) : peering_identity(&c->app, key, err);
}

static int ping(struct ctx *c, const struct multiaddr *m, uint64_t count, struct err *err)
{
	struct json *o = c->globals->json ? json_object() : NULL;
	struct ping_run r = { .left = count, .ms = o != NULL ? json_put_array(o, "ms") : NULL, .err = err };
	struct loop *loop = NULL;
	struct ed25519_key key;
	struct swarm_params p = { .key = &key, .agent = cli_agent(), .max_peers = 1,
		.handshake_ms = SESSION_HANDSHAKE_MS, .ops = { .on_down = on_gone, .arg = &r } };
	int rc = identity(c, &key, err);

	if (rc == 0)
		rc = loop_new(&loop, err);
	p.loop = loop;
	if (rc == 0)
		rc = swarm_new(&p, &r.swarm, err);
	if (rc == 0)
		rc = swarm_dial(r.swarm, m, on_peer, &r, err);
	if (rc == 0)
		rc = loop_run(loop, &r.done, err);
	swarm_free(r.swarm);
	loop_free(loop);
	ed25519_wipe(&key);
	if (o != NULL && err->cls == 0) {
		json_put_str(o, "id", r.id);
		print_json(o);
	}
	json_free(o);
	return err->cls;
}

static int run_ping(struct ctx *c, struct err *err)
{
	struct multiaddr m;
	uint64_t count = PINGS;

	if (v.count != NULL && (!span_u64(span_of(v.count), PINGS_MAX, &count) || count == 0))
		err_set(err, ERR_USAGE, "--count takes 1 to %d", PINGS_MAX);
	else if (multiaddr_parse(&m, span_of(c->arg[0])) != 1 || m.host == MULTIADDR_NONE)
		err_set(err, ERR_USAGE, "'%s' is no address like /ip4/192.0.2.1/tcp/9000/p2p/12D3…",
		    c->arg[0]);
	else if (ping(c, &m, count, err) == 0)
		return XC_OK;
	return err->cls == ERR_UNAVAIL || err->cls == ERR_TIMEOUT ? XC_UNAVAILABLE : cli_exit_code(err);
}

#ifdef GHOARD_ECHO
static int run_echo(struct ctx *c, struct err *err)
{
	struct echo_ask ask = { .mode = v.mode != NULL ? v.mode[0] : 'e', .times = 1, .at_once = 1 };
	struct ed25519_key key;
	struct multiaddr m;
	struct swarm_params p = { .key = &key, .agent = cli_agent(), .max_peers = 1,
		.handshake_ms = SESSION_HANDSHAKE_MS };

	if (multiaddr_parse(&m, span_of(c->arg[0])) != 1 ||
	    !span_u64(span_of(v.bytes), UINT32_MAX, &ask.bytes) ||
	    (v.times != NULL && !span_u64(span_of(v.times), 100000, &ask.times)) ||
	    (v.at_once != NULL && !span_u64(span_of(v.at_once), 64, &ask.at_once)))
		err_set(err, ERR_USAGE, "usage: ghoard peers echo ADDR --mode e|d|u --bytes N");
	else if (keyfile_fresh(&key, err) == 0 && loop_new(&p.loop, err) == 0)
		echo_run(&p, &m, &ask, err);
	loop_free(p.loop);
	return err->cls == 0 ? XC_OK : cli_exit_code(err);
}
#endif

/* ---- register, discover ---- */

static int run_discover(struct ctx *c, struct err *err)
{
	return peers_doors_discover(&c->app, err);
}

/* By hand it is the daemon's record that is made: somebody must listen where it leads. */
static int run_register(struct ctx *c, struct err *err)
{
	struct json *o = ask(c, err);
	int code;

	if (o == NULL)
		return err->cls == ERR_UNAVAIL ? XC_NO : cli_exit_code(err);
	code = peers_doors_register(&c->app, o, err);
	json_free(o);
	return code;
}

/* ---- which one ---- */

static const struct sub {
	const char *name;
	size_t operands;
	int (*run)(struct ctx *, struct err *);
} subs[] = {
	{ "id", 0, run_id },
	{ "ls", 0, run_ls },
	{ "ping", 1, run_ping },
	{ "register", 0, run_register },
	{ "discover", 0, run_discover },
#ifdef GHOARD_ECHO
	{ "echo", 1, run_echo },
#endif
};

static const struct sub *find(const struct opt_args *args, struct err *err)
{
	const char *name = args->n > 0 ? args->arg[0] : "";

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		if (strcmp(name, subs[i].name) != 0)
			continue;
		if (args->n - 1 == subs[i].operands)
			return &subs[i];
		err_set(err, ERR_USAGE, "usage: ghoard peers %s%s", name,
		    subs[i].operands > 0 ? " ADDR" : "");
		return NULL;
	}
	err_set(err, ERR_USAGE, "usage: ghoard peers id, ls, ping ADDR, register or discover, not '%s'",
	    name);
	return NULL;
}

static int run(const struct globals *g, const struct opt_args *args, struct err *err)
{
	struct ctx c = { .globals = g };
	const struct sub *sub = find(args, err);
	int code, rc = sub == NULL ? ERR_USAGE : app_open(&c.app, g, err);

	if (rc == 0)
		rc = app_open_store(&c.app, false, err);
	if (rc == 0)
		rc = daemon_socket(&c.app, c.socket, sizeof(c.socket), err);
	if (rc == 0) {
		c.arg = args->arg + 1;
		c.narg = args->n - 1;
		code = sub->run(&c, err);
	} else {
		code = cli_exit_code(err);
	}
	app_close(&c.app);
	return code;
}

const struct command cmd_peers = { "peers", "id|ls|ping ADDR|register|discover", "look at the P2P side",
	"id: this node's libp2p identity in both text forms, and its addresses; without a daemon those "
	"that one would listen on now.\n"
	"ls: the peers the daemon is connected to.\n"
	"ping ADDR: connect to a multiaddress like /ip4/192.0.2.1/tcp/9000/p2p/12D3... and time its "
	"answers.\n"
	"register: put the daemon's addresses, sealed, into the repository's Actions cache.\n"
	"discover: list the peers that did so, from whatever branch.\n"
	"\n"
	"The daemon does both by itself where it has a token and GITHUB_REPOSITORY, but registers only where "
	"fewer than eight have; for that it needs the job's runtime token besides (see 'ghoard help cache'), "
	"one that may write.\n"
	"\n"
	"Peers are had only where there is a group secret: CACHE_P2P_SHARED_SECRET, else a token "
	"that outlives the job. Who holds it may have what the daemon's own token fetched; any node that "
	"connects learns id, version and addresses.\n",
	opts, &v, run };
