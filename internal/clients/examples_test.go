//go:build linux

package clients

// The robots of examples/, run as their READMEs say.

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"duet/internal/e2e"
)

// robots are the commands of the examples, but for their arguments.
func robots(t *testing.T) map[string][]string {
	return map[string][]string{
		"pion":   {built(t, "duet/examples/pion")},
		"aiortc": {"/usr/bin/python3", "../../examples/aiortc/robot.py"},
		"werift": {"node", withModules(t, "../../examples/werift") + "/robot.mjs"},
	}
}

// counts is the line that a robot prints each second.
var counts = regexp.MustCompile(`of sound and pictures: (\d+) (\d+)`)

// hears waits until a robot has counted sound and pictures for two seconds more.
func hears(t *testing.T, name string, said *e2e.Log) {
	t.Helper()
	count := func() (n [2]int) {
		if all := counts.FindAllStringSubmatch(said.String(), -1); all != nil {
			for i := range n {
				n[i], _ = strconv.Atoi(all[len(all)-1][i+1])
			}
		}
		return n
	}
	first := count()
	until(t, patience, name+" hears and sees", func() bool {
		now := count()
		return now[0] >= first[0]+60 && now[1] >= first[1]+10
	})
}

// TestRobots: each calls another, directly and through the relay, and both count what comes.
func TestRobots(t *testing.T) {
	commands := robots(t)
	for i, pair := range [][2]string{{"pion", "aiortc"}, {"aiortc", "werift"}, {"werift", "pion"}} {
		for _, relay := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s calls %s, relay %v", pair[0], pair[1], relay), func(t *testing.T) {
				t.Parallel()
				s := e2e.StartServer(t)
				url := strings.Replace(s.URL, "http", "ws", 1) + "ws"
				var said [2]*e2e.Log
				for side, name := range [2]string{"Callee", "Caller"} {
					command := commands[pair[1-side]]
					args := append(command[1:len(command):len(command)], url, name)
					if relay {
						args = append(args, "-relay")
					}
					if side == 1 {
						args = append(args, "Callee")
					}
					said[side] = run(t, fmt.Sprintf("%s %d", name, i), exec.Command(command[0], args...))
					until(t, patience, name+" joins", func() bool { return strings.Count(s.Output.String(), `msg="session joined"`) == side+1 })
				}
				hears(t, "Caller", said[1])
				hears(t, "Callee", said[0])
			})
		}
	}
}
