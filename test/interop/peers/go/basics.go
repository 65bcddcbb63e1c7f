package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

func (n *node) basics() map[string]command {
	return map[string]command{
		"dial":     n.dial,
		"identify": n.identify,
		"ping":     n.ping,
		"close":    n.close,
		"peers":    n.peers,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (n *node) dial(ctx context.Context, asked fields) (fields, error) {
	to, err := peer.AddrInfoFromString(asked.text("addr"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	n.host.Peerstore().AddAddrs(to.ID, to.Addrs, time.Hour)
	begin := time.Now()
	conn, err := n.host.Network().DialPeer(ctx, to.ID)
	if err != nil {
		return nil, err
	}
	connected := time.Since(begin)
	// Connect on a connection that stands waits for identify alone.
	if err := n.host.Connect(ctx, *to); err != nil {
		return nil, err
	}
	select {
	case <-n.host.(interface{ IDService() identify.IDService }).IDService().IdentifyWait(conn):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return fields{
		"peer":        to.ID.String(),
		"connect_ms":  milliseconds(connected),
		"identify_ms": milliseconds(time.Since(begin)),
	}, nil
}

// identified keeps what the identify service learns.
type identified struct {
	lock sync.Mutex
	of   map[peer.ID]event.EvtPeerIdentificationCompleted
}

func newIdentified(h host.Host) (*identified, error) {
	events, err := h.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return nil, err
	}
	i := &identified{of: map[peer.ID]event.EvtPeerIdentificationCompleted{}}
	go func() {
		for e := range events.Out() {
			i.lock.Lock()
			said := e.(event.EvtPeerIdentificationCompleted)
			i.of[said.Peer] = said
			i.lock.Unlock()
		}
	}()
	return i, nil
}

func (n *node) identify(ctx context.Context, asked fields) (fields, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		n.identified.lock.Lock()
		said, ok := n.identified.of[id]
		n.identified.lock.Unlock()
		if !ok {
			continue
		}
		// the library has compared it with the key that Noise proved
		raw, err := crypto.MarshalPublicKey(n.host.Peerstore().PubKey(id))
		if err != nil {
			return nil, err
		}
		addrs := []string{}
		for _, a := range said.ListenAddrs {
			addrs = append(addrs, a.String())
		}
		observed := []string{}
		if said.ObservedAddr != nil {
			observed = append(observed, said.ObservedAddr.String())
		}
		return fields{
			"agent":     said.AgentVersion,
			"version":   said.ProtocolVersion,
			"protocols": said.Protocols,
			"addrs":     addrs,
			"observed":  observed,
			"key":       hex.EncodeToString(raw),
		}, nil
	}
	return nil, fmt.Errorf("no identify of %s in 20 s", id)
}

func (n *node) ping(ctx context.Context, asked fields) (fields, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	count, every := asked.number("n", 1), asked.number("every_ms", 0)
	took := []int64{}
	for result := range ping.Ping(ctx, n.host, id) {
		if result.Error != nil {
			return nil, result.Error
		}
		took = append(took, result.RTT.Microseconds())
		if len(took) == count {
			return fields{"rtt_us": took}, nil
		}
		time.Sleep(time.Duration(every) * time.Millisecond)
	}
	return nil, fmt.Errorf("the pings ended after %d", len(took))
}

func (n *node) close(ctx context.Context, asked fields) (fields, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	return nil, n.host.Network().ClosePeer(id)
}

func (n *node) peers(ctx context.Context, asked fields) (fields, error) {
	found := []fields{}
	for _, conn := range n.host.Network().Conns() {
		found = append(found, fields{
			"peer":     conn.RemotePeer().String(),
			"dialled":  conn.Stat().Direction == network.DirOutbound,
			"security": conn.ConnState().Security,
			"muxer":    conn.ConnState().StreamMultiplexer,
			"early":    conn.ConnState().UsedEarlyMuxerNegotiation,
		})
	}
	return fields{"peers": found}, nil
}
