package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	multistream "github.com/multiformats/go-multistream"
)

const (
	echoID   = "/ghoard-test/echo/1.0.0"
	noneID   = "/ghoard-test/none/1.0.0"
	period   = 65521
	maxBody  = 64 << 20
	oneAsk   = 60 * time.Second
	halfDone = 64 << 10
)

var pattern = func() []byte {
	b := make([]byte, period)
	for i := range b {
		b[i] = byte(7*i + i>>8)
	}
	return b
}()

// body reads n bytes of the pattern.
type body struct{ at, n int }

func (b *body) Read(p []byte) (int, error) {
	if b.at == b.n {
		return 0, io.EOF
	}
	from := b.at % period
	got := copy(p, pattern[from:min(period, from+b.n-b.at)])
	b.at += got
	return got, nil
}

func (b *body) WriteTo(w io.Writer) (int64, error) {
	begin := b.at
	for b.at < b.n {
		from := b.at % period
		wrote, err := w.Write(pattern[from:min(period, from+b.n-b.at)])
		b.at += wrote
		if err != nil {
			return int64(b.at - begin), err
		}
	}
	return int64(b.at - begin), nil
}

// checked reads exactly n bytes of the pattern and then the end.
func checked(r io.Reader, n int) error {
	buffer := make([]byte, 64<<10)
	for at := 0; ; {
		got, err := r.Read(buffer)
		for done := 0; done < got; {
			from := at % period
			part := min(got-done, period-from)
			if at+part > n || !bytes.Equal(buffer[done:done+part], pattern[from:from+part]) {
				return fmt.Errorf("another byte than sent, or too many, after %d of %d", at, n)
			}
			done, at = done+part, at+part
		}
		if err == io.EOF && at == n {
			return nil
		}
		if err == io.EOF {
			return fmt.Errorf("the end after %d of %d bytes", at, n)
		}
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", at, n, err)
		}
	}
}

type echo struct {
	host   host.Host
	lock   sync.Mutex
	served map[string]int
	cut    int
}

func newEcho(h host.Host) *echo {
	e := &echo{host: h, served: map[string]int{}}
	h.SetStreamHandler(echoID, func(s network.Stream) {
		mode, err := e.answer(s)
		if err != nil {
			s.ResetWithError(0)
		}
		e.lock.Lock()
		defer e.lock.Unlock()
		if err == nil {
			e.served[mode]++
		} else {
			e.cut++
		}
	})
	return e
}

func (e *echo) commands() map[string]command {
	return map[string]command{
		"echo":     e.measured(e.one('e')),
		"download": e.measured(e.one('d')),
		"upload":   e.measured(e.one('u')),
		"half":     e.half,
		"streams":  e.streams,
		"reset":    e.reset,
		"none":     e.none,
		"refused":  e.refused,
		"stats":    e.stats,
	}
}

// ---- server ----

func (e *echo) answer(s network.Stream) (string, error) {
	s.SetDeadline(time.Now().Add(oneAsk))
	in := bufio.NewReaderSize(s, 64<<10)
	mode, err := in.ReadByte()
	if err != nil {
		return "", err
	}
	size, err := binary.ReadUvarint(in)
	if err != nil || size > maxBody {
		return "", fmt.Errorf("no length, or above the limit: %w", err)
	}
	n, head := int(size), binary.AppendUvarint(nil, size)
	switch mode {
	case 'e':
		if _, err := s.Write(head); err != nil {
			return "", err
		}
		if got, err := io.CopyBuffer(plain{s}, plain{io.LimitReader(in, int64(n))}, make([]byte, 64<<10)); err != nil || int(got) < n {
			return "", fmt.Errorf("%d of %d bytes: %v", got, n, err)
		}
	case 'd':
		if _, err := io.Copy(s, io.MultiReader(bytes.NewReader(head), &body{n: n})); err != nil {
			return "", err
		}
	case 'u':
		sum := sha256.New()
		got, err := io.Copy(sum, in)
		if err != nil || int(got) != n {
			return "", fmt.Errorf("%d of %d bytes: %v", got, n, err)
		}
		if _, err := s.Write(sum.Sum(head)); err != nil {
			return "", err
		}
	case 'r':
		s.Write(head)
		(&body{n: n}).WriteTo(s)
		return "r", s.ResetWithError(0)
	default:
		return "", fmt.Errorf("no such mode: %q", mode)
	}
	return string(mode), s.Close()
}

// plain hides ReadFrom and WriteTo.
type plain struct{ rw any }

func (p plain) Read(b []byte) (int, error)  { return p.rw.(io.Reader).Read(b) }
func (p plain) Write(b []byte) (int, error) { return p.rw.(io.Writer).Write(b) }

// ---- client ----

func (e *echo) open(ctx context.Context, id peer.ID) (network.Stream, error) {
	s, err := e.host.NewStream(network.WithNoDial(ctx, "tests dial by themselves"), id, echoID)
	if err == nil {
		s.SetDeadline(time.Now().Add(oneAsk))
	}
	return s, err
}

type ask func(ctx context.Context, id peer.ID, n int) error

