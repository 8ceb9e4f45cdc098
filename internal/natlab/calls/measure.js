// Injected into every page: when the call was accepted, when the first picture came, and every time none came.
// Times are those of the machine, which both browsers share.
(() => {
  if (window.parent !== window) return // a frame of the page's own shows nothing
  const clock = () => performance.timeOrigin + performance.now()
  const LONG = 500 // a picture that stands still for so long is a freeze
  let m = null
  try { localStorage.clear() } catch {} // the page remembers its user; here everybody comes for the first time

  function arm() {
    clearInterval(m?.timer)
    m = { accepted: 0, first: 0, last: 0, frames: 0, count: 0, longest: 0, freezes: 0, marked: 0, timer: 0, gaps: [] }
    m.timer = setInterval(look, 10)
  }
  // Firefox counts the pictures of a stream nowhere, but tells of each.
  let told = 0, followed = null
  function follow(video) {
    followed = video
    video.requestVideoFrameCallback(() => {
      told++
      follow(video)
    })
  }
  // A timer and not a frame callback: no picture means no callback either.
  function look() {
    const video = document.querySelector('[data-testid=remote-video]')
    if (video && video !== followed && /Firefox/.test(navigator.userAgent)) follow(video)
    const count = followed ? told : video?.srcObject ? video.getVideoPlaybackQuality().totalVideoFrames : 0
    if (count > m.count) {
      const now = clock()
      m.frames += count - m.count
      m.first ||= now
      if (m.last) {
        const gap = now - m.last
        m.longest = Math.max(m.longest, gap)
        if (gap > 150) m.gaps.push([Math.round(now - m.first), Math.round(gap)])
        if (gap > LONG) m.freezes++
      }
      m.last = now
    }
    m.count = count // another stream on the same element begins with 0 again
  }
  // From here on the longest time without a new picture counts anew.
  function mark() {
    m.longest = m.freezes = 0
    m.gaps = []
    m.marked = clock()
  }
  function result() {
    look()
    const { accepted, first, last, frames, freezes, gaps } = m
    const open = last ? clock() - last : 0
    return { accepted, first, frames, freezes, gaps, open, longest: Math.max(m.longest, open), now: clock() }
  }
  addEventListener('click', (event) => {
    if (m && event.target?.closest?.('[data-testid=accept]')) m.accepted ||= clock()
  }, true)
  window.__lab = { arm, mark, result }
})()
