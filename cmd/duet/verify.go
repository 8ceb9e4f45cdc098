package main

// verify.go compares the page that a server gives with the one that is in this program.

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"duet/web"
)

func verifyCommand(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	if err := flags.Parse(args); err != nil {
		return usageError(err.Error())
	}
	base, err := url.Parse(flags.Arg(0))
	if flags.NArg() != 1 || err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return usageError("duet verify wants the address of a page, as https://call.example.org")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return verify(ctx, base.JoinPath("/"), stdout)
}

// verify asks for each file of the page as a browser would.
func verify(ctx context.Context, base *url.URL, stdout io.Writer) error {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the server sends us elsewhere: verify that address")
	}}
	defer client.CloseIdleConnections()
	files := web.Files()
	others := 0
	for i, f := range files {
		why, err := differs(ctx, client, base.JoinPath(f.Path), f.Content)
		if err != nil {
			return fmt.Errorf("/%s: %w", f.Path, err)
		}
		if why != "" {
			others++
			fmt.Fprintf(stdout, "%-24s %s\n", "/"+f.Path, why)
		}
		if i == 0 && why == absent {
			return fmt.Errorf("%s gives no page", base)
		}
	}
	if others > 0 {
		return fmt.Errorf("%d of %d files are not those of duet %s", others, len(files), version)
	}
	fmt.Fprintf(stdout, "all %d files are those of duet %s\n", len(files), version)
	return nil
}

const absent = "is not there"

// differs says in what way the file is another one; "": in none.
func differs(ctx context.Context, client *http.Client, u *url.URL, want []byte) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return absent, nil
	}
	got, err := io.ReadAll(io.LimitReader(res.Body, int64(len(want))+1))
	if err != nil {
		return "", err
	}
	if !bytes.Equal(got, want) {
		return "is another", nil
	}
	return "", nil
}
