// Injected before the page's own scripts: remembers every RTCPeerConnection, so that a test can read what no page shows.
(() => {
  const Native = window.RTCPeerConnection
  const all = []
  // What happened when, in milliseconds since the page was opened: told when a test fails.
  const events = []
  const note = (what) => events.push(`${Math.round(performance.now())} ${what}`)
  const watching = (Native) => class Watched extends Native {
    constructor(...args) {
      super(...args)
      const n = all.push(this)
      note(`connection ${n} made`)
      for (const kind of ['connection', 'iceConnection', 'signaling']) {
        this.addEventListener(`${kind.toLowerCase()}statechange`, () => note(`connection ${n} ${kind} ${this[kind + 'State']}`))
      }
    }
    close() {
      note(`connection ${all.indexOf(this) + 1} closed`)
      super.close()
    }
  }
  // The page makes connections in frames of its own, too: they count with the page's.
  let above
  try {
    above = window.parent !== window && window.parent.__duet
  } catch {
    // Around it is a page of another origin, which makes none.
  }
  window.RTCPeerConnection = (above || { watching }).watching(Native)
  if (above) return

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
          one.inVideo = add(one.inVideo, { frames: s.framesDecoded ?? 0, bytes: s.bytesReceived ?? 0, packets: s.packetsReceived ?? 0, lost: s.packetsLost ?? 0, keyFrames: s.keyFramesDecoded ?? 0, playout: s.estimatedPlayoutTimestamp ?? 0, width: s.frameWidth ?? 0, height: s.frameHeight ?? 0 })
        } else if (s.type === 'inbound-rtp' && s.kind === 'audio') {
          one.inAudio = add(one.inAudio, { bytes: s.bytesReceived ?? 0, packets: s.packetsReceived ?? 0, lost: s.packetsLost ?? 0, energy: s.totalAudioEnergy ?? 0, concealed: s.concealedSamples ?? 0, playout: s.estimatedPlayoutTimestamp ?? 0 })
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
  // no picture means no callback either. A tick that comes late counts as one in time: on a machine too busy to run this
  // timer nothing can be said of pictures, and raw has the time by the clock.
  const every = 10
  let watch
  function watchPicture() {
    clearInterval(watch?.timer)
    const w = { frames: -1, last: performance.now(), open: 0, rawOpen: 0, longest: 0, raw: 0, pictures: 0, timer: 0 }
    w.timer = setInterval(() => {
      const video = document.querySelector('[data-testid=remote-video]')
      const frames = video?.getVideoPlaybackQuality?.().totalVideoFrames ?? w.frames
      const now = performance.now()
      w.open += Math.min(now - w.last, 3 * every)
      w.rawOpen += now - w.last
      w.last = now
      w.longest = Math.max(w.longest, w.open)
      w.raw = Math.max(w.raw, w.rawOpen)
      if (frames === w.frames) return
      if (w.rawOpen > 250) note(`no picture for ${Math.round(w.rawOpen)} ms by the clock, ${Math.round(w.open)} ms by the timer`)
      if (w.frames >= 0) w.pictures++
      w.frames = frames
      w.open = w.rawOpen = 0
    }, every)
    watch = w
  }
  // In milliseconds.
  const pictureGap = () => ({ longest: watch.longest, raw: watch.raw, pictures: watch.pictures })

  window.__duet = { all, watching, events, stats, watchPicture, pictureGap }
})()
