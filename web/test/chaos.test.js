// chaos.test.js: whatever happens to the network, once it is well again both ends are on the same best path, with one
// connection each, and nobody had to click.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { fakeTime } from "./fakes.js";
import { World } from "./world.js";

let undo, world;
beforeEach(() => (undo = fakeTime()));
afterEach(() => {
  world.close();
  undo();
});

const both = () => world.sides.map(({ paths }) => [paths.state, paths.info?.path]);

async function begin(options, change = {}) {
  world = new World(options);
  Object.assign(world, change);
  world.begin();
  await world.run(1_000);
}

/** A small generator, so that a failing seed fails again. */
function dice(seed) {
  let state = seed * 2_654_435_761 + 1;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % sides;
  };
}

test("two that can reach each other connect directly", async () => {
  await begin();
  assert.deepEqual(both(), [["connected", "direct"], ["connected", "direct"]]);
});

test("two that cannot meet at the relay, within the time-out and a little", async () => {
  await begin({}, { direct: false });
  await world.run(9_000);
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
  assert.deepEqual(world.open, [1, 1]);
});

test("mode always meets at the relay at once", async () => {
  await begin({ mode: "always" });
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
});

test("where TURN is as good as the relay, TURN it is", async () => {
  await begin({}, { direct: false, turn: true });
  assert.deepEqual(both(), [["connected", "turn"], ["connected", "turn"]]);
});

test("mode prefer: direct where that is possible", async () => {
  await begin({ mode: "prefer" }, { turn: true });
  assert.deepEqual(both(), [["connected", "direct"], ["connected", "direct"]]);
});

test("mode prefer: the relay where TURN would have been, and no way back to TURN", async () => {
  await begin({ mode: "prefer" }, { direct: false, turn: true });
  await world.run(9_000);
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
  await world.run(130_000);
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
  world.direct = true;
  await world.run(70_000);
  assert.deepEqual(both(), [["connected", "direct"], ["connected", "direct"]]);
  assert.deepEqual(world.open, [1, 1]);
});

for (const [name, change] of [["is full", { full: true }], ["does not come up", { relay: false }]]) {
  test(`mode prefer: TURN when the relay ${name}`, async () => {
    await begin({ mode: "prefer" }, { direct: false, turn: true, ...change });
    await world.run(15_000);
    assert.deepEqual(both(), [["connected", "turn"], ["connected", "turn"]]);
  });
}

test("mode prefer: a call on TURN that loses it goes to the relay, and forgets TURN", async () => {
  await begin({ mode: "prefer" }, { direct: false, turn: true, full: true });
  await world.run(15_000);
  world.full = world.turn = false;
  await world.run(90_000);
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
  world.turn = true;
  await world.run(130_000);
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
});

test("a direct way that dies moves to the relay within 4 s, and one that comes back is taken again", async () => {
  await begin();
  world.direct = false;
  await world.run(4_000);
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
  world.direct = true;
  await world.run(70_000);
  assert.deepEqual(both(), [["connected", "direct"], ["connected", "direct"]]);
  assert.deepEqual(world.open, [1, 1]);
  assert.equal(world.room, false);
});

test("a short outage of everything ends where it began", async () => {
  await begin();
  world.direct = world.relay = world.signaling = false;
  await world.run(3_000);
  world.direct = world.relay = world.signaling = true;
  await world.run(70_000);
  assert.deepEqual(both(), [["connected", "direct"], ["connected", "direct"]]);
});

test("a server that restarts under a relayed call", async () => {
  await begin({}, { direct: false });
  await world.run(9_000);
  world.restart();
  await world.run(3_000);
  assert.deepEqual(both(), [["connected", "relay"], ["connected", "relay"]]);
  assert.deepEqual(world.open, [1, 1]);
});

test("a server that restarts under a direct call changes nothing", async () => {
  await begin();
  world.restart();
  await world.run(3_000);
  assert.deepEqual(world.sides.map(({ web }) => web.peers.length), [1, 1]);
});

for (const role of ["caller", "callee"]) {
  for (const [name, change] of [["directly", { direct: true }], ["by the relay", { direct: false }]]) {
    test(`the ${role}'s page is loaded anew in a call that goes ${name}: it goes on within 2 s`, async () => {
      await begin({}, change);
      await world.run(9_000);
      const before = both();
      const side = world.sides.find((one) => one.role === role);
      for (const away of [50, 700, 2_000]) {
        world.sides[side.index].web.peers.forEach((pc) => pc.close());
        await world.run(away); // until the new page is there
        world.reload(side);
        await world.run(2_000);
        assert.deepEqual(both(), before);
        await world.run(20_000);
        assert.deepEqual(both(), before);
        if (!change.direct) continue; // the caller may be looking for the direct way
        assert.deepEqual(world.open, [1, 1]);
      }
    });
  }
}

test("both pages are loaded anew at the same time", async () => {
  await begin();
  for (const side of world.sides) world.reload(side);
  await world.run(3_000);
  assert.deepEqual(both(), [["connected", "direct"], ["connected", "direct"]]);
  assert.deepEqual(world.open, [1, 1]);
});

const seeds = process.env.DUET_TEST_ALL ? 400 : 25;
for (let seed = 1; seed <= seeds; seed++) {
  test(`random weather, seed ${seed}`, async () => {
    const roll = dice(seed);
    await begin({ mode: ["always", "prefer", "fallback", "fallback", "fallback"][roll(5)] }, { direct: roll(4) > 0 });
    const story = [];
    for (let i = 0; i < 12; i++) {
      const side = world.sides[roll(2)];
      const happens = [
        ["direct", () => (world.direct = !world.direct)],
        ["direct", () => (world.direct = !world.direct)],
        ["relay", () => (world.relay = !world.relay)],
        ["signaling", () => (world.signaling = !world.signaling)],
        [`network of ${side.role}`, () => side.paths.networkChanged()],
        ["restart", () => world.restart()],
        [`restart by ${side.role}`, () => side.paths.restart()],
        [`back by ${side.role}`, () => side.paths.useDirect()],
      ][roll(8)];
      happens[1]();
      const ms = roll(3) ? 200 * (1 + roll(10)) : 1_000 * (1 + roll(20));
      story.push(`${happens[0]} (${world.direct} ${world.relay} ${world.signaling}), ${ms} ms`);
      await world.run(ms);
    }
    world.direct = world.relay = world.signaling = true;
    await world.run(150_000);
    const words = JSON.stringify({ story, both: both(), open: world.open, room: world.room });
    const paths = both().map(([, path]) => path);
    assert.deepEqual(both().map(([state]) => state), ["connected", "connected"], words);
    assert.equal(paths[0], paths[1], words);
    assert.deepEqual(world.open, [1, 1], words);
    assert.equal(world.room, paths[0] === "relay", words);
  });
}
