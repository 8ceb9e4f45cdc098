// mix.js: two sounds as one track, for a screen that is shown with its sound: a call has one section for sound.

/**
 * @param {AudioContext} context
 * @param {MediaStreamTrack[]} tracks which stay the caller's
 * @returns {{track: MediaStreamTrack, stop: () => void}}
 */
export function mix(context, tracks) {
  const out = context.createMediaStreamDestination();
  const sources = tracks.map((track) => context.createMediaStreamSource(new MediaStream([track])));
  for (const source of sources) source.connect(out);
  const [track] = out.stream.getAudioTracks();
  return {
    track,
    stop() {
      for (const source of sources) source.disconnect();
      track.stop();
    },
  };
}
