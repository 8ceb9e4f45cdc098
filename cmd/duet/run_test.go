package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// lateListener is closed like any other, but its Accept hears of it only when
// it is closed once more, as happens to a goroutine that is not scheduled in time.
type lateListener struct {
	net.Listener
	mu     sync.Mutex
	closed int
	heard  chan struct{}
}

func (l *lateListener) Accept() (net.Conn, error) {
	<-l.heard
	return nil, net.ErrClosed
}

func (l *lateListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed++; l.closed == 3 { // the signal, the end of the rest, the server itself
		close(l.heard)
	}
	return l.Listener.Close()
}

func TestEndingWithAPortClosedTwiceIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server := httpServer(http.NotFoundHandler(), quiet())
	var p parts
	p.serve(server, listenLocal(t))
	p.serve(server, &lateListener{Listener: listenLocal(t), heard: make(chan struct{})})
	ended := make(chan error, 1)
	go func() {
		ended <- p.run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }, time.Second)
	}()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v, want nil", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("has not ended")
	}
}
