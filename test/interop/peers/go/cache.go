package main

// Our own protocol, written from the project's page of formats alone, sections 3 and 4; ../README.md lists how
// its open places are read here. Commands:
//
//	join {secret, network_id}      become a member; from then on the protocol is served
//	open {peer}                    the dialer's control stream: peer_info there and back; ms, info
//	info {peer}                    what the peer's peer_info said, waiting for it
//	put {file}                     hold an entry file, to be fetched; key, cid, size
//	prove {file, token}            the auth and proof that this token would give the entry
//	busy {key, retry_ms}           answer busy for that key; retry_ms 0 answers as before
//	announce {key, hops}           tell all control streams of an entry that is held
//	invalidate {prefixes}          tell all control streams
//	fetch {peer, key | cid, times} ask for it; answer, entry, cid, size, us, mbps
//	heard                          announcements and invalidations that came
//	asked                          requests that came, in their order
//	groupkey {secret}              hex

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	patience   = 10 * time.Second
	bodyMax    = 8 << 20
	headerMax  = 64 << 10
	requestMax = 4 << 10
	early      = 16 << 10 // a message before peer_info
)

// held is an entry as it is served: the file's members but `data`, and the body.
type held struct {
	head fields
	body []byte
}

func (h held) key() string { s, _ := h.head["cache_key"].(string); return s }

func (h held) own() fields {
	own, _ := h.head["ghoard"].(map[string]any)
	return own
}

// member is a peer that completed peer_info, or is about to.
type member struct {
	info  chan struct{} // closed when said is there
	said  fields
	write sync.Mutex
	out   network.Stream // the control stream
	seal  *sealer
}

type cache struct {
	host    host.Host
	lock    sync.Mutex
	group   []byte
	network string
	entries map[string]held
	busy    map[string]int
	members map[string]*member // by connection
	heard   []fields
	asked   []fields
}

func newCache(h host.Host) *cache {
	return &cache{host: h, entries: map[string]held{}, busy: map[string]int{}, members: map[string]*member{}}
}

