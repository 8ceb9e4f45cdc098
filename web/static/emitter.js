// emitter.js: typed events for everything that has something to tell.

/**
 * Emitter calls listeners in the order in which they came. A listener that throws does not keep the others from
 * hearing: its error goes to the console (or whatever reportError does) and the next one is called.
 *
 * @template {{[type: string]: any}} Events the payload of each event, by name
 */
export class Emitter {
  /** @type {Map<keyof Events, Set<(payload: any) => void>>} */
  #listeners = new Map();

  /**
   * Listens; the returned function undoes it.
   * @template {keyof Events} T
   * @param {T} type
   * @param {(payload: Events[T]) => void} listener
   * @returns {() => void}
   */
  on(type, listener) {
    let set = this.#listeners.get(type);
    if (!set) this.#listeners.set(type, (set = new Set()));
    set.add(listener);
    return () => set.delete(listener);
  }

  /**
   * Tells the listeners; for whoever has something to tell.
   * @protected
   * @template {keyof Events} T
   * @param {T} type
   * @param {Events[T]} payload
   */
  emit(type, payload) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(payload);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
