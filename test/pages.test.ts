import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compile, expectPromised, type Program, promised } from './programs.js'

const root = fileURLToPath(new URL('..', import.meta.url))
// Inside the package, so that its own name resolves to what is built.
const folder = join(root, 'build', 'pages')
const python = '/usr/bin/python3'
const torch = spawnSync(python, ['-c', 'import torch']).status === 0

const names = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`)]
const pages = names
  .filter(name => name.endsWith('.md'))
  .map(name => ({ name, text: readFileSync(join(root, name), 'utf8') }))

/** A page's programs in a language: a block with imports begins one, and any other block continues the previous one. */
function programsOf(page: (typeof pages)[number], language: string, extension: string): Program[] {
  const programs: Program[] = []
  for (const [, fence, block] of page.text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)) {
    if (fence !== language) continue
    const last = programs.at(-1)
    if (last !== undefined && !/^(import|from) /m.test(block!)) last.code += block
    else {
      const file = `${page.name.replaceAll(/\W/g, '-')}-${programs.length}.${extension}`
      programs.push({ file: join(folder, file), code: block! })
    }
  }
  return programs
}

const typescript = pages.map(page => ({ ...page, programs: programsOf(page, 'ts', 'mts') }))
const inPython = pages.map(page => ({ ...page, programs: programsOf(page, 'python', 'py') }))

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  const programs = [...typescript, ...inPython].flatMap(page => page.programs)
  for (const { file, code } of programs) writeFileSync(file, code)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('all TypeScript on the pages compiles', () => {
  const files = typescript.flatMap(page => page.programs.map(({ file }) => file))
  expect(compile(files)).toBe('')
})

describe.each(typescript.filter(({ programs }) => programs.length > 0))('$name', ({ programs }) => {
  test('its TypeScript runs and prints what the comments say', () => {
    for (const program of programs) {
      const file = program.file.replace(/\.mts$/, '.mjs')
      const output = execFileSync(process.execPath, [file], { encoding: 'utf8', cwd: folder })
      expect(output).not.toBe('')
      expectPromised(program, output)
    }
  })
})

describe.each(inPython.filter(({ programs }) => programs.length > 0))('$name', ({ programs }) => {
  test.skipIf(!torch)('its Python runs and prints what the comments say (skipped without PyTorch)', () => {
    for (const program of programs) {
      const output = execFileSync(python, [program.file], { encoding: 'utf8', cwd: folder })
      expect(promised(program.code)).not.toEqual([])
      expectPromised(program, output)
    }
  })
})

describe('the whole programs of coming-from-pytorch.md', () => {
  const { text } = pages.find(({ name }) => name === 'docs/coming-from-pytorch.md')!
  const block = (language: string) => '```' + language + '\\n([\\s\\S]*?)^```'
  const pair = `^PyTorch, (\\d+) lines:\\n\\n${block('python')}\\n\\n\`examples/(.*)\`, (\\d+) lines:\\n\\n${block('ts')}`
  const pairs = [...text.matchAll(new RegExp(pair, 'gm'))].map(
    ([, theirLines, theirs, file, ourLines, ours]) => {
      return { file: file!, theirs: theirs!, ours: ours!, counts: [Number(theirLines), Number(ourLines)] }
    },
  )
  const lines = (code: string) => code.split('\n').filter(line => !/^\s*(#|\/\/|$)/.test(line)).length

  test('there are four', () => {
    expect(pairs).toHaveLength(4)
  })

  test.each(pairs)('examples/$file is on the page and has no more lines than the PyTorch program', pair => {
    const source = readFileSync(join(root, 'examples', pair.file), 'utf8').replace(/^(\/\/.*\n)+/, '')
    expect(pair.ours).toBe(source)
    expect([lines(pair.theirs), lines(pair.ours)]).toEqual(pair.counts)
    expect(lines(pair.ours)).toBeLessThanOrEqual(lines(pair.theirs))
  })
})

describe.each(pages)('$name', ({ name, text }) => {
  const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].map(([, fence, block]) => [fence!, block!])

  test('its other blocks contain only commands that exist', () => {
    expect(blocks.map(([fence]) => fence).filter(fence => !['', 'ts', 'python'].includes(fence!))).toEqual([])
    const commands = blocks.flatMap(([fence, block]) => (fence === '' ? [block!] : [])).join('\n')
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    )
    for (const [, script] of commands.matchAll(/\bnpm (?:run )?([\w:-]+)/g)) {
      expect(['install', 'ci', ...Object.keys(scripts)]).toContain(script)
    }
    const used = [...commands.matchAll(/(?:^|npx )packed-rnn ([a-z]+)/gm)].map(([, command]) => command!)
    for (const command of new Set(used)) {
      const main = join(root, 'dist', 'cli', 'main.js')
      expect(execFileSync(process.execPath, [main, command, '--help'], { encoding: 'utf8' })).toContain(
        command,
      )
    }
  })

  test('its links to files have targets', () => {
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      expect(existsSync(join(root, dirname(name), target!)), target).toBe(true)
    }
  })
})
