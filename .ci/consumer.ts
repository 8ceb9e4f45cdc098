// consumer.ts: a strict program that uses the library; compiled by client.mjs, never run.

import { CODES, Duet, DuetError, LocalMedia, OwnMedia, type Call, type Code, type Kept, type Phase, type User } from "duet-client";

export async function everything(stream: MediaStream, video: HTMLVideoElement): Promise<void> {
  const duet = new Duet({ url: "https://call.example.org/", media: stream });
  const self: { id: string; username: string } = await duet.join("Ann", "token");
  await duet.join("Ann", async () => (await fetch("/token")).text());
  duet.on("users", (users) => users.forEach((user: User) => console.log(self.id, user.username, user.status satisfies "available" | "ringing" | "busy")));
  duet.on("kept", (kept: Kept | null) => kept && void duet.resume(kept));
  const undo: () => void = duet.on("call", follow);
  const call: Call = duet.dial("Bob", { video: false });
  call.attach(video);
  await call.setAudio(false);
  await call.shareScreen(true).catch((error: unknown) => {
    if (error instanceof DuetError && error.code === "screen-refused") console.log(CODES["screen-refused"], error.message);
  });
  await call.switchDevice("microphone", "");
  call.hangUp();
  undo();
  const end: () => void = await duet.simulate("bandwidth-cap");
  end();
  for (const { what, ok, code } of await duet.checkConnection()) console.log(what, ok || code);
  duet.leave();
}

function follow(call: Call): void {
  call.accept({ video: false });
  call.on("phase", (phase: Phase) => phase === "ended" && console.log(call.reason.toUpperCase()));
  call.on("tracks", ({ audio, video }) => new MediaStream([audio, video].filter((track): track is MediaStreamTrack => track !== null)));
  call.on("state", (state) => state === "failed" && call.hangUp());
  call.on("sample", ({ rttMs, lossPct }) => console.log(rttMs + lossPct));
  call.on("warning", ({ code, active }) => active && console.log(code satisfies "loss" | "delay" | "narrow" | "silence", call.warnings));
  call.on("path", ({ path }) => console.log(path satisfies "direct" | "turn" | "relay"));
}

export function media(stream: MediaStream): Duet[] {
  const own = new OwnMedia(stream);
  own.use(stream);
  return [new Duet(), new Duet({ media: own }), new Duet({ media: new LocalMedia(), lasting: true })];
}

export const known: Code = "busy";

export function wrong(duet: Duet, call: Call): void {
  // @ts-expect-error there is no such event
  duet.on("nonsense", () => {});
  // @ts-expect-error the list is no number
  duet.on("users", (users: number) => users);
  // @ts-expect-error no such code
  const code: Code = "nonsense";
  // @ts-expect-error only Duet tells
  call.emit("phase", "ended");
  // @ts-expect-error messages are the library's affair
  call.receive({ type: "callEnded" });
  // @ts-expect-error somebody has to be named
  duet.dial();
  void code;
}
