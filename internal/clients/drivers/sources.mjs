// A tone and a moving picture for libwebrtc in Node, which has no devices.
import wrtc from "@roamhq/wrtc";

const { RTCAudioSource, RTCVideoSource } = wrtc.nonstandard;

/** tracks begins to make them, and gives the two tracks. */
export function tracks() {
  const sound = new RTCAudioSource(), film = new RTCVideoSource();
  const samples = Int16Array.from({ length: 480 }, (_, i) => 3000 * Math.sin((i / 480) * 2 * Math.PI * 4));
  const width = 160, height = 120, data = new Uint8ClampedArray((width * height * 3) / 2);
  setInterval(() => sound.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 }), 10);
  let n = 0;
  setInterval(() => {
    data.fill(128);
    data.fill((n += 5) % 256, 0, width * 40);
    film.onFrame({ width, height, data });
  }, 100);
  return [sound.createTrack(), film.createTrack()];
}
