// sound.js: the ring. Made on the spot; there is no file to load.

/** Two soft notes for the one who is called, one for the one who waits. */
const PATTERNS = Object.freeze({
  incoming: { every: 2_400, notes: [[0, 587, 0.22], [0.24, 784, 0.34]], loud: 0.09 },
  outgoing: { every: 3_600, notes: [[0, 440, 0.9]], loud: 0.03 },
});

export class Ringer {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {any} */
  #timer = 0;
  #playing = "";

  /** @param {keyof typeof PATTERNS | ""} pattern "" is silence */
  play(pattern) {
    if (this.#playing === pattern) return;
    this.#playing = pattern;
    clearInterval(this.#timer);
    if (!pattern) {
      void this.#context?.close().catch(() => {});
      this.#context = null;
      return;
    }
    this.#context ??= new AudioContext();
    this.#ring(PATTERNS[pattern]);
    this.#timer = setInterval(() => this.#ring(PATTERNS[pattern]), PATTERNS[pattern].every);
  }

  /** @param {{notes: number[][], loud: number}} pattern */
  #ring({ notes, loud }) {
    const context = this.#context;
    if (!context || context.state === "suspended") return; // nobody has touched the page yet
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
