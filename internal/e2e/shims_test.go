//go:build linux

package e2e

// Scripts that make a browser behave as networks and strangers do. Each wraps what the page will use.

import "strconv"

// turnOver leaves only TURN URLs over the transport: "udp", "tcp" or "tls".
func turnOver(transport string) string {
	return `(() => {
  const Native = window.RTCPeerConnection
  const transportOf = (url) => url.startsWith('turns:') ? 'tls' : /[?&]transport=tcp/.test(url) ? 'tcp' : 'udp'
  const keep = (url) => /^turns?:/.test(url) && transportOf(url) === '` + transport + `'
  const filter = (c) => ({ ...c, iceServers: (c?.iceServers ?? [])
    .map((s) => ({ ...s, urls: [s.urls].flat().filter(keep) })).filter((s) => s.urls.length > 0) })
  window.RTCPeerConnection = class extends Native {
    constructor(c) { super(filter(c)) }
    setConfiguration(c) { return super.setConfiguration(filter(c)) }
  }
})()`
}

// onlyPort drops every candidate of the other side but those at the port: with the relay's port, no way between the two
// browsers is left, neither a direct one nor TURN, and each learns nothing but the server's relay.
func onlyPort(port int) string {
	return `(() => {
  const Native = window.RTCPeerConnection
  const far = (candidate) => candidate.split(' ')[5] !== '` + strconv.Itoa(port) + `'
  const strip = (d) => ({ type: d.type, sdp: d.sdp.split('\r\n')
    .filter((line) => !line.startsWith('a=candidate:') || !far(line)).join('\r\n') })
  window.RTCPeerConnection = class extends Native {
    setRemoteDescription(d) { return super.setRemoteDescription(strip(d)) }
    async addIceCandidate(c) {
      if (!c?.candidate || far(c.candidate)) return
      return super.addIceCandidate(c)
    }
  }
})()`
}

// keepsSending makes a client that says it is muted and sends all the same: its tracks cannot be switched off, stopped or
// taken out of a connection, its encoders not be stopped, and a new connection gets the last one of the kind.
const keepsSending = `(() => {
  const enabled = Object.getOwnPropertyDescriptor(MediaStreamTrack.prototype, 'enabled')
  Object.defineProperty(MediaStreamTrack.prototype, 'enabled', { ...enabled, set() {} })
  MediaStreamTrack.prototype.stop = function () {}
  const last = {}
  const remember = (track) => { if (track instanceof MediaStreamTrack) last[track.kind] = track }
  const media = navigator.mediaDevices
  const ask = media.getUserMedia.bind(media)
  media.getUserMedia = async (wanted) => {
    const stream = await ask(wanted)
    stream.getTracks().forEach(remember)
    return stream
  }
  RTCRtpSender.prototype.setParameters = async function () {}
  const replace = RTCRtpSender.prototype.replaceTrack
  const kindOf = new WeakMap()
  const Native = window.RTCPeerConnection
  const add = Native.prototype.addTransceiver
  Native.prototype.addTransceiver = function (what, init) {
    const kind = what instanceof MediaStreamTrack ? what.kind : what
    const transceiver = add.call(this, last[kind] ?? what, init)
    kindOf.set(transceiver.sender, kind)
    return transceiver
  }
  RTCRtpSender.prototype.replaceTrack = function (track) {
    const kind = kindOf.get(this) ?? track?.kind ?? this.track?.kind
    return replace.call(this, track ?? last[kind] ?? this.track)
  }
})()`

// turnAt puts one TURN URL in place of all the server gave, with the same credentials.
func turnAt(url string) string {
	return `(() => {
  const Native = window.RTCPeerConnection
  const filter = (c) => ({ ...c, iceServers: (c?.iceServers ?? [])
    .filter((s) => [s.urls].flat().some((u) => /^turns?:/.test(u))).slice(0, 1).map((s) => ({ ...s, urls: ['` + url + `'] })) })
  window.RTCPeerConnection = class extends Native {
    constructor(c) { super(filter(c)) }
    setConfiguration(c) { return super.setConfiguration(filter(c)) }
  }
})()`
}

func videoBytes(f Flow) float64 { return float64(f.VideoBytes) }
