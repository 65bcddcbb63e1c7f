package main

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	cacheID   = "/github-cache/1.0.0"
	version   = 1
	header    = 1 // what is sealed begins with one of these
	record    = 2
	last      = 3
	nonceLen  = 12
	sealedAdd = 1 + nonceLen + 1 + 16 // version, nonce, kind, tag
	recordMax = 16 << 10              // sealed
)

func groupKey(secret string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, secret, []byte("github-cache-p2p"), 100_000, 32)
}

// field appends a member of a hashed list: its length, then itself.
func field(list []byte, one []byte) []byte {
	return append(binary.AppendUvarint(list, uint64(len(one))), one...)
}

// sealer holds the two keys of a connection.
type sealer struct{ out, in cipher.AEAD }

func newSealer(group []byte, conn network.Conn) (*sealer, error) {
	if group == nil {
		return nil, errors.New("not a member of a group: `join` first")
	}
	dialer, listener, own, other := conn.LocalPeer(), conn.RemotePeer(), "i", "r"
	if conn.Stat().Direction == network.DirInbound {
		dialer, listener, own, other = listener, dialer, other, own
	}
	out, err := aead(group, dialer, listener, own)
	if err != nil {
		return nil, err
	}
	in, err := aead(group, dialer, listener, other)
	return &sealer{out, in}, err
}

func aead(group []byte, dialer, listener peer.ID, role string) (cipher.AEAD, error) {
	salt := field(field(nil, []byte(dialer)), []byte(listener))
	key, err := hkdf.Key(sha256.New, group, salt, cacheID+" "+role, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func aad(kind byte) []byte { return append([]byte(cacheID), kind) }

func (s *sealer) seal(kind byte, plain []byte) []byte {
	out := make([]byte, 1+nonceLen, sealedAdd+len(plain))
	out[0] = version
	rand.Read(out[1:])
	return s.out.Seal(out, out[1:], append([]byte{kind}, plain...), aad(kind))
}

// openAs opens what must be of one of these kinds.
func (s *sealer) openAs(sealed []byte, kinds ...byte) (byte, []byte, error) {
	if len(sealed) < sealedAdd || sealed[0] != version {
		return 0, nil, errors.New("not a sealed message")
	}
	for _, kind := range kinds {
		plain, err := s.in.Open(nil, sealed[1:1+nonceLen], sealed[1+nonceLen:], aad(kind))
		if err != nil {
			continue
		}
		if plain[0] != kind {
			return 0, nil, errors.New("sealed as another kind than it says")
		}
		return kind, plain[1:], nil
	}
	return 0, nil, errors.New("a sealed message does not open")
}

// ---- messages ----

func readMessage(in *bufio.Reader, limit int) ([]byte, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, err
	}
	if n > uint64(limit) {
		return nil, fmt.Errorf("a message of %d bytes, %d are allowed", n, limit)
	}
	message := make([]byte, n)
	_, err = io.ReadFull(in, message)
	return message, err
}

func (m *member) send(to io.Writer, said fields) error {
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	m.write.Lock()
	defer m.write.Unlock()
	_, err = to.Write(field(nil, m.seal.seal(header, text)))
	return err
}

func (m *member) receive(in *bufio.Reader, limit int) (fields, error) {
	sealed, err := readMessage(in, limit+sealedAdd)
	if err != nil {
		return nil, err
	}
	_, text, err := m.seal.openAs(sealed, header)
	if err != nil {
		return nil, err
	}
	said, from := fields{}, json.NewDecoder(bytes.NewReader(text))
	if err := from.Decode(&said); err != nil {
		return nil, err
	}
	return said, nil
}

func (m *member) sendBody(to io.Writer, body []byte) error {
	for {
		part := body[:min(len(body), recordMax-sealedAdd)]
		body = body[len(part):]
		kind := byte(record)
		if len(body) == 0 {
			kind = last
		}
		if _, err := to.Write(field(nil, m.seal.seal(kind, part))); err != nil || kind == last {
			return err
		}
	}
}

func (m *member) receiveBody(in *bufio.Reader) ([]byte, error) {
	body := []byte{}
	for {
		sealed, err := readMessage(in, recordMax+sealedAdd)
		if err != nil {
			return nil, err
		}
		kind, part, err := m.seal.openAs(sealed, last, record)
		if err != nil {
			return nil, err
		}
		if body = append(body, part...); len(body) > bodyMax {
			return nil, errors.New("a body above 8 MiB")
		}
		if kind == last {
			return body, nil
		}
	}
}

// ---- the proof of an entry ----

// microseconds of a number as it is written, exactly.
func microseconds(text string) (string, error) {
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return "", fmt.Errorf("no number: %q", text)
	}
	value.Mul(value, big.NewRat(1_000_000, 1))
	if !value.IsInt() {
		return "", fmt.Errorf("finer than a microsecond: %q", text)
	}
	return value.Num().String(), nil
}

func proof(token string, h held) (string, string, error) {
	tag, err := hkdf.Key(sha256.New, []byte(token), nil, "ghoard tag 1", 16)
	if err != nil {
		return "", "", err
	}
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "ghoard entry 1", 32)
	if err != nil {
		return "", "", err
	}
	own := h.own()
	when, err := microseconds(fmt.Sprint(h.head["timestamp"]))
	if err != nil {
		return "", "", err
	}
	headers, _ := own["headers"].([]any)
	list := field(nil, []byte(h.key()))
	list = field(list, []byte(own.text("cid")))
	list = field(list, []byte(fmt.Sprint(own["status"])))
	list = field(list, []byte(fmt.Sprint(len(headers))))
	for _, one := range headers {
		pair, _ := one.([]any)
		if len(pair) != 2 {
			return "", "", errors.New("a header that is no pair")
		}
		list = field(field(list, []byte(fmt.Sprint(pair[0]))), []byte(fmt.Sprint(pair[1])))
	}
	list = field(field(list, []byte(when)), []byte(fmt.Sprint(h.head["ttl"])))
	mac := hmac.New(sha256.New, key)
	mac.Write(list)
	return hex.EncodeToString(tag), hex.EncodeToString(mac.Sum(nil)[:16]), nil
}
