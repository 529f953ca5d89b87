import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compile, expectPromised, promised } from './programs.js'

const root = fileURLToPath(new URL('..', import.meta.url))
// Inside the package, so that the examples' imports of its name resolve to what is built.
const folder = join(root, 'build', 'docstrings')

interface Manifest {
  exports: Record<string, string | { types: string }>
}
const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** The source of every entry point. */
const entries = Object.values(manifest.exports).flatMap(entry =>
  typeof entry === 'string'
    ? []
    : [join(root, entry.types.replace('./dist/', 'src/').replace('.d.ts', '.ts'))],
)

const config = join(root, 'tsconfig.build.json')
const host: ts.ParseConfigFileHost = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail }
const program = ts.createProgram(entries, ts.getParsedCommandLineOfConfigFile(config, {}, host)!.options)
const checker = program.getTypeChecker()

function fail(diagnostic: ts.Diagnostic): never {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
}

/** What an editor shows of a public function or class. */
interface Documented {
  name: string
  text: string
  examples: string[]
}

/**
 * The public functions and classes of a module and its namespaces. Constants that hold a function count, and so do classes
 * of which only the type is exported.
 */
function callablesOf(module: ts.Symbol): ts.Symbol[] {
  return checker.getExportsOfModule(module).flatMap(exported => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    if (symbol.flags & ts.SymbolFlags.ValueModule) return callablesOf(symbol)
    if (symbol.flags & ts.SymbolFlags.Class) return [symbol]
    return checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0 ? [symbol] : []
  })
}

function documented(symbol: ts.Symbol): Documented {
  const tags = symbol
    .getJsDocTags(checker)
    .map(tag => ({ name: tag.name, text: ts.displayPartsToString(tag.text) }))
  const comment = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  return {
    name: symbol.name,
    text: [comment, ...tags.map(({ name, text }) => `@${name} ${text}`)].join('\n'),
    examples: tags.flatMap(({ name, text }) => (name === 'example' ? [codeOf(text)] : [])),
  }
}

function codeOf(example: string): string {
  return /^```ts\n([\s\S]*)^```/m.exec(example)?.[1] ?? `an example without a block of TypeScript: ${example}`
}

const modules = entries.map(entry => checker.getSymbolAtLocation(program.getSourceFile(entry)!)!)
const all = [...new Set(modules.flatMap(callablesOf))].map(documented)

const examples = all.flatMap(({ name, examples }) => examples.map(code => ({ name, code })))
// The numbers keep `LSTM` and `lstm` apart where file names ignore case.
const programs = examples.map(({ name, code }, i) => ({ name, file: join(folder, `${i}-${name}.mts`), code }))
let reported = ''
let results: { output: string; failure: string | null }[] = []

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  for (const { file, code } of programs) writeFileSync(file, code)
  reported = compile(programs.map(({ file }) => file))
  // One process for all: loading the package takes longer than most examples.
  const runner = join(root, 'test', 'runPrograms.js')
  const modules = programs.map(({ file }) => file.replace(/mts$/, 'mjs'))
  const run = spawnSync(process.execPath, [runner, ...modules], { encoding: 'utf8', cwd: folder })
  if (run.status !== 0) throw new Error(run.stderr)
  results = JSON.parse(run.stdout)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the examples in docstrings', () => {
  test('every public function and class has one', () => {
    expect(all.length).toBeGreaterThan(150)
    const without = all.filter(({ examples }) => examples.length === 0).map(({ name }) => name)
    expect(without).toEqual([])
  })

  test('all of them compile', () => {
    expect(reported).toBe('')
  })

  test.each(programs.map((example, i) => ({ ...example, i })))(
    '$name prints what its comments say',
    ({ i, ...example }) => {
      const lines = example.code.trimEnd().split('\n')
      expect(lines.length, 'at most 12 lines').toBeLessThanOrEqual(12)
      expect(promised(example.code), 'a value to check').not.toEqual([])
      const { output, failure } = results[i]!
      expect(failure).toBeNull()
      expectPromised(example, output)
    },
  )
})

describe('what an editor shows', () => {
  const textOf = (name: string) => all.find(each => each.name === name)!.text

  test.each(['lstmForward', 'gruForward', 'rnnForward'])(
    'the docstring of %s has shapes, source and results',
    name => {
      for (const part of ['@param x rows [N, I]', '[L · D, B, ', 'wIh [', 'torch.nn.', '@returns']) {
        expect(textOf(name)).toContain(part)
      }
    },
  )

  test.each(['lstmBackward', 'gruBackward', 'rnnBackward'])(
    'the docstring of %s has shapes and results',
    name => {
      for (const part of ['[N, I]', '[L · D, B, ', '@returns']) expect(textOf(name)).toContain(part)
    },
  )

  test('every error code is explained once, in the docstring of ErrorCode', () => {
    const file = program.getSourceFile(join(root, 'src', 'errors.ts'))!
    const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(file)!)
    const symbol = exported.find(({ name }) => name === 'ErrorCode')!
    const explained = [
      ...ts.displayPartsToString(symbol.getDocumentationComment(checker)).matchAll(/^- `(ERR_\w+)`: \w/gm),
    ].map(([, code]) => code)
    const type = checker.getDeclaredTypeOfSymbol(symbol)
    const codes = type.isUnion() ? type.types.map(each => (each.isStringLiteral() ? each.value : '')) : []
    expect(codes.length).toBeGreaterThan(20)
    expect(explained.sort()).toEqual(codes.sort())
  })
})
