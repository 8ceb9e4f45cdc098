// client.mjs: makes the npm package duet-client in bin/, and tries it as somebody's dependency: what is in it, that a strict
// TypeScript program compiles, that it loads without a browser, and that its reference is what its comments say. With
// DUET_TEST_WRITE=1 the reference is written anew.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import ts from "typescript";
import { reference } from "./reference.mjs";

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "..");
const at = (...parts) => path.join(root, ...parts);
const fail = (what) => {
  console.error(`client: ${what}`);
  process.exit(1);
};
const complaints = (list) => ts.formatDiagnostics(list, { getCurrentDirectory: () => root, getCanonicalFileName: (name) => name, getNewLine: () => "\n" });

// The doors of the library and all that they import.
const files = ["duet.js", "classic.js"];
for (const file of files) {
  const text = readFileSync(at("web/static", file), "utf8");
  for (const [, name] of text.matchAll(/(?:^(?:import|export) .*from |\bimport\()"\.\/([^"]+)"/gm)) if (!files.includes(name)) files.push(name);
}

const stage = at("bin/duet-client");
rmSync(stage, { recursive: true, force: true });
mkdirSync(path.join(stage, "static"), { recursive: true });
for (const file of files) cpSync(at("web/static", file), path.join(stage, "static", file));

const { config } = ts.readConfigFile(at("web/tsconfig.json"), ts.sys.readFile);
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, at("web"));
const declared = ts.createProgram([at("web/static/duet.js")], { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: at("web/static"), outDir: path.join(stage, "types") });
const emitted = declared.emit();
if (emitted.diagnostics.length) fail(complaints(emitted.diagnostics));

const book = reference(path.join(stage, "types/duet.d.ts"), path.join(stage, "static/errors.js"));
if (process.env.DUET_TEST_WRITE) writeFileSync(at("web/REFERENCE.md"), book);
else if (readFileSync(at("web/REFERENCE.md"), "utf8") !== book) fail("web/REFERENCE.md is not what the comments say: DUET_TEST_WRITE=1 .ci/test client");

for (const file of ["package.json", "README.md", "REFERENCE.md"]) cpSync(at("web", file), path.join(stage, file));
cpSync(at("LICENSE"), path.join(stage, "LICENSE"));

// The first number of its version is the protocol's.
const about = JSON.parse(readFileSync(path.join(stage, "package.json"), "utf8"));
const [, protocol] = /`server` `\{name, version, protocol\}`, with\s+`protocol` (\d+)/.exec(readFileSync(at("signaling/protocol/PROTOCOL.md"), "utf8")) ?? fail("PROTOCOL.md names no protocol");
if (about.version.split(".")[0] !== protocol) fail(`package.json has version ${about.version}, the protocol is ${protocol}`);

const npm = (cwd, ...args) => execFileSync("npm", args, { cwd, encoding: "utf8", timeout: 120_000, env: { ...process.env, npm_config_offline: "true", npm_config_audit: "false", npm_config_fund: "false", npm_config_update_notifier: "false" } });
const [{ filename, files: packed }] = JSON.parse(npm(stage, "pack", "--json", "--pack-destination", at("bin")));
const inside = packed.map((file) => file.path).filter((name) => name.startsWith("static/")).sort();
if (String(inside) !== String(files.map((file) => `static/${file}`).sort())) fail(`the package has ${inside}`);

// As somebody's dependency.
const home = mkdtempSync(path.join(tmpdir(), "duet-client-"));
try {
  writeFileSync(path.join(home, "package.json"), JSON.stringify({ name: "somebody", private: true, type: "module" }));
  npm(home, "install", "--no-package-lock", at("bin", filename));
  cpSync(at(".ci/consumer.ts"), path.join(home, "consumer.ts"));
  const program = ts.createProgram([path.join(home, "consumer.ts")], {
    strict: true, noEmit: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [], lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
  });
  const wrong = ts.getPreEmitDiagnostics(program);
  if (wrong.length) fail(complaints(wrong));
  const script = `const { Duet, DuetError, CODES } = await import("duet-client");
    if (new Duet({ url: "https://call.example.org/" }).state !== "closed" || !new DuetError("busy").message || !CODES.busy) throw new Error("it does not work");
    await import("duet-client/static/socket.js").then(() => { throw new Error("what is internal can be imported"); }, ({ code }) => { if (code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw new Error(code); });`;
  execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: home, timeout: 60_000, stdio: ["ignore", "inherit", "inherit"] });
} finally {
  rmSync(home, { recursive: true, force: true });
}
console.log(`client: bin/${filename}: ${inside.length} modules, ${readdirSync(path.join(stage, "types")).length} declarations`);
