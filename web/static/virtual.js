// virtual.js: a picture and a sound for those who have no camera or microphone, or don't want to use them.

const SIZE = Object.freeze({ width: 640, height: 360 });

/** How a picture is drawn. The clock moves, for tests. @typedef {"letters" | "hills" | "night" | "clock"} Look */
/** @typedef {{track: MediaStreamTrack, stop: () => void}} VirtualVideo */

/** Pictures a second: of one that stands still so many that whoever comes sees it at once. */
const FPS = Object.freeze({ still: 4, clock: 15 });

/**
 * A drawn picture with the user's initials. It is painted by a timer, not by animation frames, which stop in a tab that
 * nobody looks at.
 * @param {string} name
 * @param {Look} [look]
 * @returns {VirtualVideo}
 */
export function virtualVideo(name, look = "letters") {
  const canvas = document.createElement("canvas");
  canvas.width = SIZE.width;
  canvas.height = SIZE.height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
  // Some browsers paint only what is in the page.
  canvas.className = "hidden-words";
  canvas.setAttribute("aria-hidden", "true");
  document.body.append(canvas);
  const fps = look === "clock" ? FPS.clock : FPS.still;
  const begin = performance.now();
  const draw = () => paint(context, name, look, (performance.now() - begin) / 1_000);
  draw();
  const timer = setInterval(draw, 1_000 / fps);
  const [track] = canvas.captureStream(fps).getVideoTracks();
  return {
    track,
    stop() {
      clearInterval(timer);
      track.stop();
      canvas.remove();
    },
  };
}

/** @param {CanvasRenderingContext2D} c @param {string} name @param {Look} look @param {number} t seconds */
function paint(c, name, look, t) {
  const { width, height } = SIZE;
  const hue = hueOf(name);
  const night = look === "night";
  const sky = c.createLinearGradient(0, 0, width, height);
  sky.addColorStop(0, night ? "#101a3a" : `hsl(${hue} 42% 24%)`);
  sky.addColorStop(1, night ? "#05070f" : `hsl(${(hue + 48) % 360} 46% 14%)`);
  c.fillStyle = sky;
  c.fillRect(0, 0, width, height);
  if (look === "hills") hills(c, hue);
  if (night) stars(c);
  c.textAlign = "center";
  c.textBaseline = "middle";
  c.fillStyle = "#fff";
  c.font = "600 190px system-ui, sans-serif";
  c.fillText(initial(name), width / 2, height * (look === "clock" ? 0.4 : 0.46));
  c.font = "600 30px system-ui, sans-serif";
  c.fillText(name, width / 2, height * (look === "clock" ? 0.74 : 0.86), width - 60);
  if (look !== "clock") return;
  c.font = "400 24px ui-monospace, monospace";
  c.fillText(new Date().toTimeString().slice(0, 8), width / 2, height * 0.86);
  c.beginPath();
  c.arc(width / 2, height * 0.4, 104, t * 1.4, t * 1.4 + Math.PI * 0.6);
  c.strokeStyle = "#fff";
  c.lineWidth = 6;
  c.stroke();
}

/** @param {CanvasRenderingContext2D} c @param {number} hue */
function hills(c, hue) {
  const { width, height } = SIZE;
  for (let hill = 0; hill < 3; hill++) {
    c.beginPath();
    c.moveTo(0, height);
    for (let x = 0; x <= width; x += 16) c.lineTo(x, height * (0.6 + hill * 0.13) + Math.sin(x / 90 + hill * 2) * 18);
    c.lineTo(width, height);
    c.fillStyle = `hsl(${hue + 24 + hill * 14} 55% ${30 + hill * 8}% / 0.5)`;
    c.fill();
  }
}

/** @param {CanvasRenderingContext2D} c */
function stars(c) {
  const { width, height } = SIZE;
  c.fillStyle = "rgb(255 255 255 / 0.7)";
  for (let i = 1; i < 90; i++) c.fillRect((i * 137.5) % width, (i * i * 7.3) % height, 1 + (i % 3), 1 + (i % 3));
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
