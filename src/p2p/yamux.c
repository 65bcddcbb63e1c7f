#include <string.h>

#include "base/err.h"
#include "p2p/yamux.h"

/* "Framing" */
enum { T_DATA, T_WINDOW, T_PING, T_GOAWAY };

#define F_SYN 1u
#define F_ACK 2u
#define F_FIN 4u
#define F_RST 8u

/* What of a frame is still to be told; END and RESET after its body. */
#define TODO_OPENED 1u
#define TODO_WRITABLE 2u
#define TODO_EOF 4u
#define TODO_RESET 8u
#define TODO_PINGED 16u
#define TODO_PONG 32u
#define TODO_GOAWAY 64u

#define NSTREAMS (YAMUX_INBOUND_MAX + YAMUX_OUTBOUND_MAX)

/* ---- writing ---- */

static uint8_t *put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
	return p + 4;
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_frame(struct yamux *y, uint8_t type, unsigned flags, uint32_t id, uint32_t length)
{
	uint8_t h[YAMUX_HEADER_LEN] = { 0, type, (uint8_t)(flags >> 8), (uint8_t)flags };

	put_u32(put_u32(h + 4, id), length);
	buf_add(&y->out, h, sizeof(h));
	if (y->out.failed && y->why == NULL)
		y->why = "it does not read what it is answered";
}

/* With what goes along: the acknowledgement, once. */
static void put_on(struct yamux *y, struct yamux_stream *s, uint8_t type, unsigned flags, uint32_t length)
{
	put_frame(y, type, flags | s->pending, s->id, length);
	s->pending = 0;
}

static void bad(struct yamux *y, const char *why)
{
	if (y->why != NULL)
		return;
	put_frame(y, T_GOAWAY, 0, 0, YAMUX_PROTOCOL_ERROR);
	y->why = why;
}

/* ---- streams ---- */

static struct yamux_stream *find(struct yamux *y, uint32_t id)
{
	if (y->stream != NULL && y->stream->id == id)
		return y->stream;
	for (size_t i = 0; i < NSTREAMS; i++)
		if (y->streams[i].id == id)
			return &y->streams[i];
	return NULL;
}

static struct yamux_stream *add(struct yamux *y, uint32_t id, bool ours, void *arg)
{
	struct yamux_stream *s = find(y, 0);

	*s = (struct yamux_stream){ .id = id, .ours = ours, .arg = arg, .credit = YAMUX_WINDOW,
		.window = YAMUX_WINDOW };
	if (ours)
		y->outbound++;
	else
		y->inbound++;
	return s;
}

void yamux_init(struct yamux *y, bool dialer)
{
	memset(y, 0, sizeof(*y));
	y->dialer = dialer;
	y->next_id = dialer ? 1 : 2;
	buf_init(&y->out, YAMUX_OUT_MAX);
}

void yamux_free(struct yamux *y)
{
	buf_wipe(&y->out);
}

/* ---- reading ---- */

static struct yamux_stream *on_syn(struct yamux *y, uint32_t id)
{
	struct yamux_stream *s;

	if ((id % 2 == 1) == y->dialer) {
		bad(y, "it opened a stream with an id of ours");
		return NULL;
	}
	if (find(y, id) != NULL) {
		bad(y, "it opened a stream that is open");
		return NULL;
	}
	if (y->inbound == YAMUX_INBOUND_MAX) {
		put_frame(y, T_WINDOW, F_RST, id, YAMUX_RESET_LIMIT);
		return NULL;
	}
	s = add(y, id, false, NULL);
	s->pending = F_ACK;
	y->todo |= TODO_OPENED;
	return s;
}

static void on_window(struct yamux *y, struct yamux_stream *s, uint32_t delta)
{
	s->credit += delta;
	if (s->credit > YAMUX_CREDIT_MAX)
		s->credit = YAMUX_CREDIT_MAX;
	if (s->starved && s->credit > 0) {
		s->starved = false;
		y->todo |= TODO_WRITABLE;
	}
}

static void on_data(struct yamux *y, struct yamux_stream *s, uint32_t length)
{
	/* To a stream that is gone at most a window can be under way. */
	uint32_t most = s != NULL ? s->window : YAMUX_WINDOW;

	if (length > most) {
		bad(y, "it sent more than the window lets it");
		return;
	}
	if (s != NULL)
		s->window -= length;
	y->left = length;
}

