// Package bench is what Duet's measuring tools share: [Histogram] for latencies, [Process] for what a server under test
// costs, [Watch] for what everything else on the machine took meanwhile, [Socket] for many clients over few sockets, and
// [Pacer] for packets that leave on time whatever the server does.
//
// The engines lie beside it: bench/turn, bench/relay and bench/signaling; their Run does one measurement and prints it.
//
// It starts no goroutine and holds no lock: a generator is one thread, since every hand-over between threads would cost
// more than the packet it is about.
package bench
