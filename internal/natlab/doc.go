// Package natlab builds small internets out of Linux network namespaces, so that Duet can be tried behind the routers
// that people really have: cone and symmetric NATs, carrier NATs, guest Wi-Fi, firewalls that let nothing but port 443
// through, proxies, IPv6 alone; and on links that lose, delay, throttle, die in one direction or move to another network.
//
// # Types
//
// A [Lab] is one internet: a core router with no way out of the machine, [Network]s around it and [Host]s in the
// networks. A [Spec] says what kind of network; [Specs] lists the named ones. A [Link] is the cable between a host and
// its router, the place for impairments. A [Reflector] and [Probe] measure what a NAT really does, in the manner of
// RFC 5780; [Punch] tries to open a path between two hosts as ICE would. [Spec.Punches] is the theory, which the tests
// of this package hold against the practice.
//
// Hosts are used in two ways. [Host.Listen], [Host.ListenUDP] and [Host.Dial] give this process sockets that live in the
// host: no helper program is needed for a probe. [Host.Command] runs any program there, with a hosts file of its own.
//
// # Goroutines and locks
//
// A Lab belongs to the goroutine of its test and has no lock, as building is never concurrent. Its only goroutines are
// those of delay boxes, proxies and reflectors; [Lab.Close], which [New] registers with the test, waits for them all.
// Entering a namespace is a matter of one operating-system thread: [Host] methods lock it, enter, act, and come back.
//
// # What it leaves behind
//
// Nothing, also after kill -9: every Lab holds a file lock as long as its process lives, the names of its namespaces
// carry the Lab's id, and New first clears away every Lab whose lock is free, with the processes in it. What no Lab of
// this package made is never touched.
//
// Needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN), iproute2 and nftables; [Available] tells. Nothing here is safe to be used
// outside of tests.
package natlab
