// roster.js: who is here, from full lists and from deltas.

/** @typedef {import("./protocol.js").User} User */
/** @typedef {import("./protocol.js").ServerMessage} ServerMessage */

export class Roster {
  /** @type {Map<string, User>} by id, or by name where a server gives no ids */
  #users = new Map();

  /**
   * Takes userList and presence; tells whether the message was one of these. A delta's parts are applied in the
   * protocol's order: joined, status, left.
   * @param {ServerMessage} message
   */
  apply(message) {
    switch (message.type) {
      case "userList":
        this.#users = new Map(message.users.map((user) => [key(user), { ...user }]));
        return true;
      case "presence":
        for (const user of message.joined ?? []) this.#users.set(key(user), { ...user });
        for (const { id, status } of message.status ?? []) {
          const user = this.#users.get(id);
          if (user) this.#users.set(id, { ...user, status });
        }
        for (const id of message.left ?? []) this.#users.delete(id);
        return true;
    }
    return false;
  }

  /** Everybody but ourselves, by name. @param {{id: string, username: string}} self */
  others(self) {
    const others = [...this.#users.values()].filter((user) => (self.id ? user.id !== self.id : user.username !== self.username));
    return others.sort((a, b) => a.username.localeCompare(b.username));
  }

  clear() {
    this.#users.clear();
  }
}

/** @param {User} user */
function key(user) {
  return user.id || user.username;
}
