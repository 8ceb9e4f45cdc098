#!/usr/bin/env bash
# Measures this server's signaling on loopback, a fresh server for every run, and prints medians.
# Environment: ROUNDS (3), USERS (20000, for the memory; fewer where a process may open fewer files), ONLINE (5000 with
# presence deltas: storm, calls, churn, roaming), PLAIN (5000 with user lists), PAIRS (400 users for the cost of a call
# set-up alone), VERBOSE=1 (every run's output).
# BASE=path of an older duet compares instead: this server, that one, and usual Node servers (node/, whose packages are
# installed when they are missing; NODE=0 leaves them out) run in turns, and the ratios are printed. SOCKETIO=1 does so over
# Socket.IO: this server by both ways, Node's socket.io, and the memory for idle users (IO_USERS=2000) of each.
. "$(dirname "$0")/../lib.sh"

users=${USERS:-20000} io_users=${IO_USERS:-2000} online=${ONLINE:-5000} plain=${PLAIN:-5000} pairs=${PAIRS:-400}
number "$users" "$io_users" "$online" "$plain" "$pairs"
ulimit -n "$(ulimit -Hn)"
files=$(ulimit -n)
if [ "$files" != unlimited ] && [ "$users" -gt $((files - 200)) ]; then
	users=$((files - 200))
	echo "only $users users for the memory: a process may open $files files here (ulimit -Hn)"
fi
build

port=34790
here=$root/internal/bench/signaling
cat >"$out/duet.yaml" <<END
http: {listen: "127.0.0.1:$port", admin_listen: ""}
state_dir: "$out/state"
log: {level: warn}
turn: {enabled: false}
relay: {mode: "off"}
END

# measure NAME FLAGS... runs the engine against a fresh server; the server is $server, ours without.
measure() {
	local name=$1; shift
	if [[ ${server:-} == *.js ]]; then
		PORT=$port start node "$here/node/$server"
	else
		start "${server:-$duet}" serve -config "$out/duet.yaml"
	fi
	await tcp $port
	run "$name" "$duet" bench signaling -url ws://127.0.0.1:$port/ws -pid "$pid" "$@"
	stop
}

idle=(-presence none -settle 10s -call-time 0 -churn-time 0 -roam-time 0)
setups=(-users "$pairs" -presence list -churn-time 0 -roam-time 0)
comings=(-settle 2s -call-time 0 -roam-time 0)

packages() { [ "${NODE:-1}" = 0 ] || [ -d "$here/node/node_modules/socket.io" ] || (cd "$here/node" && npm ci --no-audit --no-fund >/dev/null); }

if [ -n "${SOCKETIO:-}" ]; then
	packages
	for ((round = 1; round <= rounds; round++)); do
		echo "round $round"
		server= measure ws.calls "${setups[@]}"
		for which in ours node; do
			case $which in ours) server= ;; node) server=socketio.js ;; esac
			[ $which != node ] || [ "${NODE:-1}" != 0 ] || continue
			measure $which.calls "${setups[@]}" -socketio
			measure $which.memory -users "$io_users" "${idle[@]}" -settle 40s -socketio # two pings
			measure $which.polling -users "$io_users" "${idle[@]}" -settle 40s -polling
		done
	done
	sed -n 's/^machine *//p' "$out/run"
	echo "medians (smallest to largest), Socket.IO here, the other, and the ratio"
	echo "the other is /ws"
	compare setupcpu %.3f ours.calls ws.calls "CPU s for 1,000 set-ups, $pairs plain users"
	compare p50 %.0f ours.calls ws.calls "latency p50, µs, of these"
	[ "${NODE:-1}" != 0 ] || exit
	echo "the other is node $(node --version) with socket.io"
	compare setupcpu %.3f ours.calls node.calls "CPU s for 1,000 set-ups, $pairs plain users"
	compare p50 %.0f ours.calls node.calls "latency p50, µs, of these"
	compare kib %.2f ours.memory node.memory "KiB for each of $io_users idle users"
	compare kib %.2f ours.polling node.polling "KiB for each of as many who poll"
	exit
fi

if [ -n "${BASE:-}" ]; then
	"$BASE" version >/dev/null || die "BASE=$BASE is no duet"
	packages
	for ((round = 1; round <= rounds; round++)); do
		echo "round $round"
		for which in ours base node; do
			case $which in ours) server= ;; base) server=$BASE ;; node) server=server.js ;; esac
			[ $which != node ] || [ "${NODE:-1}" != 0 ] || continue
			measure $which.calls "${setups[@]}"
			[ $which != node ] || continue
			measure $which.delta -users "$online" -presence delta "${comings[@]}"
			measure $which.list -users "$plain" -presence list "${comings[@]}"
			measure $which.memory -users "$users" "${idle[@]}"
		done
	done
	sed -n 's/^machine *//p' "$out/run"
	echo "medians (smallest to largest), this server, the other, and the ratio"
	echo "the other is $BASE"
	compare setupcpu %.3f ours.calls base.calls "CPU s for 1,000 set-ups, $pairs plain users"
	compare p50 %.0f ours.calls base.calls "latency p50, µs, of these"
	compare stormcpu %.2f ours.delta base.delta "CPU s until $online have joined, deltas"
	compare eventms %.3f ours.delta base.delta "CPU ms for one join or leave, deltas"
	compare settled %.2f ours.delta base.delta "s until all see all, deltas"
	compare stormcpu %.2f ours.list base.list "CPU s until $plain have joined, lists"
	compare eventms %.3f ours.list base.list "CPU ms for one join or leave, lists"
	compare kib %.2f ours.memory base.memory "KiB for each of $users idle users"
	if [ "${NODE:-1}" != 0 ]; then
		echo "the other is node $(node --version) with ws"
		compare setupcpu %.3f ours.calls node.calls "CPU s for 1,000 set-ups, $pairs plain users"
		compare p50 %.0f ours.calls node.calls "latency p50, µs, of these"
	fi
	exit
fi

for ((round = 1; round <= rounds; round++)); do
	echo "round $round"
	measure memory -users "$users" "${idle[@]}"
	measure calls -users "$pairs" -presence none -churn-time 0 -roam-time 0
	measure plaincalls "${setups[@]}"
	measure online -users "$online" -presence delta
	measure plain -users "$plain" -presence list -roam-time 0
done

sed -n 's/^machine *//p' "$out/run"
echo "medians (smallest to largest)"
figure memory kib %.2f "KiB for each of $users idle users"
figure memory storm %.2f "s until $users have joined, 64 at a time"
figure calls setupcpu %.3f "CPU s for each 1,000 set-ups, $pairs users"
figure calls p50 %.0f "latency p50, µs, $pairs users"
figure plaincalls setupcpu %.3f "CPU s for each 1,000 set-ups, $pairs plain users"
for which in online plain; do
	case $which in online) n=$online ;; plain) n=$plain ;; esac
	echo "$n users with $([ $which = online ] && echo presence deltas || echo user lists)"
	figure $which storm %.2f "  s until all have joined, 64 at a time"
	figure $which settled %.2f "  s from then until everybody sees all"
	figure $which kib %.2f "  KiB for each"
	figure $which idlecores %.4f "  cores while all are idle"
	figure $which setupcpu %.3f "  CPU s for each 1,000 set-ups at 100 a second"
	for q in p50 p99 p999; do figure $which $q %.0f "  latency $q, µs, at 100 set-ups a second"; done
	figure $which eventms %.3f "  CPU ms for one join or leave at 40 a second"
	figure $which eventmb %.3f "  MB of presence for one join or leave"
	[ $which = plain ] || figure $which roamms %.3f "  CPU ms for one resume"
done
