package turn

// Config is what an operator may change.
type Config struct{}

// DefaultConfig is what runs without a file.
func DefaultConfig() Config { return Config{} }

// Validate reports every fault at once.
func (c Config) Validate() error { return nil }
