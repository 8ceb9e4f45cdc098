package protocol

// This file is leave: a user goes for good.

// LeaveRequest is the client's form.
type LeaveRequest struct{}

func decodeLeave(Fields) (Request, Refusal) { return LeaveRequest{}, OK }
