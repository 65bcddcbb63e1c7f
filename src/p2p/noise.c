#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rand.h"
#include "base/wipe.h"
#include "net/engine.h"
#include "p2p/noise.h"
#include "p2p/noisexx.h"
#include "p2p/protobuf.h"

#define LEN_LEN 2
#define READ_SLICE ((size_t)16 << 10)
#define HANDSHAKE_SLICE ((size_t)1 << 10)
#define PREFIX "noise-libp2p-static-key:"	/* "Static Key Authentication" */
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/* "The Libp2p Handshake Payload" */
enum {
	F_KEY = 1,
	F_SIG = 2,
	F_EXTENSIONS = 4,
	F_MUXERS = 2		/* in the extensions */
};

struct noise {
	struct engine engine;
	struct noise_params p;
	struct peerid expect, peer;
	struct noisexx x;
	bool muxer;			/* both named it */
	struct buf in;			/* from the network; the frame in front may be opened */
	size_t frame;			/* bytes of that frame, with its length; 0: not opened */
	size_t plain_at, plain_end;	/* of its plaintext, what is not taken yet */
	size_t nplain;			/* collected in out, not yet sealed */
	size_t out_at, out_end;		/* sealed in out, not yet sent */
	struct err err;
	uint8_t out[LEN_LEN + NOISE_SEND_MAX];
};

static struct noise *of(struct engine *e)
{
	return (struct noise *)(void *)e;
}

static const struct noise *of_const(const struct engine *e)
{
	return (const struct noise *)(const void *)e;
}

static bool is_open(const struct noise *z)
{
	return z->x.turn == 3;
}

/* ---- who we are ---- */

/* The extension stands last: without it the payload is its own front. */
static void put_payload(struct noise_identity *id, const struct ed25519_key *key, const uint8_t *sig,
    struct buf *b)
{
	uint8_t message[PEERID_OWN_KEY_LEN];
	struct buf extensions;

	peerid_own_key(message, key->pub);
	protobuf_put_bytes(b, F_KEY, span_make(message, sizeof(message)));
	protobuf_put_bytes(b, F_SIG, span_make(sig, ED25519_SIG_LEN));
	id->nplain = buf_len(b);
	buf_init(&extensions, 64);
	protobuf_put_bytes(&extensions, F_MUXERS, span_of(NOISE_MUXER));
	protobuf_put_bytes(b, F_EXTENSIONS, buf_span(&extensions));
	b->failed |= extensions.failed;
	buf_free(&extensions);
}

static void text_to_sign(uint8_t out[static PREFIX_LEN + X25519_LEN], const uint8_t *static_pub)
{
	memcpy(out, PREFIX, PREFIX_LEN);
	memcpy(out + PREFIX_LEN, static_pub, X25519_LEN);
}

int noise_identity_init(struct noise_identity *id, const struct ed25519_key *key, const uint8_t *static_key,
    struct err *err)
{
	uint8_t text[PREFIX_LEN + X25519_LEN], sig[ED25519_SIG_LEN];
	struct buf b;
	int rc;

	memset(id, 0, sizeof(*id));
	if (static_key != NULL)
		memcpy(id->static_key, static_key, X25519_LEN);
	else if ((rc = rand_bytes(id->static_key, X25519_LEN, err)) != 0)
		return rc;
	x25519_public(id->static_pub, id->static_key);
	peerid_of_ed25519(&id->id, key->pub);
	text_to_sign(text, id->static_pub);
	ed25519_sign(sig, key, text, sizeof(text));
	buf_init(&b, NOISE_PAYLOAD_MAX);
	put_payload(id, key, sig, &b);
	id->npayload = buf_len(&b);
	rc = b.failed ? err_set(err, ERR_INTERNAL, "no memory for the libp2p identity") : 0;
	if (rc == 0)
		memcpy(id->payload, buf_data(&b), id->npayload);
	buf_free(&b);
	return rc;
}

void noise_identity_wipe(struct noise_identity *id)
{
	wipe(id, sizeof(*id));
}

/* ---- who they are ---- */

struct claim {
	struct span key, sig, extensions;
};

static int parse_claim(struct span payload, struct claim *c)
{
	struct protobuf_field f;
	int rc;

	memset(c, 0, sizeof(*c));
	while ((rc = protobuf_next(&payload, &f)) == 1) {
		if (f.kind != PROTOBUF_BYTES)
			continue;
		if (f.number == F_KEY)
			c->key = f.bytes;
		else if (f.number == F_SIG)
			c->sig = f.bytes;
		else if (f.number == F_EXTENSIONS)
			c->extensions = f.bytes;
	}
	return rc;
}

