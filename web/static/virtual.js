// virtual.js: a picture and a sound for those who have no camera or microphone, or don't want to use them.

const SIZE = Object.freeze({ width: 640, height: 360, fps: 15 });

/** @typedef {{track: MediaStreamTrack, stop: () => void}} VirtualVideo */

/**
 * An animated canvas with the user's name and a clock. It is drawn by a timer, not by animation frames, which stop in
 * a tab that nobody looks at.
 * @param {string} name
 * @returns {VirtualVideo}
 */
export function virtualVideo(name) {
  const canvas = document.createElement("canvas");
  canvas.width = SIZE.width;
  canvas.height = SIZE.height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
  // Some browsers paint only what is in the page.
  canvas.className = "hidden-words";
  canvas.setAttribute("aria-hidden", "true");
  document.body.append(canvas);
  const still = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");
  const begin = performance.now();
  let painted = -Infinity;
  const draw = () => {
    const now = performance.now();
    if (still?.matches && now - painted < 1_000) return; // the clock goes on, nothing else moves
    painted = now;
    paint(context, name, still?.matches ? 0 : (now - begin) / 1_000);
  };
  draw();
  const timer = setInterval(draw, 1_000 / SIZE.fps);
  const [track] = canvas.captureStream(SIZE.fps).getVideoTracks();
  return {
    track,
    stop() {
      clearInterval(timer);
      track.stop();
      canvas.remove();
    },
  };
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {string} name
 * @param {number} t seconds
 */
function paint(c, name, t) {
  const { width, height } = SIZE;
  const hue = hueOf(name);
  const sky = c.createLinearGradient(0, 0, width, height);
  sky.addColorStop(0, `hsl(${hue} 42% 24%)`);
  sky.addColorStop(1, `hsl(${(hue + 48) % 360} 46% 14%)`);
  c.fillStyle = sky;
  c.fillRect(0, 0, width, height);

  // Three slow waves, so that one sees at a glance that pictures are moving.
  for (let wave = 0; wave < 3; wave++) {
    c.beginPath();
    c.moveTo(0, height);
    for (let x = 0; x <= width; x += 16) {
      const y = height * (0.66 + wave * 0.1) + Math.sin(x / 90 + t * (0.9 - wave * 0.2) + wave * 2) * 16;
      c.lineTo(x, y);
    }
    c.lineTo(width, height);
    c.fillStyle = `hsl(${(hue + 24 + wave * 14) % 360} 55% ${34 + wave * 8}% / 0.34)`;
    c.fill();
  }

  const x = width / 2;
  const y = height * 0.36;
  c.beginPath();
  c.arc(x, y, 62, 0, 2 * Math.PI);
  c.fillStyle = `hsl(${hue} 60% 62%)`;
  c.fill();
  c.beginPath();
  c.arc(x, y, 74, t * 1.4, t * 1.4 + Math.PI * 0.6);
  c.strokeStyle = "rgb(255 255 255 / 0.85)";
  c.lineWidth = 4;
  c.lineCap = "round";
  c.stroke();

  c.textAlign = "center";
  c.textBaseline = "middle";
  c.fillStyle = `hsl(${hue} 60% 12%)`;
  c.font = "600 56px system-ui, sans-serif";
  c.fillText(initial(name), x, y + 4);
  c.fillStyle = "#fff";
  c.font = "600 30px system-ui, sans-serif";
  c.fillText(name, x, height * 0.66, width - 60);
  c.font = "400 24px ui-monospace, monospace";
  c.fillStyle = "rgb(255 255 255 / 0.8)";
  c.fillText(new Date().toTimeString().slice(0, 8), x, height * 0.77);
}

/** The colour that goes with a name, everywhere on the page. @param {string} name */
export function hueOf(name) {
  let sum = 7;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 3_600;
  return Math.round(sum / 10);
}

/** The first character that a reader sees. @param {string} name */
export function initial(name) {
  const Segmenter = globalThis.Intl?.Segmenter;
  const first = Segmenter ? [...new Segmenter().segment(name)][0]?.segment : [...name][0];
  return (first ?? "?").toLocaleUpperCase();
}

/**
 * A track of silence, or of a soft tone; null where the browser makes no sound.
 * @param {import("./audio.js").PageAudio} audio @param {{tone?: boolean}} [options]
 * @returns {{track: MediaStreamTrack | null, stop: () => void}}
 */
export function virtualAudio(audio, { tone = false } = {}) {
  const { context } = audio;
  if (!context) return { track: null, stop() {} };
  const out = context.createMediaStreamDestination();
  const source = context.createOscillator();
  const gain = context.createGain();
  source.frequency.value = 330;
  gain.gain.value = tone ? 0.05 : 0;
  source.connect(gain).connect(out);
  source.start();
  audio.wake();
  const [track] = out.stream.getAudioTracks();
  return {
    track,
    stop() {
      source.stop();
      gain.disconnect();
      track.stop();
    },
  };
}
