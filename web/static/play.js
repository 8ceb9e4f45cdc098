// play.js: shows what the other side sends in an element of the caller's.

/** @typedef {import("./peer.js").Tracks} Tracks */

export class Player {
  #element;
  #refused;
  #stream = new MediaStream();

  /** @param {HTMLMediaElement} element @param {() => void} refused the browser wants a touch first */
  constructor(element, refused) {
    this.#element = element;
    this.#refused = refused;
    element.srcObject = this.#stream;
  }

  /** @param {Tracks} tracks */
  show({ audio, video }) {
    const wanted = [audio, video].filter((track) => track !== null);
    // The old ones first: Firefox never shows a track that came while another was shown.
    for (const track of this.#stream.getTracks()) if (!wanted.includes(track)) this.#stream.removeTrack(track);
    for (const track of wanted) this.#stream.addTrack(track);
    if (!wanted.length) return;
    this.#element.play().catch((error) => error instanceof DOMException && error.name === "NotAllowedError" && this.#refused());
  }

  stop() {
    if (this.#element.srcObject === this.#stream) this.#element.srcObject = null;
  }
}
