package relay

// One UDP port for the relay and a TURN server. Each has sockets of its own there, and the kernel looks into a datagram to
// find whose it is (RFC 7983): nothing is handed from loop to loop, and who shares no port pays nothing.

import (
	"fmt"
	"net"

	"golang.org/x/net/bpf"

	"duet/internal/udp"
)

// SharedPort is what the relay is told of a TURN server that has its ports as well.
type SharedPort struct {
	// Sockets is how many the TURN server has on the UDP port, with SO_REUSEPORT; it bound them before.
	Sockets int
	// Streams gives those TCP streams that begin with a check of ICE. Its address is that of the TCP port.
	Streams net.Listener
	// Ports are where clients reach Streams.
	Ports []uint16
}

// listenShared binds a socket where a TURN server has bound so many already, all with SO_REUSEPORT, and tells the kernel
// how to choose among them, which no system but Linux can be told.
func listenShared(addr string, others int) (*net.UDPConn, error) {
	code, err := bpf.Assemble(reuseportFilter(uint32(others)))
	if err != nil {
		return nil, err
	}
	conn, err := udp.Bind("udp", addr, udp.Options{ReusePort: true, Chooser: code, Receive: udpBuffer, Send: udpBuffer})
	if err != nil {
		return nil, fmt.Errorf("share the port with TURN (or choose another one): %w", err)
	}
	return conn, nil
}

// ipHeader is where the IP header of a datagram can be read, whose own bytes begin at 0 (SKF_NET_OFF).
const ipHeader = 0xfff00000

// reuseportFilter is a program for the kernel that returns the number of a socket: the TURN server's come first, in the order in
// which they were bound, ours is the last. It reads as much as it must: DTLS, RTP and RTCP are ours, and so are ICE's
// checks, Binding requests with a USERNAME. All else is TURN's: its other requests, plain Bindings and channels, and also
// what is nobody's, which it counts and drops.
func reuseportFilter(others uint32) []bpf.Instruction {
	ours := []bpf.Instruction{bpf.RetConstant{Val: others}}
	theirs := []bpf.Instruction{bpf.RetConstant{Val: 0}}
	var p []bpf.Instruction
	if others > 1 { // a client has one of them, as without us
		p = append(p, clientHash(others)...)
		p = append(p, bpf.StoreScratch{Src: bpf.RegA, N: 0})
		theirs = []bpf.Instruction{bpf.LoadScratch{Dst: bpf.RegA, N: 0}, bpf.RetA{}}
	}
	// what returns one of the two if A is as told
	when := func(cond bpf.JumpTest, val uint32, result []bpf.Instruction) {
		p = append(p, bpf.JumpIf{Cond: cond, Val: val, SkipFalse: uint8(len(result))})
		p = append(p, result...)
	}
	p = append(p, bpf.LoadAbsolute{Off: 0, Size: 1})
	when(bpf.JumpGreaterOrEqual, 192, theirs)
	when(bpf.JumpGreaterOrEqual, 128, ours) // RTP and RTCP
	when(bpf.JumpGreaterOrEqual, 64, theirs)
	when(bpf.JumpGreaterOrEqual, 20, ours) // DTLS
	when(bpf.JumpGreaterOrEqual, 4, theirs)
	p = append(p, bpf.LoadAbsolute{Off: 0, Size: 2})
	when(bpf.JumpNotEqual, 0x0001, theirs) // no Binding request
	p = append(p, bpf.LoadAbsolute{Off: 4, Size: 4})
	when(bpf.JumpNotEqual, 0x2112a442, theirs)
	p = append(p, bpf.LoadConstant{Dst: bpf.RegX, Val: 20})
	for range 16 { // attributes; a check has ten. X is where one begins
		p = append(p, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.ALUOpConstant{Op: bpf.ALUOpSub, Val: 4},
			bpf.JumpIfX{Cond: bpf.JumpLessThan, SkipFalse: uint8(len(theirs))})
		p = append(p, theirs...)
		p = append(p, bpf.LoadIndirect{Off: 0, Size: 2})
		when(bpf.JumpEqual, 0x0006, ours) // USERNAME
		p = append(p, bpf.LoadIndirect{Off: 2, Size: 2}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 4 + 3},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xfffffffc}, bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{})
	}
	return append(p, theirs...)
}

// clientHash leaves in A a number below n that is the same for all packets of a client, from its address and port.
func clientHash(n uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: ipHeader, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: 6 << 4, SkipTrue: 4},
		bpf.LoadAbsolute{Off: ipHeader + 12, Size: 4},
		bpf.TAX{},
		bpf.LoadAbsolute{Off: ipHeader + 20, Size: 2},
		bpf.Jump{Skip: 3},
		bpf.LoadAbsolute{Off: ipHeader + 20, Size: 4}, // the last of four words
		bpf.TAX{},
		bpf.LoadAbsolute{Off: ipHeader + 40, Size: 2},
		bpf.ALUOpX{Op: bpf.ALUOpXor},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: 0x9e3779b1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: n},
	}
}
