package plane

// Which leg gets what a leg sends.

// Loop gives each leg back what it sends. It is called before there is a leg.
func (t *Translator) Loop() { t.loop = true }

// across is the leg that gets what a leg sends.
func (t *Translator) across(from Side) Side {
	if t.loop {
		return from
	}
	return from.Other()
}
