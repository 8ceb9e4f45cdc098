// What getStats says has come and gone so far at one end, over all connections that are up: a flow.
(async () => {
  const sum = {
    at: performance.now(), decoded: 0, sent: 0, bytes: 0, freezes: 0, samples: 0, concealed: 0, energy: 0, out: 0, asked: 0,
    repeated: 0, plis: 0, trip: 0, estimate: 0, width: 0,
  }
  for (const pc of __duet.all) {
    if (pc.connectionState !== 'connected') continue
    const report = await pc.getStats()
    for (const s of report.values()) {
      if (s.type === 'inbound-rtp' && s.kind === 'video') {
        sum.decoded += s.framesDecoded ?? 0
        sum.bytes += (s.bytesReceived ?? 0) - (s.retransmittedBytesReceived ?? 0)
        sum.freezes += s.freezeCount ?? 0
        sum.asked += s.nackCount ?? 0
        sum.width = s.frameWidth ?? 0
      } else if (s.type === 'inbound-rtp' && s.kind === 'audio') {
        sum.samples += s.totalSamplesReceived ?? 0
        sum.concealed += s.concealedSamples ?? 0
        sum.energy += s.totalAudioEnergy ?? 0
      } else if (s.type === 'outbound-rtp' && s.kind === 'video') {
        sum.sent += s.framesSent ?? 0
        sum.repeated += s.retransmittedPacketsSent ?? 0
        sum.plis += s.pliCount ?? 0
      } else if (s.type === 'remote-inbound-rtp' && s.kind === 'video') {
        sum.trip = 1000 * (s.roundTripTime ?? 0) // by reports, end to end
      } else if (s.type === 'transport') {
        sum.out += (s.bytesSent ?? 0) + 28 * (s.packetsSent ?? 0) // with the headers of IP and UDP
        sum.estimate = (report.get(s.selectedCandidatePairId)?.availableOutgoingBitrate ?? 0) / 1000
      }
    }
  }
  return sum
})()
