// Reads a log of `go test -json` and fails when a test was skipped: a skip is no pass. Two reasons are accepted, and said:
// what `make test-all` runs (its message names DUET_TEST_ALL), and what needs root where there is none (outside CI).
import { readFileSync } from 'node:fs'

const [file, ...flags] = process.argv.slice(2)
const all = flags.includes('--all')
const root = process.getuid?.() === 0 || process.env.CI === 'true'

const output = new Map()
const skipped = []
let ran = 0
for (const line of readFileSync(file, 'utf8').split('\n')) {
  if (line === '') continue
  const event = JSON.parse(line)
  if (event.Test === undefined) continue
  const name = `${event.Package} ${event.Test}`
  switch (event.Action) {
    case 'output':
      output.set(name, (output.get(name) ?? '') + event.Output)
      break
    case 'pass':
    case 'bench':
      ran++
      output.delete(name)
      break
    case 'skip':
      skipped.push(name)
      break
  }
}

let bad = 0
for (const name of skipped) {
  const why = (output.get(name) ?? '').split('\n').map((l) => l.trim()).filter((l) => l && !/^(=== |--- )/.test(l)).join(' ')
  const accepted = (!all && /DUET_TEST_ALL/.test(why)) || (!root && /\broot\b/.test(why))
  console.log(`${accepted ? 'left out' : 'SKIPPED'}: ${name}: ${why}`)
  if (!accepted) bad++
}
if (bad > 0) {
  console.log(`${bad} skipped: a skip is no pass`)
  process.exit(1)
}
if (ran === 0 && skipped.length === 0) {
  console.log('no test ran')
  process.exit(1)
}
