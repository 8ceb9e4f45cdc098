# Duet's commands. `make test` installs what the tests need (and says so), `make help` lists the rest.
.PHONY: help build test test-all bench bench-turn bench-relay bench-signaling bench-hostile deps lint unit hostile fuzz web e2e clients natlab screens clean
.DEFAULT_GOAL := build

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

build: ## the program, at bin/duet
	go build -trimpath -o bin/duet ./cmd/duet

test: ## every check, as CI runs them: about a quarter of an hour
	@.ci/test

test-all: ## the same with nothing shortened: hours
	@DUET_TEST_ALL=1 .ci/test

bench: ## every benchmark, ten times, for benchstat
	go test -run '^$$' -bench . -benchmem -count 10 ./...

bench-turn: ## this TURN server and coturn in turns: CPU, latency, memory, ratios (ROUNDS=3 CALLS=100 SEARCH=1 BASE=other-build)
	@internal/bench/turn/compare.sh

bench-relay: ## this relay and Janus's VideoCall in turns: CPU, latency, memory, ratios (ROUNDS=3 CALLS=20)
	@internal/bench/relay/compare.sh

bench-signaling: ## joins, calls, churn and memory at thousands of users; BASE=older duet compares, with a Node server too; SOCKETIO=1 over Socket.IO (ROUNDS=3 USERS=20000 ONLINE=5000)
	@internal/bench/signaling/measure.sh

bench-hostile: ## each attack beside 20 honest calls and 1,000 users: what is lost, and latency against the quiet time
	DUET_TEST_ALL=1 go test -count=1 -v -timeout 1h ./internal/hostile

deps: ## only installs what the tests need
	@.ci/deps

lint: ## format, go.mod, vet, staticcheck
	@.ci/test format tidy vet staticcheck

unit hostile fuzz: ## one stage of make test; so are the next
	@.ci/test $@

web: ## the page's own tests, its types, and the library as a package (bin/duet-client-*.tgz)
	@.ci/test web types client

e2e clients natlab:
	@.ci/test $@

screens: ## pictures of every screen, in four sizes, both schemes, both languages, into internal/e2e/shots; and what axe finds
	@DUET_TEST_ALL=1 go test -count=1 -timeout 1h ./internal/e2e -run '^(TestScreens|TestWebKit)'

clean: ## what the above made
	rm -rf bin .ci/node_modules internal/e2e/shots
