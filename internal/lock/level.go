package lock

// The levels, one type each, and what may be held there. ARCHITECTURE.md, section 3, has the same table (a test
// compares); which mutex has which level is said where the mutex is declared.

// Level is one of the types below. The zero value of a mutex has its level, so nothing needs a constructor.
type Level interface {
	rank() int
	name() string
}

// Intake has the messages of one client handled one after another, whichever way they come.
type Intake struct{}

// Hub guards the sessions, the calls and every step of the rules.
type Hub struct{}

// Server guards what one server keeps in all: its rooms, its relayed addresses.
type Server struct{}

// Room guards what several ends share: a relay's room, the list of who is online.
type Room struct{}

// Leg guards what belongs to one end: a leg, a TURN client.
type Leg struct{}

// Socket guards a connection: what waits to be written, and that it is not closed while somebody writes.
type Socket struct{}

// Leaf guards a few fields for one look. Nothing that locks is called while it is held.
type Leaf struct{}

func (Intake) rank() int { return 6 }
func (Hub) rank() int    { return 5 }
func (Server) rank() int { return 4 }
func (Room) rank() int   { return 3 }
func (Leg) rank() int    { return 2 }
func (Socket) rank() int { return 1 }
func (Leaf) rank() int   { return 0 }

func (Intake) name() string { return "Intake" }
func (Hub) name() string    { return "Hub" }
func (Server) name() string { return "Server" }
func (Room) name() string   { return "Room" }
func (Leg) name() string    { return "Leg" }
func (Socket) name() string { return "Socket" }
func (Leaf) name() string   { return "Leaf" }
