// level.js: how loud a microphone is at this moment, for a meter beside it.

/**
 * @param {AudioContext} context
 * @param {MediaStreamTrack} track
 * @returns {{read: () => number, stop: () => void}} read: from 0, silence, to 1
 */
export function level(context, track) {
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  analyser.fftSize = 1_024;
  const samples = new Float32Array(analyser.fftSize);
  source.connect(analyser);
  return {
    read() {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      return loudness(Math.sqrt(sum / samples.length));
    },
    stop: () => source.disconnect(),
  };
}

/** From -60 dB, a quiet room, to -12 dB, a voice close by. @param {number} rms */
export function loudness(rms) {
  return Math.min(1, Math.max(0, (20 * Math.log10(Math.max(rms, 1e-9)) + 60) / 48));
}