static void on_stream_frame(struct yamux *y, uint8_t type, unsigned flags, uint32_t id, uint32_t length)
{
	struct yamux_stream *s;

	if (id == 0) {
		bad(y, "it sent a stream's frame without a stream");
		return;
	}
	s = flags & F_SYN ? on_syn(y, id) : find(y, id);
	if (y->why != NULL)
		return;
	y->stream = s;
	if (type == T_DATA)
		on_data(y, s, length);
	if (s == NULL)
		return;
	y->value = 0;
	if (flags & F_RST) {
		y->todo |= TODO_RESET;
		y->value = type == T_WINDOW ? length : 0;
	} else if (type == T_WINDOW) {
		on_window(y, s, length);
	}
	if ((flags & F_FIN) && !s->fin_in)
		y->todo |= TODO_EOF;
}

static void on_ping(struct yamux *y, unsigned flags, uint32_t value)
{
	y->value = value;
	if (flags & F_SYN) {
		put_frame(y, T_PING, F_ACK, 0, value);
		y->todo |= TODO_PINGED;
	} else if ((flags & F_ACK) && y->ping_sent && value == y->ping) {
		y->ping_sent = false;
		y->todo |= TODO_PONG;
	}
}

static void on_header(struct yamux *y)
{
	const uint8_t *h = y->header;
	unsigned flags = (unsigned)h[2] << 8 | h[3];
	uint32_t id = get_u32(h + 4), length = get_u32(h + 8);

	y->nheader = 0;
	if (h[0] != 0) {
		bad(y, "its frames are of another version");
		return;
	}
	switch (h[1]) {
	case T_DATA:
	case T_WINDOW:
		on_stream_frame(y, h[1], flags, id, length);
		break;
	case T_PING:
		on_ping(y, flags, length);
		break;
	case T_GOAWAY:
		y->ended = true;
		y->value = length;
		y->todo |= TODO_GOAWAY;
		break;
	default:
		bad(y, "it sent a frame of an unknown type");
	}
}

static bool told(struct yamux *y, unsigned what, enum yamux_event_type type, struct yamux_event *ev)
{
	if (!(y->todo & what))
		return false;
	y->todo &= ~what;
	*ev = (struct yamux_event){ .type = type, .stream = y->stream, .value = y->value };
	return true;
}

/* The next event of the frame at hand that has no bytes. */
static bool tell(struct yamux *y, struct yamux_event *ev)
{
	if (y->todo == 0)
		return false;
	if (told(y, TODO_OPENED, YAMUX_OPENED, ev) || told(y, TODO_WRITABLE, YAMUX_WRITABLE, ev))
		return true;
	if (told(y, TODO_PINGED, YAMUX_PINGED, ev) || told(y, TODO_PONG, YAMUX_PONG, ev) ||
	    told(y, TODO_GOAWAY, YAMUX_GOAWAY, ev)) {
		ev->stream = NULL;
		return true;
	}
	if (y->left > 0)
		return false;
	if (told(y, TODO_EOF, YAMUX_EOF, ev)) {
		y->stream->fin_in = true;
		return true;
	}
	if (told(y, TODO_RESET, YAMUX_RESET, ev)) {
		y->stream->reset = true;
		return true;
	}
	return false;
}

static size_t fill_header(struct yamux *y, const uint8_t *p, size_t n)
{
	size_t take = YAMUX_HEADER_LEN - y->nheader < n ? YAMUX_HEADER_LEN - y->nheader : n;

	memcpy(y->header + y->nheader, p, take);
	y->nheader += take;
	if (y->nheader == YAMUX_HEADER_LEN)
		on_header(y);
	return take;
}

/* Bytes of the body at hand; true: they are somebody's. */
static bool pass_body(struct yamux *y, const uint8_t *p, size_t n, size_t *used, struct yamux_event *ev)
{
	size_t take = y->left < n ? y->left : n;
	struct yamux_stream *s = y->stream;

	y->left -= (uint32_t)take;
	*used += take;
	if (s == NULL || s->fin_in || s->reset)
		return false;
	*ev = (struct yamux_event){ .type = YAMUX_DATA, .stream = s, .data = span_make(p, take) };
	return true;
}

