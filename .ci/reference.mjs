// reference.mjs: the library's reference, from its declarations and their comments.

import { readFileSync } from "node:fs";
import ts from "typescript";

const words = (parts) => ts.displayPartsToString(parts).replace(/\s*\n\s*/g, " ").trim();
const flat = (text) => text.replace(/\/\*\*.*?\*\//gs, "").replace(/import\("[^"]*"\)\./g, "").replace(/\bcalls\./g, "").replace(/\s+/g, " ").replace(/\{ /g, "{").replace(/;? \}/g, "}").trim();

/** What a member is, and what its comment says of it and of its parameters. */
function member(node, checker) {
  const symbol = checker.getSymbolAtLocation(node.name);
  const doc = words(symbol.getDocumentationComment(checker));
  const told = (node.parameters ?? []).flatMap((parameter) => {
    const at = checker.getSymbolAtLocation(parameter.name);
    const text = at ? words(at.getDocumentationComment(checker)).replace(/^- /, "") : "";
    return text ? [`\`${parameter.name.getText()}\`: ${text}`] : [];
  });
  const text = flat(node.getText()).replace(/;$/, "").replace(/^get (\w+)\(\)/, "$1");
  return `- \`${text}\`${doc || told.length ? "  \n  " : ""}${[doc, ...told].filter(Boolean).join("; ").replace(/\.; /g, ". ")}\n`;
}

function events(node) {
  const given = node.heritageClauses?.[0]?.types[0]?.typeArguments?.[0];
  if (!given?.members) return "";
  return `\nEvents, for \`on(type, listener)\`, which returns a function that ends it:\n\n${given.members.map((one) => `- \`${flat(one.getText()).replace(/;$/, "")}\`\n`).join("")}`;
}

/** @param {string} declarations duet.d.ts @param {string} errors errors.js */
export function reference(declarations, errors) {
  const program = ts.createProgram([declarations], { types: [], lib: ["lib.es2023.d.ts", "lib.dom.d.ts"], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, moduleResolution: ts.ModuleResolutionKind.Bundler });
  const checker = program.getTypeChecker();
  const real = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const classes = [];
  const types = [];
  for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(declarations)))) {
    let symbol = real(exported);
    let node = symbol.declarations[0];
    // A name for what is declared elsewhere stands for that.
    while (ts.isTypeAliasDeclaration(node) && (ts.isImportTypeNode(node.type) || ts.isTypeReferenceNode(node.type))) {
      const next = checker.getSymbolAtLocation(node.type.qualifier ?? node.type.typeName);
      if (!next || real(next) === symbol) break;
      symbol = real(next);
      node = symbol.declarations[0];
    }
    const doc = words(symbol.getDocumentationComment(checker));
    if (ts.isClassDeclaration(node)) {
      const open = node.members.filter((one) => one.name && !ts.isPrivateIdentifier(one.name) && !ts.isConstructorDeclaration(one) && !(ts.getCombinedModifierFlags(one) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)));
      classes.push([exported.name, `## ${exported.name}\n\n${doc}\n${events(node)}\n${open.map((one) => member(one, checker)).join("")}`]);
    } else if (ts.isTypeAliasDeclaration(node)) {
      types.push([exported.name, `- \`${exported.name}\`: \`${flat(node.type.getText())}\`${doc ? `  \n  ${doc}` : ""}\n`]);
    }
  }
  const order = ["Duet", "Call", "LocalMedia", "OwnMedia", "DuetError"];
  const place = ([name]) => (order.includes(name) ? order.indexOf(name) : order.length);
  const sorted = classes.sort((a, b) => place(a) - place(b)).map(([, text]) => text);
  let section = "";
  const codes = [];
  const [, table] = /export const CODES = Object\.freeze\(\{\n(.*?)\n\}\);/s.exec(readFileSync(errors, "utf8"));
  for (const line of table.split("\n")) {
    const comment = /^\s*\/\/ (.*)$/.exec(line);
    const entry = /^\s*"?([\w-]+)"?: "(.*)",$/.exec(line);
    if (comment) section = comment[1];
    else if (entry) codes.push(`| \`${entry[1]}\` | ${entry[2]} | ${section} |\n`);
  }
  return `# Reference of duet-client

Made from the comments in the code: change it there.

${sorted.join("\n")}
## Codes

The \`code\` of a DuetError, the \`reason\` of a call, and what the events \`closed\` and \`refused\` bring.

| code | means | when |
| --- | --- | --- |
${codes.join("")}
## Types

${types.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text).join("")}`;
}