static int check_identity(struct noise *z, const struct claim *c)
{
	uint8_t text[PREFIX_LEN + X25519_LEN];
	char want[PEERID_TEXT_MAX], got[PEERID_TEXT_MAX];
	struct peerid_key key;

	if (!peerid_key_parse(c->key, &key))
		return err_set(&z->err, ERR_PROTO, "the peer's identity key is malformed");
	if (key.type != PEERID_ED25519)
		return err_set(&z->err, ERR_DENIED, "the peer's identity is a key of type %s, which is not "
		    "verified here; it needs an Ed25519 key", peerid_key_name(key.type));
	text_to_sign(text, z->x.rs);
	if (c->sig.n != ED25519_SIG_LEN || !ed25519_verify((const uint8_t *)c->sig.p,
	    (const uint8_t *)key.data.p, text, sizeof(text)))
		return err_set(&z->err, ERR_DENIED, "the peer did not prove its identity: bad signature");
	peerid_of_key(&z->peer, c->key);
	if (z->expect.n == 0 || peerid_same(&z->expect, &z->peer))
		return 0;
	peerid_text(&z->expect, want);
	peerid_text(&z->peer, got);
	return err_set(&z->err, ERR_DENIED, "dialled peer %s, and %s answered", want, got);
}

/* inlined-muxer-negotiation.md: no list, or an empty one, means that nothing is agreed; lists without a
 * common muxer end the connection. */
static int check_muxers(struct noise *z, struct span extensions)
{
	struct protobuf_field f;
	unsigned n = 0;
	bool ours = false;
	int rc;

	while ((rc = protobuf_next(&extensions, &f)) == 1) {
		if (f.kind != PROTOBUF_BYTES || f.number != F_MUXERS)
			continue;
		n++;
		ours = ours || span_eq(f.bytes, NOISE_MUXER);
	}
	if (rc < 0 || n > NOISE_MUXERS_MAX)
		return err_set(&z->err, ERR_PROTO, "the peer's handshake extensions are malformed");
	if (n > 0 && !ours && !z->p.plain)
		return err_set(&z->err, ERR_PROTO, "the peer has no muxer in common: it does not speak %s",
		    NOISE_MUXER);
	z->muxer = ours && !z->p.plain;
	return 0;
}

static int check_payload(struct noise *z, struct span payload)
{
	struct claim c;

	if (parse_claim(payload, &c) < 0)
		return err_set(&z->err, ERR_PROTO, "the peer's handshake payload is malformed");
	return check_identity(z, &c) == 0 && check_muxers(z, c.extensions) == 0 ? 0 : z->err.cls;
}

/* ---- frames ---- */

/* The message of n bytes in out, behind its length. */
static void send_frame(struct noise *z, size_t n)
{
	z->out[0] = (uint8_t)(n >> 8);
	z->out[1] = (uint8_t)n;
	z->out_at = 0;
	z->out_end = LEN_LEN + n;
}

static void speak(struct noise *z)
{
	struct span payload = span_of("");
	size_t n;

	if (z->x.turn > 0)
		payload = span_make(z->p.self->payload, z->p.plain ? z->p.self->nplain : z->p.self->npayload);
	n = noisexx_write(&z->x, payload, z->out + LEN_LEN);
	if (n == 0)
		err_set(&z->err, ERR_PROTO, "the peer's key exchange holds no key");
	else
		send_frame(z, n);
}

static void on_handshake(struct noise *z, uint8_t *p, size_t n)
{
	struct span payload;

	if (!noisexx_read(&z->x, p, n, &payload)) {
		err_set(&z->err, ERR_PROTO, "the peer's Noise handshake is malformed or was tampered with");
		return;
	}
	/* The first message's payload must be empty, and is not signed: whatever it holds is not looked at.
	 */
	if (z->x.turn > 1 && check_payload(z, payload) != 0)
		return;
	if (noisexx_writes(&z->x))
		speak(z);
}

/* Open the frame in front of `in`, and those behind it while they are empty or of the handshake. */
static void open_frames(struct noise *z)
{
	while (z->frame == 0 && z->err.cls == 0 && buf_len(&z->in) >= LEN_LEN) {
		uint8_t *p = buf_data(&z->in);
		size_t n = (size_t)p[0] << 8 | p[1];

		if (!is_open(z) && n > NOISE_HANDSHAKE_MAX) {
			err_set(&z->err, ERR_PROTO, "the peer's Noise handshake is %zu bytes long", n);
			return;
		}
		/* Our own message of the handshake leaves before the next is looked at. */
		if (buf_len(&z->in) < LEN_LEN + n || (!is_open(z) && z->out_end > z->out_at))
			return;
		if (!is_open(z)) {
			on_handshake(z, p + LEN_LEN, n);
			buf_consume(&z->in, LEN_LEN + n);
		} else if (!noisexx_open(&z->x.receive, p + LEN_LEN, n)) {
			err_set(&z->err, ERR_PROTO, "a Noise message was tampered with");
		} else if (n == NOISE_TAG_LEN) {
			buf_consume(&z->in, LEN_LEN + n);
		} else {
			z->frame = LEN_LEN + n;
			z->plain_at = LEN_LEN;
			z->plain_end = z->frame - NOISE_TAG_LEN;
		}
	}
}

/* ---- the ports ---- */

static unsigned state(struct engine *e)
{
	struct noise *z = of(e);
	unsigned st = 0;

	if (z->err.cls != 0)
		return ENGINE_CLOSED;
	if (z->out_end > z->out_at)
		st |= ENGINE_NET_OUT;
	else if (is_open(z))
		st |= ENGINE_APP_IN;
	st |= z->frame > 0 ? ENGINE_APP_OUT : ENGINE_NET_IN;
	return st;
}

