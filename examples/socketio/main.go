// Command socketio serves a page of the twelve messages over Socket.IO, and the signaling that it talks to:
//
//	go run ./examples/socketio [address]
//
// It shows the signaling within another program: calls go directly, without TURN and relay. The same page works with the
// whole of Duet, from which it may be served or not (http.allowed_origins). It has one goroutine beside the server's, and no lock.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"

	"duet/signaling"
)

//go:embed index.html
var page []byte

func main() {
	address := "localhost:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	fmt.Fprintln(os.Stderr, serve(address))
	os.Exit(1)
}

func serve(address string) error {
	hub, err := signaling.New(signaling.DefaultConfig(), signaling.Deps{ServerName: "duet"})
	if err != nil {
		return err
	}
	go hub.Run(context.Background()) // keeps connections alive, and tells who is online
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", hub.SocketIO())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { w.Write(page) })
	fmt.Printf("open http://%s in two windows\n", address)
	return http.ListenAndServe(address, mux)
}
