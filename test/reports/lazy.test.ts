import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const libraries = /^(csv-parse|linkedom(\/worker)?|@observablehq\/plot|d3.*)$/

/** The files and packages that a source file imports statically, itself included. */
function broughtBy(file: string, found = new Set<string>()): Set<string> {
  found.add(file)
  for (const [, name] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) (?!type )[\w\s{},*]*from '([^']+)'/gm,
  )) {
    const source = join(dirname(file), name!.replace(/\.js$/, '.ts'))
    if (!name!.startsWith('.')) found.add(name!)
    else if (!found.has(source)) broughtBy(source, found)
  }
  return found
}

/** The npm packages that a program in the built package loads, by a hook on Node's module loader. */
function packagesOf(program: string): string[] {
  const hooks = `
    import { writeSync } from 'node:fs'
    export async function resolve(specifier, context, next) {
      const found = await next(specifier, context)
      writeSync(1, found.url + '\\n')
      return found
    }`
  const source = `
    import { register } from 'node:module'
    register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hooks))})
    ${program}`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: root,
    encoding: 'utf8',
  })
  expect(output).toContain('/dist/')
  const names = [...output.matchAll(/\/node_modules\/((?:@[^/\n]+\/)?[^/\n]+)/g)].map(([, name]) => name!)
  return [...new Set(names)]
}

test('the sources import neither the CSV parser nor the plotting libraries statically', () => {
  const src = (name: string) => join(root, 'src', name)
  const found = broughtBy(src('compat.ts'))
  expect(found).toContain(src('reports/report.ts'))
  expect(found).toContain(src('text/csv.ts'))
  expect([...found].filter(name => libraries.test(name) || /Page\.ts$/.test(name))).toEqual([])
  expect([...broughtBy(src('reports/reportPage.ts'))]).toEqual(
    expect.arrayContaining(['@observablehq/plot', 'linkedom/worker']),
  )
})

test('packed-rnn itself loads tensors, ops, nn and optim, and no other room', () => {
  const rooms = [...broughtBy(join(root, 'src', 'index.ts'))].flatMap(file => {
    const [folder, ...rest] = relative(join(root, 'src'), file).split(sep)
    return rest.length === 0 || folder === '..' ? [] : [folder]
  })
  expect([...new Set(rooms)].sort()).toEqual(['contract', 'nn', 'ops', 'optim'])
})

test.each(['', '/compat', '/text', '/training', '/decoding', '/formats', '/reports', '/explain'])(
  'import of packed-rnn%s loads none of them',
  entry => {
    expect(packagesOf(`await import('packed-rnn${entry}')`).filter(name => libraries.test(name))).toEqual([])
  },
)

test('reading a CSV file loads the parser only', () => {
  const program = `
    const { readPosts } = await import('packed-rnn/text')
    await readPosts('no such file').catch(() => {})`
  expect(packagesOf(program).filter(name => libraries.test(name))).toEqual(['csv-parse'])
})
