// people.js: the list of who is here, and the field that finds somebody in it.

/** @typedef {import("../protocol.js").User} User */
/** @typedef {import("./page.js").Page} Page */

/** Rows beyond this are found by typing. */
const ROWS = 150;

export class People {
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #page;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
  }

  /** The button that calls this person, if there is a row for them. @param {string} username */
  button(username) {
    return this.#rows.get(username)?.querySelector("button") ?? null;
  }

  /** @param {User[]} users @param {boolean} free we could call somebody now */
  draw(users, free) {
    const page = this.#page;
    const find = page.input("find");
    find.hidden = users.length < 8 && !find.value;
    const wanted = find.hidden ? "" : find.value.trim().toLocaleLowerCase();
    const found = wanted ? users.filter((user) => user.username.toLocaleLowerCase().includes(wanted)) : users;
    const shown = ordered(found).slice(0, ROWS);
    const rest = found.length - shown.length;
    page.text(page.at("count"), users.length ? String(users.length) : "");
    page.text(page.at("nobody"), !users.length ? page.t("nobody") : !found.length ? page.t("noMatch") : rest ? page.t("more", { count: rest }) : "");
    const list = page.at("users");
    const names = new Set(shown.map((user) => user.username));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    /** @type {Element | null} */
    let place = list.firstElementChild;
    for (const user of shown) {
      const row = this.#rows.get(user.username) ?? this.#row(user);
      this.#fill(row, user, free);
      if (row === place) place = place.nextElementSibling;
      else list.insertBefore(row, place);
    }
  }

  /** @param {User} user */
  #row(user) {
    const page = this.#page;
    const row = page.make("li", "row");
    row.dataset.testid = "user-row";
    row.dataset.username = user.username;
    const avatar = page.make("span", "avatar");
    avatar.setAttribute("aria-hidden", "true");
    page.avatar(avatar, user.username);
    const who = page.make("div", "who");
    const name = page.make("b");
    name.textContent = user.username;
    name.setAttribute("dir", "auto");
    who.append(name, page.make("small"));
    const call = page.make("button", "call");
    call.setAttribute("type", "button");
    call.dataset.testid = "call";
    call.dataset.action = "dial";
    call.dataset.username = user.username;
    call.append(page.icon("i-phone"), page.make("span"));
    row.append(avatar, who, call);
    this.#rows.set(user.username, row);
    return row;
  }

  /** @param {HTMLElement} row @param {User} user @param {boolean} free */
  #fill(row, user, free) {
    const page = this.#page;
    row.dataset.status = user.status;
    const words = { available: "available", ringing: "ringingStatus", busy: "busyStatus" }[user.status] ?? "available";
    page.text(/** @type {HTMLElement} */ (row.querySelector("small")), user.lookalike ? page.t("lookalike", { status: page.t(words) }) : page.t(words));
    const button = /** @type {HTMLButtonElement} */ (row.querySelector("button"));
    button.disabled = !free || user.status !== "available";
    button.setAttribute("aria-label", page.t("callUser", { name: user.username }));
    page.text(/** @type {HTMLElement} */ (button.querySelector("span")), page.t("call"));
  }
}

/** Numbers in names count as numbers. */
const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Those who can be called first. @param {User[]} users */
function ordered(users) {
  /** @param {User} user */
  const busy = ({ status }) => (status === "available" ? 0 : 1);
  return [...users].sort((a, b) => busy(a) - busy(b) || byName.compare(a.username, b.username));
}
