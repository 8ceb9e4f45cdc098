// invite.js: how others get here: a link that calls one of us, as text, as a code for a phone's camera, and for the system
// to pass on; and, for who came by such a link, the one it leads to.

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./view.js").Model} Model */

export class Invite {
  #page;
  #link = "";

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    page.button("share").hidden = typeof page.doc.defaultView?.navigator?.share !== "function";
  }

  /** @param {Model} model */
  draw({ username, users, call, online, invited }) {
    const page = this.#page;
    const link = new URL(`call/${encodeURIComponent(username)}`, page.doc.baseURI).href;
    if (link !== this.#link) {
      this.#link = link;
      page.input("invite-link").value = link;
      page.at("invite-code").hidden = true;
    }
    page.at("invited").hidden = !invited || call !== null;
    if (!invited) return;
    const them = users.find((user) => user.username === invited);
    const free = them?.status === "available" && online;
    page.text(page.at("invited-text"), page.t(!them ? "invitedAway" : free ? "invitedHere" : "invitedBusy", { name: invited }));
    const button = page.button("dial-invited");
    button.disabled = !free;
    page.text(page.at("invited-label"), page.t("callUser", { name: invited }));
    page.avatar(page.at("invited-avatar"), invited);
  }

  /** @returns {Promise<boolean>} whether it could be copied */
  async copy() {
    try {
      await this.#page.doc.defaultView?.navigator.clipboard.writeText(this.#link);
      return true;
    } catch {
      this.#page.input("invite-link").select(); // then by the user's own hand
      return false;
    }
  }

  share() {
    void this.#page.doc.defaultView?.navigator.share({ title: "Duet", url: this.#link }).catch(() => {}); // the user thought better of it
  }

  /** Shows or hides the code; it is fetched when it is first wanted. */
  code() {
    const code = /** @type {HTMLImageElement} */ (this.#page.at("invite-code"));
    if (code.hidden) code.src = `qr.png?text=${encodeURIComponent(this.#link)}`;
    code.hidden = !code.hidden;
  }
}