func (c *cache) commands() map[string]command {
	return map[string]command{
		"join":       c.join,
		"open":       c.open,
		"info":       c.info,
		"put":        c.put,
		"prove":      c.prove,
		"busy":       c.setBusy,
		"announce":   c.announce,
		"invalidate": c.invalidate,
		"fetch":      c.fetch,
		"heard":      func(context.Context, fields) (fields, error) { return c.list("heard", &c.heard), nil },
		"asked":      func(context.Context, fields) (fields, error) { return c.list("asked", &c.asked), nil },
		"groupkey":   c.groupKey,
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func (c *cache) list(name string, of *[]fields) fields {
	c.lock.Lock()
	defer c.lock.Unlock()
	return fields{name: append([]fields{}, *of...)}
}

func (c *cache) groupKey(ctx context.Context, asked fields) (fields, error) {
	key, err := groupKey(asked.text("secret"))
	return fields{"key": hex.EncodeToString(key)}, err
}

func (c *cache) join(ctx context.Context, asked fields) (fields, error) {
	key, err := groupKey(asked.text("secret"))
	if err != nil {
		return nil, err
	}
	c.lock.Lock()
	c.group, c.network = key, asked.text("network_id")
	c.lock.Unlock()
	c.host.SetStreamHandler(cacheID, func(s network.Stream) {
		if err := c.serve(s); err != nil {
			log.Printf("a %s stream of %s: %v", cacheID, s.Conn().RemotePeer(), err)
			s.Reset()
		}
	})
	return nil, nil
}

// of finds or makes the member at the other end of a connection.
func (c *cache) of(conn network.Conn) (*member, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	m := c.members[conn.ID()]
	if m == nil {
		seal, err := newSealer(c.group, conn)
		if err != nil {
			return nil, err
		}
		m = &member{info: make(chan struct{}), seal: seal}
		c.members[conn.ID()] = m
	}
	return m, nil
}

func (c *cache) connection(asked fields) (network.Conn, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	conns := c.host.Network().ConnsToPeer(id)
	if len(conns) == 0 {
		return nil, fmt.Errorf("not connected to %s", id)
	}
	return conns[0], nil
}

// ---- peer_info and the control stream ----

func (c *cache) ownInfo() fields {
	addrs, peers := []string{}, []string{}
	for _, a := range c.host.Addrs() {
		addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", a, c.host.ID()))
	}
	for _, conn := range c.host.Network().Conns() {
		peers = append(peers, fmt.Sprintf("%s/p2p/%s", conn.RemoteMultiaddr(), conn.RemotePeer()))
	}
	return fields{
		"type": "peer_info", "network_id": c.network, "agent": "ghoard-go-test/1", "addrs": addrs,
		"peers": peers, "time": seconds(time.Now()),
	}
}

func (c *cache) checkInfo(said fields) error {
	if said.text("type") != "peer_info" {
		return fmt.Errorf("the control stream begins with %q", said.text("type"))
	}
	if said.text("network_id") != c.network {
		return fmt.Errorf("another network: %q", said.text("network_id"))
	}
	return nil
}

func (c *cache) open(ctx context.Context, asked fields) (fields, error) {
	conn, err := c.connection(asked)
	if err != nil {
		return nil, err
	}
	m, err := c.of(conn)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	s, err := c.stream(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := m.send(s, c.ownInfo()); err != nil {
		return nil, err
	}
	in := bufio.NewReader(s)
	said, err := m.receive(in, early)
	if err == nil {
		err = c.checkInfo(said)
	}
	if err != nil {
		s.Reset()
		return nil, err
	}
	took := time.Since(begin)
	m.said, m.out = said, s
	close(m.info)
	go c.listen(conn.RemotePeer(), m, in)
	return fields{"ms": milliseconds(took), "info": said}, nil
}

func (c *cache) info(ctx context.Context, asked fields) (fields, error) {
	late := time.After(patience)
	for {
		conn, err := c.connection(asked)
		if err == nil {
			m, err := c.of(conn)
			if err != nil {
				return nil, err
			}
			select {
			case <-m.info:
				return fields{"info": m.said}, nil
			default:
			}
		}
		select {
		case <-late:
			return nil, errors.New("no peer_info in 10 s")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// listen takes what the peer says on the control stream until it ends.
func (c *cache) listen(from peer.ID, m *member, in *bufio.Reader) {
	m.out.SetDeadline(time.Time{})
	for {
		said, err := m.receive(in, headerMax)
		if err != nil {
			log.Printf("the control stream of %s ended: %v", from, err)
			return
		}
		said["from"], said["at"] = from.String(), seconds(time.Now())
		c.lock.Lock()
		c.heard = append(c.heard, said)
		c.lock.Unlock()
	}
}

// tell sends to every control stream; how many there are.
func (c *cache) tell(said fields) (fields, error) {
	c.lock.Lock()
	members := []*member{}
	for _, m := range c.members {
		if m.out != nil && !m.out.Conn().IsClosed() {
			members = append(members, m)
		}
	}
	c.lock.Unlock()
	for _, m := range members {
		if err := m.send(m.out, said); err != nil {
			return nil, err
		}
	}
	return fields{"told": len(members)}, nil
}

func (c *cache) announce(ctx context.Context, asked fields) (fields, error) {
	c.lock.Lock()
	h, ok := c.entries[asked.text("key")]
	c.lock.Unlock()
	if !ok {
		return nil, fmt.Errorf("not held: %q", asked.text("key"))
	}
	own := h.own()
	one := fields{
		"key": h.key(), "url": own["url"], "cid": own["cid"], "auth": own["auth"], "proof": own["proof"],
		"timestamp": h.head["timestamp"], "ttl": h.head["ttl"], "size": len(h.body),
		"hops": asked.number("hops", 0),
	}
	return c.tell(fields{"type": "cache_entry", "entries": []fields{one}})
}

func (c *cache) invalidate(ctx context.Context, asked fields) (fields, error) {
	return c.tell(fields{"type": "invalidate", "prefixes": asked["prefixes"], "time": seconds(time.Now())})
}

// ---- entries ----

func cid(body []byte) string {
	sum := sha256.Sum256(body)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append([]byte{1, 0x55, 0x12, 0x20}, sum[:]...))
	return "b" + strings.ToLower(text)
}

// readEntry takes an entry file apart; the body is the bytes of `data` as they stand.
func readEntry(file string) (held, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return held{}, err
	}
	whole := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &whole); err != nil {
		return held{}, err
	}
	h := held{head: fields{}, body: whole["data"]}
	delete(whole, "data")
	for name, raw := range whole {
		value, from := any(nil), json.NewDecoder(bytes.NewReader(raw))
		from.UseNumber() // numbers stay as they were written
		if err := from.Decode(&value); err != nil {
			return held{}, err
		}
		h.head[name] = value
	}
	if h.own().text("encoding") == "base64" {
		packed := ""
		if err := json.Unmarshal(h.body, &packed); err != nil {
			return held{}, err
		}
		if h.body, err = base64.StdEncoding.DecodeString(packed); err != nil {
			return held{}, err
		}
	}
	return h, nil
}

func (c *cache) put(ctx context.Context, asked fields) (fields, error) {
	h, err := readEntry(asked.text("file"))
	if err != nil {
		return nil, err
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.entries[h.key()] = h
	return fields{"key": h.key(), "cid": cid(h.body), "size": len(h.body)}, nil
}

func (c *cache) prove(ctx context.Context, asked fields) (fields, error) {
	h, err := readEntry(asked.text("file"))
	if err != nil {
		return nil, err
	}
	auth, proof, err := proof(asked.text("token"), h)
	return fields{"auth": auth, "proof": proof}, err
}

func (c *cache) setBusy(ctx context.Context, asked fields) (fields, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.busy[asked.text("key")] = asked.number("retry_ms", 0)
	return nil, nil
}

// find gives the answer to a request.
func (c *cache) find(from peer.ID, request fields) (fields, []byte) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.asked = append(c.asked, fields{
		"from": from.String(), "key": request.text("key"), "cid": request.text("cid"), "at": seconds(time.Now()),
	})
	if retry := c.busy[request.text("key")]; retry > 0 {
		return fields{"type": "cache_response", "answer": "busy", "retry_ms": retry}, nil
	}
	for key, h := range c.entries {
		if key == request.text("key") || h.own().text("cid") == request.text("cid") {
			return fields{"type": "cache_response", "answer": "hit", "entry": h.head, "size": len(h.body)}, h.body
		}
	}
	return fields{"type": "cache_response", "answer": "miss"}, nil
}

// ---- streams ----

func (c *cache) stream(ctx context.Context, conn network.Conn) (network.Stream, error) {
	s, err := c.host.NewStream(network.WithNoDial(ctx, "tests dial by themselves"), conn.RemotePeer(), cacheID)
	if err == nil {
		s.SetDeadline(time.Now().Add(patience))
	}
	return s, err
}

// serve answers one stream: the control stream, if the dialer's first, or one request.
func (c *cache) serve(s network.Stream) error {
	s.SetDeadline(time.Now().Add(patience))
	m, err := c.of(s.Conn())
	if err != nil {
		return err
	}
	in, limit := bufio.NewReader(s), early
	select {
	case <-m.info:
		limit = requestMax
	default:
	}
	said, err := m.receive(in, limit)
	if err != nil {
		return err
	}
	if said.text("type") == "peer_info" {
		return c.control(s, m, said, in)
	}
	select {
	case <-m.info:
	default:
		return errors.New("a request before peer_info")
	}
	if said.text("type") != "cache_request" {
		return fmt.Errorf("not a request: %q", said.text("type"))
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return fmt.Errorf("the request does not end: %v", err)
	}
	head, body := c.find(s.Conn().RemotePeer(), said)
	if err := m.send(s, head); err != nil {
		return err
	}
	if head["answer"] == "hit" {
		if err := m.sendBody(s, body); err != nil {
			return err
		}
	}
	return s.Close()
}

// control is the listener's side of it.
func (c *cache) control(s network.Stream, m *member, said fields, in *bufio.Reader) error {
	if s.Conn().Stat().Direction == network.DirOutbound {
		return errors.New("a control stream from the listener")
	}
	if m.out != nil {
		return errors.New("a second control stream")
	}
	if err := c.checkInfo(said); err != nil {
		return err
	}
	if err := m.send(s, c.ownInfo()); err != nil {
		return err
	}
	m.said, m.out = said, s
	close(m.info)
	c.listen(s.Conn().RemotePeer(), m, in)
	return nil
}

func (c *cache) fetch(ctx context.Context, asked fields) (fields, error) {
	conn, err := c.connection(asked)
	if err != nil {
		return nil, err
	}
	m, err := c.of(conn)
	if err != nil {
		return nil, err
	}
	request := fields{"type": "cache_request"}
	for _, by := range []string{"key", "cid"} {
		if asked[by] != nil {
			request[by] = asked[by]
		}
	}
	answer, body, took, begin := fields(nil), []byte(nil), []int64{}, time.Now()
	for range asked.number("times", 1) {
		start := time.Now()
		if answer, body, err = c.ask(ctx, conn, m, request); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start).Microseconds())
	}
	delete(answer, "type")
	answer["us"] = took
	answer["mbps"] = float64(len(body)*len(took)) / float64(max(1, time.Since(begin).Microseconds()))
	if answer.text("answer") == "hit" {
		answer["cid"], answer["size"] = cid(body), len(body)
		answer["body"] = base64.StdEncoding.EncodeToString(body[:min(len(body), 64<<10)])
	}
	return answer, nil
}

// ask is one request and its answer, as ghoard would ask: a hit's body must have the header's CID.
func (c *cache) ask(ctx context.Context, conn network.Conn, m *member, request fields) (fields, []byte, error) {
	s, err := c.stream(ctx, conn)
	if err != nil {
		return nil, nil, err
	}
	defer s.Reset() // does nothing to a stream that has ended
	if err := m.send(s, request); err != nil {
		return nil, nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(s, 64<<10)
	answer, err := m.receive(in, headerMax)
	if err != nil {
		return nil, nil, err
	}
	body := []byte(nil)
	if answer.text("answer") == "hit" {
		if body, err = m.receiveBody(in); err != nil {
			return nil, nil, err
		}
		entry, _ := answer["entry"].(map[string]any)
		if said := (held{head: entry}).own().text("cid"); said != cid(body) {
			return nil, nil, fmt.Errorf("the body's CID is %s, the header says %s", cid(body), said)
		}
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return nil, nil, fmt.Errorf("the answer does not end: %v", err)
	}
	return answer, body, s.Close()
}
