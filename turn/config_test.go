package turn

import (
	"strings"
	"testing"
	"time"
)

func TestValidateReportsAll(t *testing.T) {
	c := Config{
		Enabled: true, Listen: "3478", Realm: "a:b", Secret: "short", SecretPrevious: "short", PublicIP: "example.org",
		RelayPorts: "1-2-3", AllowPeers: []string{"nonsense"}, Users: map[string]string{"a:b": "", "c": ""}, Permissions: "some",
		UserAllocations: -1, AllocationsPerIP: -1, TotalAllocations: -1, UserBytesPerSecond: 1, UserPPS: -1, OpenBytesPerSecond: 1, TotalBytesPerSecond: 1, TotalPPS: -1, IdleTimeout: time.Second,
		TLSListen: "x", Listeners: -1,
	}
	err := c.Validate()
	for _, key := range []string{
		"listen", "realm", "secret", "secret_previous", "public_ip", "relay_ports", "allow_peers", "users", "permissions", "credential_ttl",
		"unauthenticated_per_ip", "user_allocations", "allocations_per_ip", "total_allocations", "user_bytes_per_second", "user_pps", "open_bytes_per_second", "total_bytes_per_second", "total_pps", "idle_timeout", "tls_listen", "listeners",
	} {
		if err == nil || !strings.Contains(err.Error(), "turn."+key+":") {
			t.Errorf("no fault names turn.%s", key)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, ok := range []string{"", "192.0.2.1", "2001:db8::1", "192.0.2.1, 2001:db8::1"} {
		c := DefaultConfig()
		c.PublicIP = ok
		if err := c.Validate(); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
}
