import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** The prose linter on small pages; it is a script, so it runs as a process. */

const script = fileURLToPath(new URL('../../scripts/prose.js', import.meta.url))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-rnn-prose-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function lint(text: string, name = 'page.md'): { status: number | null; findings: string[] } {
  writeFileSync(join(folder, name), text)
  const { status, stdout } = spawnSync(process.execPath, [script, name], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { status, findings: stdout.split('\n').slice(0, -1) }
}

/** A sentence of so many words. */
const sentence = (words: number) =>
  `${'word then '.repeat(Math.floor(words / 2))}${words % 2 ? 'word' : ''}`.trim()

test('a listed phrase is reported with its position and advice, also across a line break', () => {
  expect(lint('# Title\n\nThe caller has a name, and the device is\nnone.\n')).toEqual({
    status: 1,
    findings: ['page.md:3:39: "is none": say "invalid", "unknown", "missing" or "there is no …"'],
  })
})

test('tables and list items are read', () => {
  expect(lint('| a | b |\n|---|---|\n| one | the doctor tells it |\n\n- Whoever calls\n').findings).toEqual([
    'page.md:3:20: "tells": say "returns", "reports", "prints", "shows" or "throws"',
    'page.md:5:3: "whoever": name the actor (you, the caller, the trainer)',
  ])
})

test('code and a page without faults pass', () => {
  expect(lint('A span of `nobody tells` passes.\n\n```ts\n// nobody tells\n```\n')).toEqual({
    status: 0,
    findings: [],
  })
})

test('a sentence may have 35 words, up to each full stop and each cell of a table', () => {
  expect(lint(`${sentence(35)}.\n`).findings).toEqual([])
  expect(lint(`${sentence(36)}.\n`).findings).toEqual(['page.md:1:1: a sentence of 36 words: use at most 35'])
  expect(lint(`${sentence(30)} is 1. It is ${sentence(30)}.\n`).findings).toEqual([])
  expect(lint(`| ${sentence(30)} | ${sentence(30)} |\n`).findings).toEqual([])
})

test('repeated words and articles are reported; a name A has none', () => {
  expect(lint('It takes the the rows of a op here. Workload A is small.\n').findings).toEqual([
    'page.md:1:10: Unexpected repeated `the`, remove one occurrence',
    'page.md:1:26: Unexpected article `a` before `op`, expected `an`',
  ])
})

test('comments of sources are read, each on its line; code is not', () => {
  const source = `/**
 * Returns the the rows.
 * @param a a matrix; ${sentence(30)}; ${sentence(30)}
 * @returns the rows
 * the rows
 * @example
 * \`\`\`ts
 * whoever()
 * \`\`\`
 */
const nobody = 1 // of its own
//   name      name of a file
const somebody = 2
/* ${sentence(36)} */
`
  expect(lint(source, 'source.ts').findings).toEqual([
    'source.ts:2: Unexpected repeated `the`, remove one occurrence',
    'source.ts:11: "of its own": say "its own …" or "a separate …"',
    'source.ts:14: a sentence of 36 words: use at most 35',
  ])
  expect(lint('const char* nobody = "// somebody";  // whoever calls\n', 'source.cpp').findings).toEqual([
    'source.cpp:1: "whoever": name the actor (you, the caller, the trainer)',
  ])
})

test('strings of sources are read for phrases; of tests only the names', () => {
  const source = `throw new Error(\`wanted a number,
and nobody \${passed} it\`)
test('it gives the rows', () => expect('it gives the rows').toBe(nobody))
`
  const name = '"gives": say "returns", "frees" or "produces"'
  const message = '"nobody": name the actor, or say "no op", "no caller"'
  expect(lint(source, 'source.ts').findings).toEqual([
    `source.ts:2: ${message}`,
    ...[`source.ts:3: ${name}`, `source.ts:3: ${name}`],
  ])
  expect(lint(source, 'source.test.ts').findings).toEqual([`source.test.ts:3: ${name}`])
})

test('there is none is usual English', () => {
  expect(lint('It is null if there is none.\n').findings).toEqual([])
  expect(lint('A number that is none.\n').findings).not.toEqual([])
})