// one is one request and its answer in that mode, on a stream of its own.
func (e *echo) one(mode byte) ask {
	return func(ctx context.Context, id peer.ID, n int) error {
		s, err := e.open(ctx, id)
		if err != nil {
			return err
		}
		defer s.Reset() // does nothing to a stream that has ended
		head := binary.AppendUvarint([]byte{mode}, uint64(n))
		wrote := make(chan error, 1)
		switch mode {
		case 'd':
			if _, err := s.Write(head); err != nil {
				return err
			}
			wrote <- nil
		case 'u':
			wrote <- send(s, head, n)
		default:
			go func() { wrote <- send(s, head, n) }()
		}
		if err := receive(s, mode, n); err != nil {
			return err
		}
		if err := <-wrote; err != nil {
			return err
		}
		return s.Close()
	}
}

func send(s network.Stream, head []byte, n int) error {
	if _, err := io.Copy(s, io.MultiReader(bytes.NewReader(head), &body{n: n})); err != nil {
		return err
	}
	return s.CloseWrite()
}

func receive(s network.Stream, mode byte, n int) error {
	in := bufio.NewReaderSize(s, 64<<10)
	size, err := binary.ReadUvarint(in)
	if err != nil {
		return err
	}
	if int(size) != n {
		return fmt.Errorf("the answer announces %d bytes, not %d", size, n)
	}
	if mode != 'u' {
		return checked(in, n)
	}
	sum, got := sha256.New(), make([]byte, sha256.Size+1)
	io.Copy(sum, &body{n: n})
	if count, err := io.ReadFull(in, got); err != io.ErrUnexpectedEOF || !bytes.Equal(got[:count], sum.Sum(nil)) {
		return fmt.Errorf("another SHA-256 than of what was sent: %x, %v", got[:count], err)
	}
	return nil
}

func (e *echo) measured(one ask) command {
	return func(ctx context.Context, asked fields) (fields, error) {
		id, err := asked.peer()
		if err != nil {
			return nil, err
		}
		n, times, took, begin := asked.number("bytes", 0), asked.number("times", 1), []int64{}, time.Now()
		for range times {
			start := time.Now()
			if err := one(ctx, id, n); err != nil {
				return nil, err
			}
			took = append(took, time.Since(start).Microseconds())
		}
		return fields{"us": took, "mbps": float64(n*times) / float64(max(1, time.Since(begin).Microseconds()))}, nil
	}
}

func (e *echo) half(ctx context.Context, asked fields) (fields, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	n, begin := asked.number("bytes", 0), time.Now()
	if err := e.one('u')(ctx, id, n); err != nil {
		return nil, err
	}
	s, err := e.open(ctx, id)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	if _, err := s.Write(binary.AppendUvarint([]byte{'d'}, uint64(n))); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	if err := receive(s, 'd', n); err != nil {
		return nil, err
	}
	return fields{"us": []int64{time.Since(begin).Microseconds()}}, nil
}

func (e *echo) streams(ctx context.Context, asked fields) (fields, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	n, size := asked.number("n", 1), asked.number("bytes", 100)
	begin, todo, failed := time.Now(), make(chan int, n), make(chan error, n)
	for i := range n {
		todo <- i
	}
	close(todo)
	var all sync.WaitGroup
	for range asked.number("at_once", 1) {
		all.Go(func() {
			for range todo {
				failed <- e.one('e')(ctx, id, size)
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return fields{"done": n, "ms": milliseconds(time.Since(begin))}, nil
}

func (e *echo) reset(ctx context.Context, asked fields) (fields, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	s, err := e.open(ctx, id)
	if err != nil {
		return nil, err
	}
	if asked.text("side") == "client" {
		head := binary.AppendUvarint([]byte{'e'}, 1<<20)
		if _, err := io.Copy(s, io.MultiReader(bytes.NewReader(head), &body{n: halfDone})); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(s, make([]byte, 1024)); err != nil {
			return nil, err
		}
		s.Reset()
	} else {
		if _, err := s.Write(binary.AppendUvarint([]byte{'r'}, halfDone)); err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, plain{s}); !errors.Is(err, network.ErrReset) {
			return nil, fmt.Errorf("no reset was seen, but %v", err)
		}
	}
	return fields{"saw": "reset"}, e.one('e')(ctx, id, 1000)
}

func (e *echo) none(ctx context.Context, asked fields) (fields, error) {
	asked["protocol"] = noneID
	said, err := e.refused(ctx, asked)
	if err != nil {
		return nil, err
	}
	id, _ := asked.peer()
	return said, e.one('e')(ctx, id, 1000)
}

// refused {peer, protocol}: ok when the peer answered `na` to it.
func (e *echo) refused(ctx context.Context, asked fields) (fields, error) {
	id, err := asked.peer()
	if err != nil {
		return nil, err
	}
	proposed := protocol.ID(asked.text("protocol"))
	s, err := e.host.NewStream(network.WithNoDial(ctx, "tests dial by themselves"), id, proposed)
	if err == nil {
		s.Reset()
		return nil, fmt.Errorf("%s was accepted", proposed)
	}
	if !errors.As(err, new(multistream.ErrNotSupported[protocol.ID])) {
		return nil, err
	}
	return fields{"saw": "na"}, nil
}

func (e *echo) stats(ctx context.Context, asked fields) (fields, error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	served := map[string]int{}
	for mode, n := range e.served {
		served[mode] = n
	}
	return fields{"served": served, "cut": e.cut}, nil
}
