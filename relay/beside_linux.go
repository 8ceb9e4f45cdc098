package relay

// One UDP port for the relay and a TURN server. Each has sockets of its own there, and the kernel looks into a datagram to
// find whose it is (RFC 7983): nothing is handed from loop to loop, and who shares no port pays nothing.

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// listenBeside binds a socket where a TURN server has bound so many already, all with SO_REUSEPORT, and tells the kernel
// how to choose among them.
func listenBeside(addr string, others int) (*net.UDPConn, error) {
	var opened error
	reuse := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) { opened = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		if err != nil {
			return err
		}
		return os.NewSyscallError("setsockopt SO_REUSEPORT", opened)
	}}
	pc, err := reuse.ListenPacket(context.Background(), "udp", addr)
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	if err := steer(conn, others); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("share the port with TURN, which this system does not let us (choose another port): %w", err)
	}
	return conn, nil
}

func steer(conn *net.UDPConn, others int) error {
	code, err := bpf.Assemble(chooser(uint32(others)))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(code))
	for i, c := range code {
		filter[i] = unix.SockFilter{Code: c.Op, Jt: c.Jt, Jf: c.Jf, K: c.K}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) {
		inner = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
	}); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_CBPF", inner)
}

// ipHeader is where the IP header of a datagram can be read, whose own bytes begin at 0 (SKF_NET_OFF).
const ipHeader = 0xfff00000

// chooser is a program for the kernel that returns the number of a socket: the TURN server's come first, in the order in
// which they were bound, ours is the last. It reads as much as it must: DTLS, RTP and RTCP are ours, and so are ICE's
// checks, Binding requests with a USERNAME. All else is TURN's: its other requests, plain Bindings and channels, and also
// what is nobody's, which it counts and drops.
func chooser(others uint32) []bpf.Instruction {
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
