import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** The prose linter on small pages; it is a script, so it runs as a process. */

const script = fileURLToPath(new URL('../../scripts/prose.js', import.meta.url))

/** A sentence of so many words. */
const sentence = (words: number) =>
  `${'word then '.repeat(Math.floor(words / 2))}${words % 2 ? 'word' : ''}`.trim()

const messages = `throw new Error(\`wanted a number,
and nobody \${passed} it\`)
const joined = 'nobody of them\\nwants two lines'
test('it gives the rows', () => expect('it gives the rows').toBe(nobody))
`

/** What is expected; the files, by name, and their findings. */
const cases: [title: string, files: Record<string, string>, findings: string[]][] = [
  [
    'a listed phrase is reported with its position and advice, also across a line break',
    { 'phrase.md': '# Title\n\nThe caller has a name, and the device is\nnone.\n' },
    ['phrase.md:3:39: "is none": say "invalid", "unknown", "missing" or "there is no …"'],
  ],
  [
    'tables and list items are read',
    { 'table.md': '| a | b |\n|---|---|\n| one | the doctor tells it |\n\n- Whoever calls\n' },
    [
      'table.md:3:20: "tells": say "returns", "reports", "prints", "shows" or "throws"',
      'table.md:5:3: "whoever": name the actor (you, the caller, the trainer)',
    ],
  ],
  [
    'code and a page without faults pass',
    { 'code.md': 'A span of `nobody tells` passes.\n\n```ts\n// nobody tells\n```\n' },
    [],
  ],
  [
    'a sentence may have 35 words, up to each full stop and each cell of a table',
    {
      '35.md': `${sentence(35)}.\n`,
      '36.md': `${sentence(36)}.\n`,
      'number.md': `${sentence(30)} is 1. It is ${sentence(30)}.\n`,
      'cells.md': `| ${sentence(30)} | ${sentence(30)} |\n`,
      'semicolon.md': `${sentence(30)}; ${sentence(30)}.\n`,
    },
    [
      '36.md:1:1: a sentence of 36 words: use at most 35',
      'semicolon.md:1:1: a sentence of 60 words: use at most 35',
    ],
  ],
  [
    'repeated words and articles are reported; a name A has none',
    { 'article.md': 'It takes the the rows of a op here. Workload A is small.\n' },
    [
      'article.md:1:10: Unexpected repeated `the`, remove one occurrence',
      'article.md:1:26: Unexpected article `a` before `op`, expected `an`',
    ],
  ],
  [
    'there is none is usual English',
    { 'there.md': 'It is null if there is none.\n', 'one.md': 'A row is none of them.\n' },
    ['one.md:1:7: "is none": say "invalid", "unknown", "missing" or "there is no …"'],
  ],
  [
    'comments of sources are read, each on its line; code is not',
    {
      'comments.ts': `/**
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
`,
      'comments.cpp': 'const char* nobody = "// somebody";  // whoever calls\n',
    },
    [
      'comments.ts:2: Unexpected repeated `the`, remove one occurrence',
      'comments.ts:11: "of its own": say "its own …" or "a separate …"',
      'comments.ts:14: a sentence of 36 words: use at most 35',
      'comments.cpp:1: "whoever": name the actor (you, the caller, the trainer)',
    ],
  ],
  [
    'strings of sources are read for phrases; of tests only the names',
    { 'strings.ts': messages, 'strings.test.ts': messages },
    [
      'strings.ts:2: "nobody": name the actor, or say "no op", "no caller"',
      'strings.ts:3: "nobody": name the actor, or say "no op", "no caller"',
      'strings.ts:4: "gives": say "returns", "frees" or "produces"',
      'strings.ts:4: "gives": say "returns", "frees" or "produces"',
      'strings.test.ts:4: "gives": say "returns", "frees" or "produces"',
    ],
  ],
]

let folder: string
let lines: string[]
const lint = (files: readonly string[]) =>
  spawnSync(process.execPath, [script, ...files], { cwd: folder, encoding: 'utf8' })
// In one process, because most of its time is its start.
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packed-rnn-prose-'))
  const files = cases.flatMap(([, files]) => Object.entries(files))
  for (const [name, text] of files) writeFileSync(join(folder, name), text)
  const { status, stdout } = lint(files.map(([name]) => name))
  expect(status).toBe(1)
  lines = stdout.split('\n').slice(0, -1)
})
afterAll(() => rmSync(folder, { recursive: true }))

test.each(cases)('%s', (_, files, findings) => {
  const names = Object.keys(files)
  expect(lines.filter(line => names.includes(line.slice(0, line.indexOf(':'))))).toEqual(findings)
})

test('without a finding the exit code is 0', () => {
  expect(lint(['code.md'])).toMatchObject({ status: 0, stdout: '' })
})
