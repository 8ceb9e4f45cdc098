// @roamhq/wrtc, which is libwebrtc with the W3C's interface.
import wrtc from "@roamhq/wrtc";
import { main } from "./node.mjs";
import { tracks } from "./sources.mjs";
import { w3c } from "./w3c.mjs";

let made; // sources stay; a track may be in many connections
main(w3c(wrtc.RTCPeerConnection, () => (made ??= tracks())));
