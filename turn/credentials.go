package turn

// This file says who may come in: names that expire with passwords derived from a shared secret (TURN REST), and static users.

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // fixed by the protocol
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/turn/v3"
)

// identity is who has proved a password.
type identity struct {
	user    string    // "static:name" or "rest:id"; what quotas, permissions and ownership go by
	id      string    // for our own users their signaling id, else empty
	expires time.Time // zero for static users
}

func (i identity) static() bool { return i.expires.IsZero() }

func (i identity) expired(now time.Time) bool { return !i.expires.IsZero() && now.After(i.expires) }

// credentials are fixed after New.
type credentials struct {
	realm   string
	secrets [][]byte // the first one signs, all are accepted
	users   map[string]string
}

// password derives the password of a TURN REST username.
func password(secret []byte, username string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// issue makes a username and its password for user; it expires at the given time.
func (c *credentials) issue(user string, expires time.Time) (username, pass string) {
	username = strconv.FormatInt(expires.Unix(), 10)
	if user != "" {
		username += ":" + user
	}
	return username, password(c.secrets[0], username)
}

// authenticate finds the key with which m was signed. It does not look at expiry: see lease.go.
func (c *credentials) authenticate(m *message) (key []byte, who identity, ok bool) {
	username := string(m.username)
	if pass, static := c.users[username]; static {
		key = pion.GenerateAuthKey(username, c.realm, pass)
		return key, identity{user: "static:" + username}, verify(m, key)
	}
	stamp, id, _ := strings.Cut(username, ":")
	unix, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || unix <= 0 {
		return nil, identity{}, false
	}
	who = identity{user: "rest:" + id, expires: time.Unix(unix, 0)}
	if id == "" {
		who.user = "rest:" + username
	}
	if isOwnID(id) {
		who.id = id
	}
	for _, secret := range c.secrets {
		key = pion.GenerateAuthKey(username, c.realm, password(secret, username))
		if verify(m, key) {
			return key, who, true
		}
	}
	return nil, identity{}, false
}

// claimedID is the id of ours in a TURN REST username that nobody has proved; empty if there is none.
func claimedID(username []byte) string {
	if _, id, _ := strings.Cut(string(username), ":"); isOwnID(id) {
		return id
	}
	return ""
}

// isOwnID tells the ids that signaling gives out from the names of other software.
func isOwnID(id string) bool {
	if len(id) != 24 || id[:2] != "u_" {
		return false
	}
	for _, c := range []byte(id[2:]) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// verify checks MESSAGE-INTEGRITY; parse has cut the message off behind it and set the length accordingly.
func verify(m *message, key []byte) bool {
	return hmac.Equal(m.raw[m.integrity+4:], sign(m.raw[:m.integrity], key))
}

// sign computes the value of MESSAGE-INTEGRITY over what precedes it.
func sign(b, key []byte) []byte {
	mac := hmac.New(sha1.New, key)
	mac.Write(b)
	return mac.Sum(nil)
}

// resign makes a changed message whole again.
func resign(m *message, key []byte) {
	copy(m.raw[m.integrity+4:], sign(m.raw[:m.integrity], key))
}

// appendError builds an error answer to the request with this id; with a key it is signed.
func appendError(b []byte, method uint16, id []byte, code int, reason string, key []byte, attrs ...attribute) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, messageType(method, classError))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	b = append(b, id...)
	b = appendAttribute(b, attrErrorCode, append([]byte{0, 0, byte(code / 100), byte(code % 100)}, reason...))
	for _, a := range attrs {
		b = appendAttribute(b, a.typ, a.value)
	}
	if key == nil {
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-headerSize))
		return b
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start-headerSize+24))
	return appendAttribute(b, attrIntegrity, sign(b[start:], key))
}

type attribute struct {
	typ   uint16
	value []byte
}

func appendAttribute(b []byte, typ uint16, v []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	b = append(b, v...)
	for range -len(v) & 3 {
		b = append(b, 0)
	}
	return b
}
