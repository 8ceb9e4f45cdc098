// Command embed serves a page that calls through a Duet of another origin, and that Duet:
//
//	go run ./examples/embed [address of the page] [address of the server]
//
// The server here is the library and the signaling alone: calls go directly. The same page works with the whole of Duet, as
// ?server=https://call.example.org/, when http.allowed_origins names the page's origin. It has one goroutine for each server
// and one beside, and no lock.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"os"

	"duet/signaling"
	"duet/web"
)

//go:embed index.html
var page []byte

func main() {
	here, there := "localhost:8081", "localhost:8080"
	if len(os.Args) > 2 {
		here, there = os.Args[1], os.Args[2]
	}
	fmt.Fprintln(os.Stderr, serve(here, there))
	os.Exit(1)
}

func serve(here, there string) error {
	hub, err := signaling.New(signaling.DefaultConfig(), signaling.Deps{ServerName: "duet", AllowedOrigins: []string{"http://" + here}})
	if err != nil {
		return err
	}
	go hub.Run(context.Background()) // keeps connections alive, and tells who is online
	duet := http.NewServeMux()
	duet.Handle("/ws", hub)
	duet.Handle("/", web.Handler())
	ended := make(chan error)
	go func() { ended <- http.ListenAndServe(there, duet) }()
	go func() {
		ended <- http.ListenAndServe(here, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(page) }))
	}()
	fmt.Printf("open http://%s/?server=http://%s/ in two windows\n", here, there)
	return <-ended
}
