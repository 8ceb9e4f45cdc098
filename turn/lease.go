package turn

// This file lets a running allocation outlive its credential, so that a long call is not cut off.

// lease says whether who, who has proved a password, may make the current request. A new allocation needs a credential
// that has not expired; whatever concerns an allocation of the same user from the same address does not.
func (f *front) lease(who identity) bool {
	r := &f.req
	if !who.expired(r.now) {
		return true
	}
	return r.allocation != nil && !r.allocation.dying() && r.allocation.who.user == who.user
}
