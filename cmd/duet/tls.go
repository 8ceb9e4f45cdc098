package main

// Certificates: from files, which are read again when they change, by ACME, or
// made at start for development.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"duet/configs"
	"duet/internal/lock"
)

// tlsSetup is the TLS configuration of the process and, in words, where its certificate is from.
type tlsSetup struct {
	config *tls.Config // nil: no TLS
	how    string
}

// newTLS prepares what the HTTP section asks for. names are what a self-signed certificate is made for.
func newTLS(ctx context.Context, cfg configs.HTTP, dir string, names []netip.Addr, log *slog.Logger) (tlsSetup, error) {
	// TURN's name first: libraries that ask for it ask for nothing else.
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"stun.turn", "http/1.1"}}
	switch {
	case cfg.TLSCert != "":
		files := &certFiles{cert: cfg.TLSCert, key: cfg.TLSKey, log: log}
		if _, _, err := files.look(); err != nil {
			return tlsSetup{}, fmt.Errorf("http.tls_cert: %w", err)
		}
		config.GetCertificate = files.certificate
		return tlsSetup{config, "certificate " + cfg.TLSCert}, nil

	case cfg.ACMEDomain != "":
		if dir == "" {
			return tlsSetup{}, fmt.Errorf("http.acme_domain: needs state_dir to keep the certificate")
		}
		var magic *certmagic.Config
		cache := certmagic.NewCache(certmagic.CacheOptions{
			GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return magic, nil },
			Logger:           zap.NewNop(),
		})
		context.AfterFunc(ctx, cache.Stop)
		magic = certmagic.New(cache, certmagic.Config{
			Storage: &certmagic.FileStorage{Path: filepath.Join(dir, "certificates")},
			Logger:  zap.NewNop(),
			OnEvent: func(_ context.Context, event string, data map[string]any) error {
				if event == "cert_failed" {
					log.Error("obtain a certificate", "domain", cfg.ACMEDomain, "error", data["error"])
				}
				return nil
			},
		})
		magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(magic, certmagic.ACMEIssuer{
			CA: certmagic.LetsEncryptProductionCA, Agreed: true, DisableHTTPChallenge: true, Logger: zap.NewNop(),
		})}
		if err := magic.ManageAsync(ctx, []string{cfg.ACMEDomain}); err != nil {
			return tlsSetup{}, fmt.Errorf("http.acme_domain: %w", err)
		}
		config.GetCertificate = magic.GetCertificate
		config.NextProtos = append(config.NextProtos, "acme-tls/1")
		return tlsSetup{config, "certificate by ACME for " + cfg.ACMEDomain}, nil

	case cfg.SelfSigned:
		own := &ownCert{names: names, log: log}
		_, fingerprint, _, err := own.valid()
		if err != nil {
			return tlsSetup{}, fmt.Errorf("http.self_signed: %w", err)
		}
		config.GetCertificate = own.certificate
		return tlsSetup{config, "self-signed, SHA-256 " + fingerprint}, nil
	}
	return tlsSetup{}, nil
}

// certFiles is a certificate on disk. mu guards what was read last.
type certFiles struct {
	cert, key string
	log       *slog.Logger

	mu      lock.Mutex[lock.Leaf]
	current *tls.Certificate
	changed time.Time // the newer modification time of the two files
	looked  time.Time
}

// certificate looks at the files at most once a second. A pair that cannot be
// read, half replaced, say, leaves the old one in use.
func (f *certFiles) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current, replaced, err := f.look()
	switch {
	case err != nil:
		f.log.Error("certificate not taken up, the old one stays in use", "error", err)
	case replaced:
		f.log.Info("certificate replaced", "file", f.cert)
	}
	return current, nil
}

// look is the pair in use, and whether it has just replaced another.
func (f *certFiles) look() (current *tls.Certificate, replaced bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.current
	if time.Since(f.looked) > time.Second {
		err = f.readLocked()
	}
	return f.current, before != nil && f.current != before, err
}

func (f *certFiles) readLocked() error {
	f.looked = time.Now()
	var newest time.Time
	for _, path := range []string{f.cert, f.key} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	if f.current != nil && newest.Equal(f.changed) {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.current, f.changed = &cert, newest
	return nil
}

// ownCert is a self-signed certificate that never is out of date. mu guards what was made last.
type ownCert struct {
	names []netip.Addr
	log   *slog.Logger

	mu          lock.Mutex[lock.Leaf]
	current     *tls.Certificate
	fingerprint string
}

const (
	selfSignedFor  = 90 * 24 * time.Hour
	selfSignedLeft = selfSignedFor / 3 // when so much is left, a new one is made
)

// certificate makes a new one in time, and when the clock has been set to where the old one is not valid.
func (o *ownCert) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current, fingerprint, renewed, err := o.valid()
	if renewed {
		o.log.Info("self-signed certificate renewed", "sha256", fingerprint)
	}
	return current, err
}

func (o *ownCert) valid() (current *tls.Certificate, fingerprint string, renewed bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.current != nil && now.After(o.current.Leaf.NotBefore) && now.Before(o.current.Leaf.NotAfter.Add(-selfSignedLeft)) {
		return o.current, o.fingerprint, false, nil
	}
	cert, fingerprint, err := selfSigned(o.names)
	if err != nil {
		return o.current, o.fingerprint, false, err
	}
	renewed = o.current != nil
	o.current, o.fingerprint = &cert, fingerprint
	return o.current, fingerprint, renewed, nil
}

// selfSigned makes a certificate for localhost and the given addresses, valid for selfSignedFor.
func selfSigned(addrs []netip.Addr) (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Duet, self-signed"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(selfSignedFor),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, a := range addrs {
		template.IPAddresses = append(template.IPAddresses, a.AsSlice())
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, fmt.Sprintf("%x", sha256.Sum256(der)), nil
}