ssize_t yamux_feed(struct yamux *y, const void *data, size_t n, struct yamux_event *ev, struct err *err)
{
	const uint8_t *p = data;
	size_t used = 0;

	*ev = (struct yamux_event){ .type = YAMUX_NONE };
	while (y->why == NULL) {
		if (tell(y, ev))
			return (ssize_t)used;
		if (used == n)
			return (ssize_t)used;
		if (y->ended)
			return (ssize_t)n;	/* nothing counts behind a GoAway */
		if (y->left == 0)
			used += fill_header(y, p + used, n - used);
		else if (pass_body(y, p + used, n - used, &used, ev))
			return (ssize_t)used;
	}
	return err_set(err, y->out.failed ? ERR_LIMIT : ERR_PROTO, "the peer broke the rules of yamux: %s",
	    y->why);
}

/* ---- the caller's side ---- */

struct yamux_stream *yamux_open(struct yamux *y, void *arg)
{
	struct yamux_stream *s;

	if (y->why != NULL || y->ended || y->outbound == YAMUX_OUTBOUND_MAX || y->next_id > UINT32_MAX - 2)
		return NULL;
	s = add(y, y->next_id, true, arg);
	y->next_id += 2;
	put_frame(y, T_WINDOW, F_SYN, s->id, 0);
	return s;
}

size_t yamux_room(const struct yamux *y, const struct yamux_stream *s)
{
	size_t out = buf_len(&y->out);
	size_t room = out < YAMUX_OUT_DATA ? YAMUX_OUT_DATA - out : 0;

	if (y->why != NULL || y->ended || s->fin_out || s->reset)
		return 0;
	return s->credit < room ? (size_t)s->credit : room;
}

size_t yamux_write(struct yamux *y, struct yamux_stream *s, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t room = yamux_room(y, s), sent = 0;

	if (n > s->credit)
		s->starved = true;
	if (n > room)
		n = room;
	while (sent < n) {
		size_t part = n - sent < YAMUX_SEND_MAX ? n - sent : YAMUX_SEND_MAX;

		put_on(y, s, T_DATA, 0, (uint32_t)part);
		buf_add(&y->out, p + sent, part);
		sent += part;
	}
	s->credit -= sent;
	s->starved = s->starved && s->credit == 0;
	return sent;
}

/* Given back by halves: a frame of 12 bytes for 128 KiB. */
void yamux_consumed(struct yamux *y, struct yamux_stream *s, size_t n)
{
	s->consumed += (uint32_t)n;
	if (s->consumed < YAMUX_WINDOW / 2 || s->fin_in || s->reset || y->why != NULL)
		return;
	put_on(y, s, T_WINDOW, 0, s->consumed);
	s->window += s->consumed;
	s->consumed = 0;
}

void yamux_close(struct yamux *y, struct yamux_stream *s)
{
	if (s->fin_out || s->reset || y->why != NULL)
		return;
	put_on(y, s, T_WINDOW, F_FIN, 0);
	s->fin_out = true;
}

void yamux_reset(struct yamux *y, struct yamux_stream *s, uint32_t code)
{
	if (yamux_is_over(s) || y->why != NULL)
		return;
	put_on(y, s, T_WINDOW, F_RST, code);
	s->reset = true;
}

bool yamux_is_over(const struct yamux_stream *s)
{
	return s->reset || (s->fin_in && s->fin_out);
}

void yamux_release(struct yamux *y, struct yamux_stream *s)
{
	yamux_reset(y, s, 0);
	if (s->ours)
		y->outbound--;
	else
		y->inbound--;
	if (y->stream == s) {
		y->stream = NULL;
		y->todo = 0;
	}
	memset(s, 0, sizeof(*s));
}

bool yamux_ping(struct yamux *y, uint32_t value)
{
	if (y->ping_sent || y->why != NULL || y->ended)
		return false;
	y->ping = value;
	y->ping_sent = true;
	put_frame(y, T_PING, F_SYN, 0, value);
	return true;
}

void yamux_goaway(struct yamux *y, enum yamux_goaway code)
{
	if (y->why == NULL)
		put_frame(y, T_GOAWAY, 0, 0, code);
}
