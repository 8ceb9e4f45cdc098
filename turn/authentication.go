package turn

// This file is authentication (RFC 8656 section 5): long-term credentials, which are static users or names that expire, with
// passwords derived from a shared secret (TURN REST).

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // fixed by the protocol
	"crypto/sha1" //nolint:gosec // fixed by the protocol
	"encoding/base64"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// authenticate says whether the current request's client has proved a password that lets it make the request; if not, the
// authority demands one, or the request is answered or dropped here.
func (g *gate) authenticate() bool {
	r := &g.req
	switch {
	case !r.carries(hasIntegrity):
		return g.challenge(demandPassword)
	case !r.carries(hasUsername) || !r.carries(hasRealm) || !r.carries(hasNonce):
		if !g.mayAnswer() {
			return g.drop(dropBudget)
		}
		return g.reject(codeBadRequest)
	case !g.server.nonces.bound(r.nonce, r.from):
		return g.challenge(demandFreshNonce)
	case string(r.realm) != g.server.cfg.Realm:
		return g.challenge(demandPassword)
	}
	key, who, ok := g.server.credentials.find(&r.message)
	if !ok || who.expired(r.now) && !g.allowExpiredCredential(who) {
		if !g.challenge(demandPassword) {
			return false
		}
		g.server.refusals.note(claimedID(r.username), codeUnauthorized, r.now)
		return true
	}
	r.key, r.who = key, who
	return true
}

// challenge has the authority demand credentials. Strangers are answered from the budget.
func (g *gate) challenge(how errand) bool {
	if !g.mayAnswer() {
		return g.drop(dropBudget)
	}
	g.req.errand, g.req.key = how, nil
	code := codeUnauthorized
	if how == demandFreshNonce {
		code = codeStaleNonce
	}
	g.server.stats.refuse(code)
	return true
}

// allowExpiredCredential lets a running allocation outlive its credential, so that a long call is not cut off: only a new
// allocation needs one that has not expired.
func (g *gate) allowExpiredCredential(who identity) bool {
	a := g.req.allocation
	return a != nil && !a.isOver() && a.who.user == who.user
}

// identity is who has proved a password.
type identity struct {
	user    string    // "static:name", "rest:name" or "own:id"; what quotas, permissions and ownership go by
	id      string    // for users of ours their signaling id, else empty
	expires time.Time // zero for static users
}

func (i identity) static() bool { return i.expires.IsZero() }

// own says that this is a user of ours, and one person.
func (i identity) own() bool { return i.id != "" }

func (i identity) expired(now time.Time) bool { return !i.expires.IsZero() && now.After(i.expires) }

// credentials are fixed after New, but for the secrets.
type credentials struct {
	realm   string
	secrets atomic.Pointer[[][]byte] // the first one signs, all are accepted
	users   map[string]string
}

// use replaces the secrets; an empty previous one is none.
func (c *credentials) use(secret, previous []byte) {
	all := [][]byte{secret}
	if len(previous) > 0 {
		all = append(all, previous)
	}
	c.secrets.Store(&all)
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
	return username, password((*c.secrets.Load())[0], username)
}

// longTermKey is the key of a long-term credential (RFC 8489 section 9.2.2).
func longTermKey(username, realm, password string) []byte {
	sum := md5.Sum([]byte(username + ":" + realm + ":" + password)) //nolint:gosec // fixed by the protocol
	return sum[:]
}

// find finds the key with which m was signed. It does not look at expiry.
func (c *credentials) find(m *message) (key []byte, who identity, ok bool) {
	username := string(m.username)
	if pass, static := c.users[username]; static {
		key = longTermKey(username, c.realm, pass)
		return key, identity{user: "static:" + username}, verify(m, key)
	}
	stamp, id, _ := strings.Cut(username, ":")
	unix, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || unix <= 0 {
		return nil, identity{}, false
	}
	who = identity{user: "rest:" + id, id: ownID(id), expires: time.Unix(unix, 0)}
	switch {
	case who.own():
		who.user = ownName(who.id)
	case id == "":
		who.user = "rest:" + username
	}
	for _, secret := range *c.secrets.Load() {
		key = longTermKey(username, c.realm, password(secret, username))
		if verify(m, key) {
			return key, who, true
		}
	}
	return nil, identity{}, false
}

// ownMark begins the name in the credentials of our own users, so that no other credential is taken for one.
const ownMark = "duet:"

// ownName is what quotas and ownership call a user of ours.
func ownName(id string) string { return "own:" + id }

// ownID is the signaling id in the name of a TURN REST credential, empty if it is no user's of ours. Whatever has the form of
// an id is one, too: then it may reach less.
func ownID(name string) string {
	if id, marked := strings.CutPrefix(name, ownMark); marked {
		return id
	}
	if looksLikeID(name) {
		return name
	}
	return ""
}

// claimedID is the id of ours in a TURN REST username that nobody has proved; empty if there is none.
func claimedID(username []byte) string {
	_, name, _ := strings.Cut(string(username), ":")
	return ownID(name)
}

// looksLikeID tells the ids that signaling has given out without a mark.
func looksLikeID(name string) bool {
	if len(name) != 24 || name[:2] != "u_" {
		return false
	}
	for _, c := range []byte(name[2:]) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
