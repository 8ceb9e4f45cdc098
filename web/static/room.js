// room.js: the room before the call, and within it: opens the panel of devices, keeps it true, and remembers what was chosen.

import { level } from "./level.js";
import { Settings } from "./view/settings.js";

/** How often the meter is read, in milliseconds. */
const METER = 80;

/**
 * @param {{media: import("./media.js").LocalMedia, audio: import("./audio.js").PageAudio, view: import("./view/view.js").View,
 *   check: () => Promise<import("./check.js").Check[]>, remember: () => void, test: () => void, closed: () => void}} around
 *   remember: what is chosen is to be kept; test: a sound is wanted; closed: the panel is
 */
export function openRoom({ media, audio, view, check, remember, test, closed }) {
  /** @type {{track: MediaStreamTrack, read: () => number, stop: () => void} | null} */
  let meter = null;
  const measure = () => {
    const track = media.tracks.audio;
    if (meter?.track !== track) {
      meter?.stop();
      meter = track && audio.context && !media.faults.audio ? { track, ...level(audio.context, track) } : null;
    }
    panel.level(meter?.read() ?? 0);
  };
  const draw = () => {
    const { cameras, microphones, speakers, camera, microphone, speaker } = media.devices;
    panel.draw({
      there: { camera: cameras, microphone: microphones, speaker: speakers }, chosen: { camera, microphone, speaker },
      faults: media.faults, look: media.look, mirror: media.isMirror, keys: view.keys, video: media.tracks.video,
    });
  };
  const panel = new Settings(view.page, {
    choose(name, id) {
      void media.choose(name, id);
      remember();
    },
    look(look) {
      media.setLook(/** @type {import("./virtual.js").Look} */ (look));
      remember();
    },
    keys(on) {
      view.keys = on;
      remember();
    },
    again: () => void media.again(),
    check: () => void import("./view/checkup.js").then(({ Checkup }) => new Checkup(view.page, check)),
    test,
    closed() {
      clearInterval(timer);
      undo();
      meter?.stop();
      closed();
    },
  });
  const undo = media.on("change", draw);
  const timer = setInterval(measure, METER);
  audio.wake();
  draw();
  panel.open();
  void media.enumerate();
}
