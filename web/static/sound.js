// sound.js: the ring. Made on the spot; there is no file to load.

/** Two soft notes for the one who is called, one for the one who waits. */
const PATTERNS = Object.freeze({
  incoming: { every: 2_400, notes: [[0, 587, 0.22], [0.24, 784, 0.34]], loud: 0.09, shake: [220, 20, 340] },
  outgoing: { every: 3_600, notes: [[0, 440, 0.9]], loud: 0.03, shake: [] },
});

/** What is heard once. */
const NOTES = Object.freeze({
  connect: [[0, 587, 0.12], [0.12, 880, 0.2]],
  "hang-up": [[0, 587, 0.12], [0.12, 392, 0.24]],
  drop: [[0, 330, 0.12], [0.2, 330, 0.12], [0.4, 330, 0.12]],
  test: [[0, 523, 0.25], [0.25, 659, 0.25], [0.5, 784, 0.4]],
});

export class Ringer {
  #audio;
  /** @type {any} */
  #timer = 0;
  /** @type {keyof typeof PATTERNS | ""} */
  #playing = "";

  /** @param {import("./audio.js").PageAudio} audio */
  constructor(audio) {
    this.#audio = audio;
    // What could not be heard when it began begins when it can.
    audio.on("running", () => this.#begin());
  }

  /** @param {keyof typeof PATTERNS | ""} pattern "" is silence */
  play(pattern) {
    if (this.#playing === pattern) return;
    const shook = this.#playing === "incoming";
    this.#playing = pattern;
    clearInterval(this.#timer);
    if (shook) shaken(0);
    if (!pattern) return;
    this.#audio.wake();
    this.#begin();
  }

  /** @param {keyof typeof NOTES} name */
  once(name) {
    this.#audio.wake();
    this.#ring({ notes: NOTES[name], loud: 0.07, shake: [] });
  }

  #begin() {
    clearInterval(this.#timer);
    if (!this.#playing) return;
    const pattern = PATTERNS[this.#playing];
    this.#ring(pattern);
    this.#timer = setInterval(() => this.#ring(pattern), pattern.every);
  }

  /** @param {{notes: number[][], loud: number, shake: number[]}} pattern */
  #ring({ notes, loud, shake }) {
    if (shake.length) shaken(shake);
    const { context } = this.#audio;
    if (!context || context.state !== "running") return; // notes would pile up and sound at once later
    for (const [after, pitch, length] of notes) {
      const at = context.currentTime + after + 0.02;
      const note = context.createOscillator();
      const gain = context.createGain();
      note.frequency.value = pitch;
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(loud, at + 0.03);
      gain.gain.exponentialRampToValueAtTime(0.0001, at + length);
      note.connect(gain).connect(context.destination);
      note.start(at);
      note.stop(at + length);
    }
  }
}

/** Browsers complain where the user has not touched the page yet. @param {number | number[]} pattern */
function shaken(pattern) {
  const { navigator } = globalThis;
  if (navigator?.userActivation?.hasBeenActive !== false) navigator?.vibrate?.(pattern);
}
