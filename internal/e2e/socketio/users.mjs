// Users who come by the libraries that pages use: socket.io-client 4 and 2, and a plain WebSocket.
import { createRequire } from "node:module";
const require = createRequire(new URL("../../../.ci/package.json", import.meta.url));
const libraries = { v4: require("socket.io-client").io, v2: require("socket.io-client-2") };
const { WebSocket } = require("ws");

const events = ["welcome", "userList", "incomingCall", "callAnswered", "offer", "answer", "iceCandidate", "mediaStateChange", "callEnded", "error"];

// A User keeps what comes until somebody asks for it.
class User {
  constructor(name) { Object.assign(this, { name, got: [], waiting: [] }); }
  take(type, data) {
    this.got.push([type, data]);
    this.waiting = this.waiting.filter((done) => !done());
  }
  // next is the next message of a type, whatever else has come.
  next(type, test = () => true) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} waits for ${type} and has ${JSON.stringify(this.got).slice(0, 500)}`)), 30000);
      const look = () => {
        const i = this.got.findIndex(([t, d]) => t === type && test(d));
        if (i < 0) return false;
        clearTimeout(timer);
        resolve(this.got.splice(i, 1)[0][1]);
        return true;
      };
      if (!look()) this.waiting.push(look);
    });
  }
}

export class SocketIO extends User {
  constructor(url, name, transports, version = "v4") {
    super(name);
    this.socket = libraries[version](url, { transports, forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 200 });
    for (const type of events) this.socket.on(type, (data) => this.take(type, data));
    this.socket.on("connect", () => this.take("connect", this.socket.recovered));
    this.socket.on("disconnect", (why) => this.take("disconnect", why));
    this.socket.on("connect_error", (err) => this.take("connect_error", String(err)));
  }
  get id() { return this.socket.id; }
  send(type, data) { this.socket.emit(type, data); }
  close() { this.socket.close(); }
}

export class Plain extends User {
  constructor(url, name) {
    super(name);
    this.socket = new WebSocket(url.replace("http", "ws") + "ws");
    this.socket.onopen = () => this.take("connect");
    this.socket.onmessage = ({ data }) => { const m = JSON.parse(data); this.take(m.type, m); };
    this.socket.onclose = ({ code }) => this.take("disconnect", code);
  }
  send(type, data) { this.socket.send(JSON.stringify({ ...data, type })); }
  close() { this.socket.close(); }
}

// equal compares the fields that want has.
export function equal(what, got, want) {
  for (const key of Object.keys(want)) {
    if (JSON.stringify(got?.[key]) !== JSON.stringify(want[key])) throw new Error(`${what}: ${key} is ${JSON.stringify(got?.[key])}, want ${JSON.stringify(want[key])}`);
  }
}

// run ends the process as the test went.
export function run(test) {
  test().then(() => process.exit(0), (err) => { console.error(err); process.exit(1); });
}
