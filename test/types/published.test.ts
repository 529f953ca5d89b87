import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** The types that users get: `dist/**.d.ts`, as `npm run build:ts` wrote them. */

const root = fileURLToPath(new URL('../..', import.meta.url))
// Inside the package, so that imports of its name resolve to dist.
const folder = join(root, 'build', 'types')

/** The declared names in a file with their statement or member: `Tensor`, `Tensor.storage`, `Tensor.constructor`. */
function declarationsOf(file: string): { name: string; node: ts.Node }[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  return source.statements.flatMap(statement => {
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.map(({ name }) => ({
        name: name.getText(source),
        node: statement,
      }))
    }
    if (
      ts.isExportDeclaration(statement) &&
      statement.exportClause &&
      ts.isNamedExports(statement.exportClause)
    ) {
      return statement.exportClause.elements.map(({ name }) => ({ name: name.text, node: statement }))
    }
    const { name } = ts.canHaveModifiers(statement) && 'name' in statement ? statement : { name: undefined }
    if (typeof name !== 'object' || name === null || !('text' in name)) return []
    const own = { name: String(name.text), node: statement }
    if (!ts.isClassDeclaration(statement) && !ts.isInterfaceDeclaration(statement)) return [own]
    const members = [...statement.members].map(member => ({
      name: `${own.name}.${ts.isConstructorDeclaration(member) ? 'constructor' : (member.name?.getText(source) ?? '')}`,
      node: member,
    }))
    return [own, ...members]
  })
}

function isInternal(node: ts.Node): boolean {
  return ts.getJSDocTags(node).some(tag => tag.tagName.text === 'internal')
}

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts') && !name.startsWith(join('explain', 'browser')))
  .map(name => ({
    name,
    source: join(root, 'src', name),
    types: join(root, 'dist', name.replace(/\.ts$/, '.d.ts')),
  }))

describe('the published types', () => {
  test('every source file has types in dist: run npm run build:ts', () => {
    expect(files.filter(({ types }) => !existsSync(types)).map(({ name }) => name)).toEqual([])
  })

  test('no symbol with the tag @internal is in them', () => {
    let internal = 0
    const visible = files.flatMap(({ name, source, types }) => {
      const hidden = declarationsOf(source)
        .filter(({ node }) => isInternal(node))
        .map(each => each.name)
      internal += hidden.length
      const shown = new Set(declarationsOf(types).map(each => each.name))
      return hidden.filter(each => shown.has(each)).map(each => `${name}: ${each}`)
    })
    expect(internal).toBeGreaterThan(100)
    expect(visible).toEqual([])
    const tagged = files.filter(({ types }) => readFileSync(types, 'utf8').includes('@internal'))
    expect(tagged.map(({ name }) => name)).toEqual([])
  })

  test('no class has a member whose name begins with an underscore', () => {
    const names = files.flatMap(({ types }) => declarationsOf(types).map(({ name }) => name))
    expect(names.filter(name => /\._/.test(name))).toEqual([])
  })
})

/** Each line is an error, because the member or the constructor is not in the types. */
const hidden = [
  'new Tensor()',
  'x.storage',
  'x.node',
  'x.assign(new Float32Array(1))',
  'x.device.queue',
  'new nn.RecurrentOutput()',
  'new nn.LstmOutput()',
  'lstm.withWeights([], x, null)',
  'lstm.form',
  'trainer.run(loader, { epochs: 1 })',
  'trainer.checkIdle("fit")',
  'sgd.apply([])',
  'sgd.stateOf(x, "step")',
]

/** Each line compiles: what is next to the hidden members. */
const shown = [
  'x.detach()',
  'x.device.name',
  'lstm.forward(x)',
  'const same: Matrix | PackedSequence = linear.forward(either)',
  'trainer.fit(loader, { epochs: 1 })',
  'const old: Evaluation | null = null',
  'sgd.step()',
]

describe("a user's program", () => {
  let diagnostics: readonly ts.Diagnostic[] = []

  beforeAll(() => {
    mkdirSync(folder, { recursive: true })
    const manifest: { exports: Record<string, unknown> } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    )
    const entries = Object.keys(manifest.exports).filter(entry => !entry.endsWith('.json'))
    const lines = [
      "import { type Matrix, nn, type optim, type PackedSequence, Tensor } from 'packed-rnn'",
      "import type { DataLoader, Evaluation, Trainer } from 'packed-rnn/training'",
      ...entries.map((entry, i) => `export * as entry${i} from 'packed-rnn${entry.slice(1)}'`),
      "declare const x: Tensor<'float32', 3>",
      'declare const lstm: nn.LSTM',
      'declare const linear: nn.Linear',
      'declare const either: Matrix | PackedSequence',
      'declare const trainer: Trainer<number[], null, unknown, nn.LSTM>',
      'declare const loader: DataLoader<number, number[]>',
      'declare const sgd: optim.SGD',
      ...shown,
      ...hidden.flatMap(line => ['// @ts-expect-error', line]),
    ]
    const file = join(folder, 'program.mts')
    writeFileSync(file, `${lines.join('\n')}\n`)
    const options: ts.CompilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      skipLibCheck: false,
    }
    diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([file], options))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const textOf = ({ file, start = 0, messageText }: ts.Diagnostic) => {
    const line = file === undefined ? '' : `${file.getLineAndCharacterOfPosition(start).line + 1}: `
    return `${file?.fileName ?? ''}:${line}${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  }

  test('the types of the package compile without skipLibCheck', () => {
    const own = diagnostics.filter(({ file }) => file?.fileName.startsWith(join(root, 'dist')))
    expect(own.map(textOf)).toEqual([])
  })

  test('internal members and constructors are errors, and public ones are not', () => {
    const own = diagnostics.filter(({ file }) => file?.fileName.startsWith(folder))
    expect(own.map(textOf)).toEqual([])
  })
})
