// Package hostile shows what one ill-meaning user costs the others, and a clock that is set. Its tests run the real program with honest users who are
// in calls, directly through TURN and through the relay, and then one attack after the other, each from one address. Nobody
// else may lose a packet or a message, and whoever comes meanwhile must get in; the attack itself has to meet its bound. With
// DUET_TEST_ALL=1 there are 1,000 users, each attack lasts longer, and latencies are held against those of the quiet time
// beside it. Its types are [world], the honest users, and [attack]; each connection has a goroutine that reads it, each flow of
// a window one that sends. Its locks are leaves of the tests.
package hostile
