// A client of the twelve messages with one RTCPeerConnection, which gets every offer, whatever it is. It knows nothing of
// Duet's own lines, and handles no collision.
(async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } })
  const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/ws')
  const plain = (window.plain = { keys: new Set(), frames, call, faults: [], ended: '' })
  let pc, early = [], work = Promise.resolve()
  const send = (message) => socket.send(JSON.stringify(message))

  async function frames() {
    let n = 0
    for (const s of (await pc?.getStats())?.values() ?? []) if (s.type === 'inbound-rtp' && s.kind === 'video') n += s.framesDecoded
    return n
  }
  function make() {
    pc = new RTCPeerConnection()
    for (const track of stream.getTracks()) pc.addTrack(track, stream)
    pc.onicecandidate = ({ candidate }) => send({ type: 'iceCandidate', candidate })
  }
  function call(target) {
    send({ type: 'call', target })
  }
  async function remote(description) {
    plain.keys.add(/^a=fingerprint:(.*)$/m.exec(description.sdp)[1])
    await pc.setRemoteDescription(description)
    for (const candidate of early.splice(0)) await pc.addIceCandidate(candidate)
  }
  const take = {
    incomingCall: () => send({ type: 'callResponse', accepted: true }),
    async callAnswered() {
      make()
      await pc.setLocalDescription()
      send({ type: 'offer', offer: pc.localDescription })
    },
    async offer({ offer }) {
      if (!pc) make()
      await remote(offer)
      await pc.setLocalDescription()
      send({ type: 'answer', answer: pc.localDescription })
    },
    answer: ({ answer }) => remote(answer),
    async iceCandidate({ candidate }) {
      if (!candidate) return
      if (pc?.remoteDescription) await pc.addIceCandidate(candidate)
      else early.push(candidate)
    },
    callEnded({ reason }) {
      plain.ended = reason
    },
  }
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data)
    work = work.then(() => take[message.type]?.(message)).catch((fault) => plain.faults.push(`${message.type}: ${fault}`))
  }
  await new Promise((resolve) => (socket.onopen = resolve))
  send({ type: 'join', username: '$NAME' })
  return true
})()
