// Injected before the page's own scripts: remembers every RTCPeerConnection, so that a test can read what no page shows.
(() => {
  const Native = window.RTCPeerConnection
  const all = []
  class Watched extends Native {
    constructor(...args) {
      super(...args)
      all.push(this)
    }
  }
  window.RTCPeerConnection = Watched

  // One plain object for each connection that is not closed.
  async function stats() {
    const out = []
    for (const pc of all) {
      if (pc.connectionState === 'closed') continue
      const one = {
        state: pc.connectionState, ice: pc.iceConnectionState,
        local: null, remote: null,
        inVideo: null, inAudio: null, outVideo: null, outAudio: null,
      }
      const report = await pc.getStats()
      const byId = (id) => (id === undefined ? undefined : report.get(id))
      for (const s of report.values()) {
        if (s.type === 'transport') {
          const pair = byId(s.selectedCandidatePairId)
          if (!pair) continue
          const end = (c) => c && {
            type: c.candidateType, protocol: c.protocol, relayProtocol: c.relayProtocol ?? '',
            address: c.address ?? '', port: c.port ?? 0, url: c.url ?? '',
          }
          one.local = end(byId(pair.localCandidateId)) ?? null
          one.remote = end(byId(pair.remoteCandidateId)) ?? null
        } else if (s.type === 'inbound-rtp' && s.kind === 'video') {
          one.inVideo = add(one.inVideo, { frames: s.framesDecoded ?? 0, bytes: s.bytesReceived ?? 0, packets: s.packetsReceived ?? 0, lost: s.packetsLost ?? 0, keyFrames: s.keyFramesDecoded ?? 0, width: s.frameWidth ?? 0, height: s.frameHeight ?? 0 })
        } else if (s.type === 'inbound-rtp' && s.kind === 'audio') {
          one.inAudio = add(one.inAudio, { bytes: s.bytesReceived ?? 0, packets: s.packetsReceived ?? 0, lost: s.packetsLost ?? 0, energy: s.totalAudioEnergy ?? 0, concealed: s.concealedSamples ?? 0 })
        } else if (s.type === 'outbound-rtp' && s.kind === 'video') {
          one.outVideo = add(one.outVideo, { frames: s.framesEncoded ?? 0, bytes: s.bytesSent ?? 0, packets: s.packetsSent ?? 0 })
        } else if (s.type === 'outbound-rtp' && s.kind === 'audio') {
          one.outAudio = add(one.outAudio, { bytes: s.bytesSent ?? 0, packets: s.packetsSent ?? 0 })
        }
      }
      out.push(one)
    }
    return out
  }

  function add(sum, more) {
    if (!sum) return more
    for (const k of Object.keys(more)) sum[k] += more[k]
    return sum
  }

  // The longest time without a new picture on the element that shows the other person. A timer, not a frame callback:
  // no picture means no callback either.
  let watch
  function watchPicture() {
    clearInterval(watch?.timer)
    const w = { frames: -1, since: performance.now(), longest: 0, pictures: 0, timer: 0 }
    w.timer = setInterval(() => {
      const video = document.querySelector('[data-testid=remote-video]')
      const frames = video?.getVideoPlaybackQuality?.().totalVideoFrames ?? w.frames
      const now = performance.now()
      if (frames !== w.frames) {
        if (w.frames >= 0) w.pictures++
        w.frames = frames
        w.longest = Math.max(w.longest, now - w.since)
        w.since = now
      }
    }, 10)
    watch = w
  }
  // In milliseconds, with the time that passes now; the number of new pictures beside it.
  function pictureGap() {
    const open = performance.now() - watch.since
    return { longest: Math.max(watch.longest, open), open, pictures: watch.pictures }
  }

  window.__duet = { all, stats, watchPicture, pictureGap }
})()
