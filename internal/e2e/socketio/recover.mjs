// A user's connection breaks, then the server ends in one way or the other; the test does what stdin is asked for.
// node recover.mjs URL TRANSPORTS
import { createInterface } from "node:readline";
import { Plain, SocketIO, equal, run } from "./users.mjs";

const [url, list] = process.argv.slice(2);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
// ask has the test do something to the server.
async function ask(what) {
  console.log(what);
  await answers.next();
}

run(async () => {
  const a = new SocketIO(url, "Ann", list.split(",")), b = new Plain(url, "Bob");
  for (const x of [a, b]) {
    await x.next("connect");
    x.send("join", { username: x.name });
    await x.next("userList");
  }
  a.send("call", { target: "Bob" });
  await b.next("incomingCall");
  b.send("callResponse", { accepted: true });
  await a.next("callAnswered");
  const id = a.id;

  for (let round = 0; round < 3; round++) {
    a.socket.io.engine.close(); // as a network does that goes away
    await a.next("disconnect");
    for (let i = 0; i < 10; i++) b.send("iceCandidate", { candidate: { candidate: `candidate:${i} 1 udp 1 192.0.2.1 5000 typ host` } });
    equal("recovery", { recovered: await a.next("connect") }, { recovered: true });
    for (let i = 0; i < 10; i++) equal("missed", (await a.next("iceCandidate")).candidate, { candidate: `candidate:${i} 1 udp 1 192.0.2.1 5000 typ host` });
    a.send("join", { username: "Ann" }); // as pages do in every connect
    await a.next("userList");
    equal("id", a, { id });
    a.send("mediaStateChange", { mediaType: "audio", enabled: round % 2 === 0 });
    await b.next("mediaStateChange"); // the call goes on
  }
  if (a.got.some(([type]) => type === "iceCandidate" || type === "error")) throw new Error(`more came: ${JSON.stringify(a.got)}`);

  for (const end of ["kill", "stop"]) {
    await ask(end);
    equal("a restart", { lost: (await a.next("disconnect")).startsWith("transport ") }, { lost: true });
    a.send("iceCandidate", { target: "Bob", candidate: null }); // the library keeps it until it has connected
    await ask("start");
    equal("recovery", { recovered: !!await a.next("connect") }, { recovered: false });
    equal("what was said meanwhile", await a.next("error"), { code: "not-joined" });
    a.send("join", { username: "Ann" });
    const { users } = await a.next("userList", (m) => m.users.some((u) => u.id === a.id));
    equal("own name", users.find((u) => u.id === a.id), { username: "Ann" });
  }
});
