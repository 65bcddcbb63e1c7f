// Command node is a go-libp2p node for the interop tests; ../README.md says how it is driven.
package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// fields is one JSON object, of a command or of an answer.
type fields map[string]any

func (f fields) text(name string) string {
	s, _ := f[name].(string)
	return s
}

func (f fields) number(name string, otherwise int) int {
	if n, ok := f[name].(float64); ok {
		return int(n)
	}
	return otherwise
}

func (f fields) peer() (peer.ID, error) {
	return peer.Decode(f.text("peer"))
}

type command func(context.Context, fields) (fields, error)

type node struct {
	host       host.Host
	identified *identified
	echo       *echo
	cache      *cache
	commands   map[string]command
	out        sync.Mutex
}

func (n *node) print(f fields) {
	n.out.Lock()
	defer n.out.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
		log.Fatal(err)
	}
}

func (n *node) run(ctx context.Context, asked fields) {
	answer, err := fields(nil), error(nil)
	if do, ok := n.commands[asked.text("do")]; ok {
		answer, err = do(ctx, asked)
	} else {
		err = fmt.Errorf("no such command: %q", asked.text("do"))
	}
	if answer == nil {
		answer = fields{}
	}
	answer["id"], answer["ok"] = asked["id"], err == nil
	if err != nil {
		answer["error"] = err.Error()
	}
	n.print(answer)
}

func identity(seed string) (crypto.PrivKey, error) {
	raw, err := hex.DecodeString(seed)
	if err != nil || len(raw) != ed25519.SeedSize {
		return nil, fmt.Errorf("--seed wants 64 hex digits")
	}
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(raw))
}

func newHost(key crypto.PrivKey, listen string) (host.Host, error) {
	// The default limits count all of a test's streams as one peer's: 64 a protocol.
	limits, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits))
	if err != nil {
		return nil, err
	}
	return libp2p.New(
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(listen),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(limits),
		libp2p.DisableRelay(),
		libp2p.UserAgent("go-libp2p/interop"),
	)
}

func main() {
	seed := flag.String("seed", "", "Ed25519 seed, 64 hex digits")
	listen := flag.String("listen", "/ip4/127.0.0.1/tcp/0", "multiaddr to listen on")
	flag.Parse()
	key, err := identity(*seed)
	if err != nil {
		log.Fatal(err)
	}
	h, err := newHost(key, *listen)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	known, err := newIdentified(h)
	if err != nil {
		log.Fatal(err)
	}
	n := &node{host: h, identified: known, echo: newEcho(h), cache: newCache(h)}
	n.commands = n.basics()
	for name, do := range n.echo.commands() {
		n.commands[name] = do
	}
	for name, do := range n.cache.commands() {
		n.commands[name] = do
	}
	// identify learns of a handler by an event: before that it tells peers less than there is
	time.Sleep(100 * time.Millisecond)
	addrs := []string{}
	for _, a := range h.Addrs() {
		addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", a, h.ID()))
	}
	n.print(fields{"event": "ready", "peer": h.ID().String(), "addrs": addrs})

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 32<<20)
	for lines.Scan() {
		asked := fields{}
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		go n.run(context.Background(), asked)
	}
}