/* As much as comes at once, and at least the rest of the frame that has begun. */
static uint8_t *net_in(struct engine *e, size_t *room)
{
	struct noise *z = of(e);
	size_t have = buf_len(&z->in), want = is_open(z) ? READ_SLICE : HANDSHAKE_SLICE;
	uint8_t *p;

	if (have >= LEN_LEN) {
		size_t whole = LEN_LEN + ((size_t)buf_data(&z->in)[0] << 8 | buf_data(&z->in)[1]);

		if (whole > have && whole - have > want && is_open(z))
			want = whole - have;
	}
	p = buf_reserve(&z->in, want);
	if (p == NULL) {
		err_set(&z->err, ERR_INTERNAL, "no memory to receive");
		want = 0;
	}
	*room = want;
	return p;
}

static void net_in_ack(struct engine *e, size_t n)
{
	if (n == 0 || of(e)->err.cls != 0)
		return;
	buf_commit(&of(e)->in, n);
	open_frames(of(e));
}

static const uint8_t *net_out(struct engine *e, size_t *n)
{
	struct noise *z = of(e);

	*n = z->out_end - z->out_at;
	return z->out + z->out_at;
}

static void net_out_ack(struct engine *e, size_t n)
{
	struct noise *z = of(e);

	z->out_at += n;
	if (z->out_at == z->out_end && z->frame == 0)
		open_frames(z);		/* what waited for our message to leave */
}

static uint8_t *app_in(struct engine *e, size_t *room)
{
	struct noise *z = of(e);

	*room = NOISE_SEND_MAX - NOISE_TAG_LEN - z->nplain;
	return z->out + LEN_LEN + z->nplain;
}

static void flush(struct engine *e)
{
	struct noise *z = of(e);

	if (z->nplain == 0 || z->err.cls != 0)
		return;
	if (noisexx_seal(&z->x.send, z->out + LEN_LEN, z->nplain))
		send_frame(z, z->nplain + NOISE_TAG_LEN);
	else
		err_set(&z->err, ERR_LIMIT, "the connection has used up its Noise key");
	z->nplain = 0;
}

static void app_in_ack(struct engine *e, size_t n)
{
	struct noise *z = of(e);

	z->nplain += n;
	if (z->nplain == NOISE_SEND_MAX - NOISE_TAG_LEN)
		flush(e);
}

static const uint8_t *app_out(struct engine *e, size_t *n)
{
	struct noise *z = of(e);

	*n = z->plain_end - z->plain_at;
	return buf_data(&z->in) + z->plain_at;
}

static void app_out_ack(struct engine *e, size_t n)
{
	struct noise *z = of(e);

	z->plain_at += n;
	if (z->plain_at < z->plain_end)
		return;
	buf_consume(&z->in, z->frame);
	z->frame = 0;
	open_frames(z);
}

static void say_nothing(struct engine *e)
{
	(void)e;
}

static int error(struct engine *e, struct err *err)
{
	struct noise *z = of(e);

	return z->err.cls == 0 ? 0 : err_set(err, z->err.cls, "%s", z->err.msg);
}

static bool ended(struct engine *e)
{
	return of(e)->err.cls == 0 && buf_len(&of(e)->in) == 0;
}

static void free_engine(struct engine *e)
{
	struct noise *z = of(e);

	buf_wipe(&z->in);
	wipe(z, sizeof(*z));
	free(z);
}

static const struct engine_ops ops = {
	.state = state,
	.net_in = net_in,
	.net_in_ack = net_in_ack,
	.net_out = net_out,
	.net_out_ack = net_out_ack,
	.app_in = app_in,
	.app_in_ack = app_in_ack,
	.app_out = app_out,
	.app_out_ack = app_out_ack,
	.flush = flush,
	.close = say_nothing,
	.error = error,
	.ended = ended,
	.free = free_engine,
};

int noise_new(const struct noise_params *p, struct engine **out, struct err *err)
{
	struct noise *z = calloc(1, sizeof(*z));
	uint8_t e[X25519_LEN];
	int rc;

	if (z == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for a connection");
	z->engine.ops = &ops;
	z->p = *p;
	if (p->expect != NULL)
		z->expect = *p->expect;
	buf_init(&z->in, 2 * (LEN_LEN + NOISE_FRAME_MAX));
	if (p->ephemeral != NULL) {
		memcpy(e, p->ephemeral, sizeof(e));
	} else if ((rc = rand_bytes(e, sizeof(e), err)) != 0) {
		free(z);
		return rc;
	}
	noisexx_init(&z->x, p->dialer, p->self->static_key, p->self->static_pub, e, span_of(""));
	wipe(e, sizeof(e));
	if (p->dialer)
		speak(z);
	*out = &z->engine;
	return 0;
}

const struct peerid *noise_peer(const struct engine *e)
{
	return &of_const(e)->peer;
}

bool noise_has_muxer(const struct engine *e)
{
	return of_const(e)->muxer;
}

const uint8_t *noise_hash(const struct engine *e)
{
	return of_const(e)->x.h;
}
