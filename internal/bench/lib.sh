# What the measurements share; sourced by the scripts beside each engine. They start every server afresh for every run, in
# turns, keep the lines for scripts ("result key=value ...") in $out, and end what they started by its id.
set -eu

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rounds=${ROUNDS:-3}
out=$(mktemp -d)
started=()

# Two measurements at a time would measure each other, and want the same ports.
exec 9>"${TMPDIR:-/tmp}/duet-bench.lock"
flock -n 9 || { echo "waiting for another measurement to end"; flock 9; }

# REALTIME=1 (as root) gives servers and generator precedence over everything else: the way to get figures from a machine
# that has other work to do. The same for all that are compared, but wake-ups cost less than on an idle machine.
ahead=()
[ -z "${REALTIME:-}" ] || ahead=(chrt -r 1)

die() { printf '%s\n' "$*" >&2; exit 1; }

finish() {
	local pid
	for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
	rm -rf "$out"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# number VALUE... refuses what is no whole number above zero.
number() { local v; for v in "$@"; do [[ $v =~ ^[1-9][0-9]*$ ]] || die "not a number above zero: $v"; done; }
number "$rounds"

build() {
	duet=${DUET:-$root/bin/duet}
	[ -n "${DUET:-}" ] || (cd "$root" && go build -trimpath -o bin/duet ./cmd/duet)
}

# start COMMAND... runs a server in the background; its id is in $pid, its output in $out/log.
start() {
	"${ahead[@]}" "$@" >"$out/log" 2>&1 9>&- &
	pid=$!
	started+=("$pid")
}

# stop ends the server that start began.
stop() {
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	started=()
}

# await udp|tcp PORT waits until this machine listens there.
await() {
	local hex i state
	hex=$(printf ':%04X' "$2")
	case $1 in udp) state=07 ;; tcp) state=0A ;; esac
	for ((i = 0; i < 100; i++)); do
		kill -0 "$pid" 2>/dev/null || { cat "$out/log" >&2; die "the server ended at once"; }
		if awk -v p="$hex" -v s="$state" '$2 ~ p "$" && $4 == s { found = 1 } END { exit !found }' /proc/net/"$1" /proc/net/"$1"6; then return; fi
		sleep 0.1
	done
	cat "$out/log" >&2
	die "nobody listens on $1 port $2 after ten seconds"
}

# run NAME COMMAND... runs a measurement, shows its warnings and keeps its result under NAME.
run() {
	local name=$1; shift
	"${ahead[@]}" "$@" >"$out/run" 2>&1 || { cat "$out/run" "$out/log" >&2; die "$name: the measurement failed"; }
	[ -z "${VERBOSE:-}" ] || sed 's/^/    /' "$out/run"
	sed -n "s/^warning /  $name: /p" "$out/run"
	grep '^result ' "$out/run" >>"$out/$name.results"
}

# calm NAME says whether the last result under NAME may stay. Where this machine is a virtual one, its host takes the
# processors away now and then: when 1 % of a core is gone (bench.Usage.Doubts warns of as much), the p99 of whatever is
# measured doubles. Such a result is dropped, whosever it is, and its run made again; the eighth in a row stays.
declare -A disturbed=()
repeated=0
calm() {
	if tail -n 1 "$out/$1.results" | grep -q ' stolen=0\.00'; then
		disturbed[$1]=0
	elif [ "${disturbed[$1]:-0}" -eq 7 ]; then
		disturbed[$1]=0
		echo "  $1: kept, though the host disturbed this run and seven before it"
	else
		disturbed[$1]=$((${disturbed[$1]:-0} + 1)) repeated=$((repeated + 1))
		sed -i '$d' "$out/$1.results"
		return 1
	fi
}

# median NAME KEY is the median over the rounds.
median() {
	sed -n "s/.* $2=\([^ ]*\).*/\1/p" "$out/$1.results" | sort -g | awk '
		{ v[NR] = $1 }
		END { if (!NR) print "-"; else if (NR % 2) print v[(NR + 1) / 2]; else print (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# span NAME KEY is the smallest and the largest.
span() {
	sed -n "s/.* $2=\([^ ]*\).*/\1/p" "$out/$1.results" | sort -g | awk 'NR == 1 { a = $1 } { b = $1 } END { print a, b }'
}

# figure NAME KEY FORMAT LABEL prints the median and the span.
figure() {
	awk -v label="$4" -v f="$3" -v a="$(median "$1" "$2")" -v s="$(span "$1" "$2")" '
		BEGIN { split(s, p, " "); printf "%-60s " f " (" f " to " f ")\n", label, a, p[1], p[2] }'
}

# compare KEY FORMAT OURS THEIRS LABEL prints a row: both medians, both spans, the ratio.
compare() {
	awk -v label="$5" -v f="$2" -v a="$(median "$3" "$1")" -v b="$(median "$4" "$1")" -v sa="$(span "$3" "$1")" -v sb="$(span "$4" "$1")" '
		function both(s, p) { split(s, p, " "); return sprintf(f " to " f, p[1], p[2]) }
		BEGIN {
			ratio = (b + 0 > 0) ? sprintf("%.2f", a / b) : "-"
			printf "%-40s " f " (%s), " f " (%s): ratio %s\n", label, a, both(sa), b, both(sb), ratio
		}'
}
