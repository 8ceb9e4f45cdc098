// Package arch holds ARCHITECTURE.md true: its tests read the tree's own source and fail where a rule of the house is
// broken, so that the document can be believed. It has no types that others use, starts no goroutines and has no locks.
package arch
