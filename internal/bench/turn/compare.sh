#!/usr/bin/env bash
# Measures this server and coturn on loopback in turns, a fresh server for every run, and prints medians and ratios.
# Environment: ROUNDS (3), CALLS (100), SPAN (seconds measured in a run, 4), KINDS (which loads: MODE.CARRY of duet bench
# turn, see below), BASE (another build of this program, measured beside it), SEARCH=1 (also the most calls that each
# carries on one core, which takes minutes), IDLE (allocations for the memory, 2000),
# VERBOSE=1 (every run's output), TURNSERVER (coturn's program).
. "$(dirname "$0")/../lib.sh"

calls=${CALLS:-100} span_s=${SPAN:-4} idle=${IDLE:-2000}
kinds=${KINDS:-relay.channels relay.indications relay.mixed peer.channels peer.indications}
servers="duet coturn"; [ -z "${BASE:-}" ] || servers="duet base coturn"
number "$calls" "$span_s" "$idle"
turnserver=${TURNSERVER:-$(command -v turnserver || true)}
[ -n "$turnserver" ] || die "coturn is missing (Debian: apt-get install coturn); without it: bin/duet bench turn -h"
build

ours=34780 theirs=34781 secret=only-for-this-measurement
cat >"$out/duet.yaml" <<END
http: {listen: "127.0.0.1:34782", admin_listen: ""}
state_dir: "$out/state"
log: {level: warn}
turn: {listen: "127.0.0.1:$ours", public_ip: 127.0.0.1, secret: $secret, relay_ports: "50000-65535", allow_peers: [127.0.0.0/8]}
relay: {mode: "off"}
END
echo $secret >"$out/secret"

# on SERVER [PREFIX...] starts a server; $url leads to it.
on() {
	local which=$1; shift
	case $which in
	duet)
		start "$@" "$duet" serve -config "$out/duet.yaml"
		await udp $ours; url=turn:127.0.0.1:$ours ;;
	base)
		start "$@" "$BASE" serve -config "$out/duet.yaml"
		await udp $ours; url=turn:127.0.0.1:$ours ;;
	coturn)
		start "$@" "$turnserver" -n --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 --listening-port=$theirs --min-port=50000 --max-port=65535 \
			--realm=duet --use-auth-secret --static-auth-secret=$secret --fingerprint --allow-loopback-peers \
			--no-tls --no-dtls --no-cli --no-stdout-log --log-file=/dev/null --pidfile="$out/coturn.pid" --userdb="$out/turndb"
		await udp $theirs; url=turn:127.0.0.1:$theirs ;;
	esac
}

echo "$rounds rounds of $calls calls, ${span_s}s each; $("$turnserver" --version 2>/dev/null | tail -n 1 | sed 's/^/coturn /')"
for ((round = 1; round <= rounds; round++)); do
	echo "round $round"
	for kind in $kinds; do
		for which in $servers; do
			while :; do
				on $which
				run "$kind.$which" "$duet" bench turn -url "$url" -secret-file "$out/secret" -mode ${kind%.*} -carry ${kind#*.} \
					-calls "$calls" -duration "${span_s}s" -pid "$pid"
				stop
				if calm "$kind.$which"; then break; fi
			done
		done
	done
	for which in duet coturn; do
		on $which
		run "idle.$which" "$duet" bench turn -url "$url" -secret-file "$out/secret" -mode idle -calls "$idle" -duration 5s -pid "$pid"
		stop
	done
	if [ -n "${SEARCH:-}" ]; then
		[ "$(nproc)" -ge 2 ] || die "SEARCH needs two cores: one for the server, one for the generator"
		for which in duet coturn; do
			on $which taskset -c 0
			run "search.$which" taskset -c 1 "$duet" bench turn -url "$url" -secret-file "$out/secret" -search -calls "$calls" -duration 3s -pid "$pid"
			stop
		done
	fi
done

sed -n 's/^machine *//p' "$out/run"
echo "medians (smallest to largest), first Duet, then coturn; runs made again because of the host: $repeated"
for kind in $kinds; do
	echo "${kind/./, }"
	compare cpu %.2f $kind.duet $kind.coturn "  CPU s per million packets delivered"
	compare loss %.5f $kind.duet $kind.coturn "  share lost"
	for q in p50 p99 p999; do compare $q %.0f $kind.duet $kind.coturn "  latency $q, µs"; done
	if [ -n "${BASE:-}" ]; then compare cpu %.2f $kind.duet $kind.base "  CPU, and that of BASE"; fi
done
for mode in relay peer; do
	if [ -e "$out/$mode.channels.duet.results" ] && [ -e "$out/$mode.indications.duet.results" ]; then
		compare cpu %.2f $mode.indications.duet $mode.channels.duet "$mode, Duet: indications, and channels"
	fi
done
compare kib %.1f idle.duet idle.coturn "KiB for each of $idle idle allocations"
if [ -n "${SEARCH:-}" ]; then compare search %.0f search.duet search.coturn "calls on one core"; fi
