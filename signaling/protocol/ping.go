package protocol

// This file is ping and pong, for clients that cannot see WebSocket pings.

// PingRequest is the client's form; T is sent back as it is, nil when there is none.
type PingRequest struct{ T []byte }

func decodePing(f Fields) (Request, Refusal) { return PingRequest{echo(f.get("t"))}, OK }

// PongRequest answers a ping that the server does not send: it means nothing.
type PongRequest struct{}

func decodePong(Fields) (Request, Refusal) { return PongRequest{}, OK }

// PongMessage is the server's form.
type PongMessage struct {
	T      []byte // nil: none
	Ack    uint64
	HasAck bool
}

func (PongMessage) unnumbered() {}

func (m PongMessage) Append(b []byte) Object {
	o := begin(b, "pong")
	if m.T != nil {
		o = o.Raw("t", m.T)
	}
	if m.HasAck {
		o = o.Uint("ack", m.Ack)
	}
	return o
}
