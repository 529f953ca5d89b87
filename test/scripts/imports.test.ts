import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

/** The check of imports. Scripts are JavaScript, so it runs in its own process. */

const url = new URL('../../scripts/imports.js', import.meta.url)

type Imports = Record<string, string[]>

function problems(imports: Imports): unknown {
  const source = `import { problemsOf } from '${url}'
    console.log(JSON.stringify(problemsOf(new Map(${JSON.stringify(Object.entries(imports))}))))`
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
}

test('imports of lower rooms and of the same room are allowed', () => {
  const imports = {
    'cli/a.ts': ['cli/b.ts', 'tensor.ts'],
    'cli/b.ts': ['contract/c.ts'],
    'tensor.ts': [],
    'contract/c.ts': [],
  }
  expect(problems(imports)).toEqual([])
})

test('an import of a higher room, or of another room of the same row, is a problem', () => {
  const imports = { 'nn/a.ts': ['optim/b.ts'], 'optim/b.ts': [], 'tensor.ts': ['nn/c.ts'], 'nn/c.ts': [] }
  expect(problems(imports)).toEqual([
    'not a lower room: nn/a.ts -> optim/b.ts',
    'not a lower room: tensor.ts -> nn/c.ts',
  ])
})

test('a cycle is printed once, in its shortest form', () => {
  const imports = { 'a.ts': ['b.ts'], 'b.ts': ['c.ts', 'd.ts'], 'c.ts': ['a.ts'], 'd.ts': ['c.ts'] }
  expect(problems(imports)).toEqual(['cycle: a.ts -> b.ts -> c.ts -> a.ts'])
})

test('a room that is not in the list is an error', () => {
  expect(() => problems({ 'attic/a.ts': [] })).toThrow(/the room attic is not in the list/)
})

test('the imports of src follow the list of rooms', () => {
  const script = new URL('../../scripts/imports.js', import.meta.url)
  expect(execFileSync(process.execPath, [script.pathname, '--check'], { encoding: 'utf8' })).toBe('')
  const printed = execFileSync(process.execPath, [script.pathname], { encoding: 'utf8' })
  expect(printed).toMatch(/^core +-> /)
  expect(printed).toMatch(/^formats +-> core \d+, files \d+, nn \d+$/m)
})
