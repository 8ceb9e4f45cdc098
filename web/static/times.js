// times.js: the times that a call's paths live by, in milliseconds, side by side because they lean on each other: a
// path that dies without a word is noticed after `silent`, restarted, given a new connection `anew` later, and joined by
// a request for the relay, so that pictures move again within 4 s.

/** When paths.js moves a call. */
export const PATHS = Object.freeze({
  tick: 250, // between two looks at the stats
  hurry: 100, // the same, until media flows
  hush: 400, // nothing for so long where media came: does this machine still have its addresses?
  look: 700, // and again, if nothing comes, each time after twice as long
  anew: 600, // a restart that has not helped by then is joined by a new connection, which no old pair holds back
  anewLater: 900, // the same at the callee, so that mostly one of the two begins
  relayAfterRepair: 1_500, // and then by a request for the relay
  relayStart: 2_500, // mode always: without a relayStart by then it is asked for
  ready: 2_000, // after relayReady: switch even though nothing was decoded yet
  healed: 1_000, // a direct path that came back so long before the relay was ready makes it unnecessary
  stable: 2_000, // a direct path is taken back once it has carried for so long
  hold: 4_000, // whoever did not ask for the relay stays on a direct path that carries for so long
  relayDead: 4_000, // the relay carries nothing for so long: try the direct way
  probeLife: 20_000, // a direct attempt beside the relay is given up
  probeEvery: 60_000,
  probeAfterChange: 5_000,
  giveUp: 20_000, // nothing connected for so long: say so, and go on trying
});

/** When recovery.js thinks that a leg is dead. */
export const RECOVERY = Object.freeze({
  silent: 1_200, // nothing at all for so long, not even of how our media fares: the path is dead
  silentTcp: 2_500, // the same over TCP, where one lost packet holds up all that follow
  silentPlain: 3_000, // the same with a plain client, of whom one check each 2.5 s may be all; a path that heals by then was never left
  unchecked: 6_000, // where nothing of ours is sent or acknowledged, only ICE's own checks tell, one each 2.5 s
  grace: 300, // ICE says disconnected: it may heal by itself
  recent: 250, // a packet as young as this outweighs what ICE says
  repair: 4_000, // between two restarts of a leg, longer with each that did not help
});
