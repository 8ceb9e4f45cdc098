package plane

// The SRTP keys of a leg, learnt from the hooks that pion/dtls offers.

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/srtp/v3"

	"duet/internal/lock"
)

// replayWindow is how many packets back a late one may come (RFC 3711, 3.3.2); also what the numbering remembers.
const replayWindow = window

// ErrNoKeys: the hooks said nothing, or something that is not understood. The leg belongs to pion's path.
var ErrNoKeys = errors.New("no usable keys")

// Keys listens to one DTLS handshake in which we are the server. It is handed to pion twice: as the writer of its key log
// and as the hook of its ServerHello. What it learns stays in memory, is used once, and never reaches a log.
type Keys struct {
	mu           lock.Mutex[lock.Leaf]
	clientRandom []byte
	master       []byte
	serverRandom []byte
	suite        dtls.CipherSuiteID
	profile      dtls.SRTPProtectionProfile
	version      protocol.Version
}

// Write implements the key log: a line CLIENT_RANDOM, client random and master secret in hexadecimal. Lines of other kinds,
// such as TLS 1.3 would write, are of no use.
func (k *Keys) Write(line []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "CLIENT_RANDOM" {
		random, err1 := hex.DecodeString(string(f[1]))
		master, err2 := hex.DecodeString(string(f[2]))
		if err1 == nil && err2 == nil {
			k.clientRandom, k.master = random, master
		}
	}
	return len(line), nil
}

// ServerHello is the hook: it reads the message and leaves it as it is.
func (k *Keys) ServerHello(m handshake.MessageServerHello) handshake.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	random := m.Random.MarshalFixed()
	k.serverRandom = bytes.Clone(random[:])
	k.version = m.Version
	if m.CipherSuiteID != nil {
		k.suite = dtls.CipherSuiteID(*m.CipherSuiteID)
	}
	for _, e := range m.Extensions {
		if u, ok := e.(*extension.UseSRTP); ok && len(u.ProtectionProfiles) == 1 {
			k.profile = u.ProtectionProfiles[0]
		}
	}
	return &m
}

// contexts derives what opens the client's packets and what seals ours (RFC 5705, RFC 5764 section 4.2), and forgets the
// secrets: there is never a second writer under these keys in this package.
func (k *Keys) contexts() (open, seal *srtp.Context, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() { k.master, k.clientRandom = nil, nil }()
	if len(k.master) == 0 || len(k.clientRandom) != 32 || len(k.serverRandom) != 32 {
		return nil, nil, fmt.Errorf("%w: the handshake was not seen", ErrNoKeys)
	}
	if k.version != protocol.Version1_2 {
		return nil, nil, fmt.Errorf("%w: DTLS version %d.%d", ErrNoKeys, k.version.Major, k.version.Minor)
	}
	var digest func() hash.Hash
	switch k.suite {
	case dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:
		digest = sha256.New
	case dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:
		digest = sha512.New384
	default:
		return nil, nil, fmt.Errorf("%w: cipher suite %s", ErrNoKeys, dtls.CipherSuiteName(k.suite))
	}
	var profile srtp.ProtectionProfile
	switch k.profile {
	case dtls.SRTP_AEAD_AES_128_GCM:
		profile = srtp.ProtectionProfileAeadAes128Gcm
	case dtls.SRTP_AEAD_AES_256_GCM:
		profile = srtp.ProtectionProfileAeadAes256Gcm
	case dtls.SRTP_AES128_CM_HMAC_SHA1_80:
		profile = srtp.ProtectionProfileAes128CmHmacSha1_80
	default:
		return nil, nil, fmt.Errorf("%w: SRTP profile %d", ErrNoKeys, k.profile)
	}
	seed := append(append([]byte("EXTRACTOR-dtls_srtp"), k.clientRandom...), k.serverRandom...)
	exporter := exporterFunc(func(n int) ([]byte, error) { return prf.PHash(k.master, seed, n, digest) })
	cfg := srtp.Config{Profile: profile}
	if err := cfg.ExtractSessionKeysFromDTLS(exporter, false); err != nil {
		return nil, nil, fmt.Errorf("derive SRTP keys: %w", err)
	}
	open, err = srtp.CreateContext(cfg.Keys.RemoteMasterKey, cfg.Keys.RemoteMasterSalt, profile,
		srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, nil, fmt.Errorf("make SRTP context: %w", err)
	}
	seal, err = srtp.CreateContext(cfg.Keys.LocalMasterKey, cfg.Keys.LocalMasterSalt, profile)
	if err != nil {
		return nil, nil, fmt.Errorf("make SRTP context: %w", err)
	}
	return open, seal, nil
}

// exporterFunc implements srtp.KeyingMaterialExporter for the one label there is.
type exporterFunc func(n int) ([]byte, error)

func (f exporterFunc) ExportKeyingMaterial(_ string, _ []byte, n int) ([]byte, error) { return f(n) }
