package signaling

// This file holds what goes into the rules of calls and what comes out.

import "duet/signaling/protocol"

// An event is something that happened to the rules.
type (
	// said: a party sent a message.
	said struct {
		by  *party
		msg any
	}
	// left: a party's session ended.
	left struct{ who *party }
	// rang: the incomingCall was written to a connection of the callee.
	rang struct{ callID string }
	// rangOut: the ring timer fired.
	rangOut struct{ c *call }
	// relayOpened: the room was reserved, or not, with a reason for the client.
	relayOpened struct {
		c      *call
		failed string
	}
	// relayEvent: the relay said that both legs carry media, or that it failed.
	relayEvent struct {
		c      *call
		room   int // which room of this call
		ready  bool
		detail string
	}
	// relayAnswered: the relay answered a party's offer, or could not.
	relayAnswered struct {
		c      *call
		room   int
		to     *party
		answer []byte // an RTCSessionDescriptionInit
		failed bool
	}
	// diagnosisDue: enough time has passed for the other end's diagnosis.
	diagnosisDue struct{ c *call }
	// evident: what the server itself knows of a call that does not connect.
	evident struct {
		c     *call
		facts facts
	}
	// shutdown: the server ends; calls between clients that can resume are kept.
	shutdown struct{}
)

// An effect is something that the rules want done, in order.
type effect any

type (
	deliver struct {
		to  *party
		msg protocol.Message
	}
	refuse struct {
		to  *party
		why protocol.Refusal
	}
	// changed: the party's status or anything in its session token is new.
	changed struct{ p *party }
	// startRinging, awaitDiagnosis and stopTimer drive the call's timer.
	startRinging   struct{ c *call }
	awaitDiagnosis struct{ c *call }
	stopTimer      struct{ c *call }
	// gatherFacts and judged are the two halves of a verdict.
	gatherFacts struct{ c *call }
	judged      struct {
		c     *call
		facts facts
	}
	// begun and finished frame what TURN allows and metrics count.
	begun    struct{ c *call }
	finished struct {
		c       *call
		outcome string
	}
	// reached: a party signalled this address.
	reached struct {
		c  *call
		by *party
		ip string
	}
	// What is asked of the relay.
	openRelay  struct{ c *call }
	closeRelay struct{ c *call }
	muteRelay  struct {
		c    *call
		by   *party
		kind int
		on   bool
	}
	askRelay struct {
		c   *call
		by  *party
		sdp string
	}
	candidateRelay struct {
		c         *call
		by        *party
		candidate []byte
	}
	// reported: a client told how media flows.
	reported struct {
		c   *call
		by  *party
		msg any
	}
)
