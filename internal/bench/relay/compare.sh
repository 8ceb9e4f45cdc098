#!/usr/bin/env bash
# Measures this relay and the VideoCall plugin of Janus on loopback in turns, a fresh server for every run, and the way
# without a server for the latency, and prints medians and ratios.
# Environment: ROUNDS (3), CALLS (20), SPAN (seconds measured in a run, 5), NO_RTCP=1 (media only), VERBOSE=1 (every run's
# output), JANUS (its program).
. "$(dirname "$0")/../lib.sh"

calls=${CALLS:-20} span_s=${SPAN:-5}
number "$calls" "$span_s"
janus=${JANUS:-$(command -v janus || true)}
[ -n "$janus" ] || die "Janus is missing (Debian: apt-get install janus); without it: bin/duet bench relay -h"
plugin=$(find /usr/lib /usr/local/lib /opt/janus -name libjanus_videocall.so 2>/dev/null | head -n 1)
[ -n "$plugin" ] || die "the VideoCall plugin of Janus (libjanus_videocall.so) is missing"
modules=$(dirname "$(dirname "$plugin")")
build

http=34784 relay=34785 ws=34786
cat >"$out/duet.yaml" <<END
http: {listen: "127.0.0.1:$http", admin_listen: ""}
state_dir: "$out/state"
log: {level: warn}
turn: {enabled: false}
relay: {listen: "127.0.0.1:$relay", public_ip: 127.0.0.1, max_calls: $calls}
END

# Janus as it comes, but for where it listens, and without the plugins and transports that have no part in this.
mkdir -p "$out/janus" "$out/plugins" "$out/transports" "$out/none"
ln -s "$plugin" "$out/plugins/"
ln -s "$modules/transports/libjanus_websockets.so" "$out/transports/"
cat >"$out/janus/janus.jcfg" <<END
general: {
	configs_folder = "$out/janus"
	plugins_folder = "$out/plugins"
	transports_folder = "$out/transports"
	events_folder = "$out/none"
	loggers_folder = "$out/none"
	debug_level = 3
	admin_secret = "only-for-this-measurement"
}
nat: { ${JANUS_NAT:-} }
END
cat >"$out/janus/janus.transport.websockets.jcfg" <<END
general: { ws = true, ws_port = $ws, ws_ip = "127.0.0.1", wss = false }
END
echo 'general: { }' >"$out/janus/janus.plugin.videocall.jcfg"

# on SERVER starts a server; $url leads to its signaling.
on() {
	case $1 in
	duet) start "$duet" serve -config "$out/duet.yaml"; await tcp $http; url=ws://127.0.0.1:$http/ws ;;
	janus) start "$janus" -F "$out/janus" -C "$out/janus/janus.jcfg"; await tcp $ws; url=ws://127.0.0.1:$ws ;;
	esac
}

version=$("$janus" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1 || true)
echo "$rounds rounds of $calls calls, ${span_s}s each; janus $version"
# Janus does not use loopback addresses, on which all clients could share a socket.
flags=(-apart -calls "$calls" -duration "${span_s}s")
[ -z "${NO_RTCP:-}" ] || flags+=(-no-rtcp)
for ((round = 1; round <= rounds; round++)); do
	echo "round $round"
	for which in duet janus; do
		while :; do
			on $which
			run $which "$duet" bench relay -via $which -url "$url" -pid "$pid" "${flags[@]}"
			stop
			if calm $which; then break; fi
		done
	done
	while :; do
		run direct "$duet" bench relay -via direct "${flags[@]}"
		if calm direct; then break; fi
	done
done

sed -n 's/^machine *//p' "$out/run"
echo "medians (smallest to largest), first Duet, then Janus; runs made again because of the host: $repeated"
compare cpu %.1f duet janus "CPU s per million packets forwarded"
compare loss %.5f duet janus "share lost"
for q in p50 p99 p999; do compare $q %.0f duet janus "latency $q, µs"; done
compare kib %.0f duet janus "KiB of memory for each call"
compare connect %.1f duet janus "CPU ms to connect a call"
for q in p50 p99 p999; do figure direct $q %.0f "latency $q without a server, µs"; done
for which in duet janus; do
	awk -v w=$which -v a="$(median $which p50)" -v b="$(median direct p50)" 'BEGIN { printf "%s adds %.0f µs to p50\n", w == "duet" ? "Duet" : "Janus", a - b }'
done
