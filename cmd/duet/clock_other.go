//go:build !linux

package main

// Where the system does not tell whether its clock is kept right.

import "time"

func clock() (works, advice string, err error) {
	return "it says " + time.Now().UTC().Format(time.DateTime) + " UTC", "", nil
}
