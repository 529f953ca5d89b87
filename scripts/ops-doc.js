// Generates docs/ops.md, which lists every op on the tape and every native op, from the sources: npm run docs:ops. --check only
// compares.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs', 'ops.md')

/** The page's families, by the file in which an op is defined. */
const FAMILIES = {
  elementwise: 'Functions of single elements',
  unary: 'Functions of single elements',
  binary: 'Functions of single elements',
  reduce: 'Reductions',
  order: 'Reductions',
  softmax: 'Reductions',
  cumulative: 'Reductions',
  products: 'Products',
  linear: 'Products',
  shape: 'Shapes',
  join: 'Shapes',
  columns: 'Shapes',
  indexing: 'Indices',
  embedding: 'Indices',
  attention: 'Sequences',
  sequences: 'Sequences',
  segments: 'Sequences',
  pooling: 'Sequences',
  packing: 'Sequences',
  rows: 'Sequences',
  norms: 'Norms',
  random: 'Random numbers and sampling',
  dropout: 'Random numbers and sampling',
  loss: 'Losses',
  linearLoss: 'Losses',
  sampledLoss: 'Losses',
  elementLoss: 'Losses',
  recurrent: 'Recurrent layers',
  customGrad: 'Gradients',
}
/** PyTorch's names of ops that have another name there, if their docstrings do not mention it. */
const NAMES = {
  mul: 'torch.mul',
  multiply: 'torch.mul',
  scale: 'torch.mul',
  segmentMax: 'torch.segment_reduce',
  segmentMean: 'torch.segment_reduce',
  segmentSum: 'torch.segment_reduce',
  scatterAdd: 'torch.scatter_add',
  maskedFill: 'torch.Tensor.masked_fill',
  logSoftmax: 'torch.log_softmax',
  zerosLike: 'torch.zeros_like',
  oneHot: 'torch.nn.functional.one_hot',
  embedding: 'torch.nn.functional.embedding',
  crossEntropy: 'torch.nn.functional.cross_entropy',
  detach: 'torch.Tensor.detach',
  dropout: 'torch.nn.functional.dropout',
  softplus: 'torch.nn.functional.softplus',
  gelu: 'torch.nn.functional.gelu',
  concatColumns: 'torch.cat',
  padPackedSequence: 'torch.nn.utils.rnn.pad_packed_sequence',
  packPaddedSequence: 'torch.nn.utils.rnn.pack_padded_sequence',
  lstm: 'torch.nn.LSTM',
  gru: 'torch.nn.GRU',
  rnn: 'torch.nn.RNN',
}
/** Families whose ops have the same names in PyTorch. */
const SAME = new Set([
  'Functions of single elements',
  'Reductions',
  'Products',
  'Shapes',
  'Random numbers and sampling',
])
/** Ops without a tensor to differentiate by. */
const NEW = new Set(['arange', 'rand', 'randn', 'zerosLike'])

const program = ts.createProgram([join(root, 'src', 'index.ts')], {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noEmit: true,
})
const checker = program.getTypeChecker()
const index = checker.getSymbolAtLocation(program.getSourceFile(join(root, 'src', 'index.ts')))

/** An op's docstring in one line, and the text of all its declarations. */
function described(symbol, declaration) {
  // For overloads, the first docstring; for a constant, its own.
  const own = symbol.getDocumentationComment(checker)
  const text = ts.displayPartsToString(own).replaceAll(/\s+/g, ' ').trim()
  const comments = (symbol.declarations ?? [declaration]).map(each => each.getFullText())
  return { text, all: comments.join('\n') }
}

function firstSentence(text) {
  const end = /[.;:](?= |$)/.exec(text.replaceAll(/\([^)]*\)|`[^`]*`/g, part => '_'.repeat(part.length)))
  return (end === null ? text : text.slice(0, end.index)).replaceAll('|', '\\|')
}

/** What an op returns, in a cell of the table. */
function shortened(text) {
  const what = firstSentence(text).replace(/^Returns /, '')
  // A formula keeps its small letters.
  return /^(?:an?|[a-z]{2,}) [a-z0-9]{2,}/.test(what) ? what[0].toUpperCase() + what.slice(1) : what
}

const families = new Map()
for (const exported of checker.getExportsOfModule(index)) {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
  const declaration = symbol.valueDeclaration ?? symbol.declarations?.[0]
  if (declaration === undefined) continue
  const file = relative(join(root, 'src'), declaration.getSourceFile().fileName)
  const family = FAMILIES[file.replace(/^ops\//, '').replace(/\.ts$/, '')]
  const isOp = file.startsWith('ops/') || file === 'customGrad.ts'
  const type = checker.getTypeOfSymbolAtLocation(symbol, declaration)
  if (!isOp || type.getCallSignatures().length === 0) continue
  if (family === undefined) throw new Error(`${file} has no family: add it to FAMILIES`)
  const { text, all } = described(symbol, declaration)
  const torch = NAMES[exported.name] ?? /\btorch(?:\.\w+)+/.exec(all)?.[0] ?? null
  const explicit = /without a tape|without a record|backward pass of|^The gradients? in|gradients of `/i.test(
    text,
  )
  const none = /no gradient\b(?! for)/i.test(text)
  const gradient =
    family === 'Gradients' || NEW.has(exported.name) ? '' : explicit ? 'by hand' : none ? 'no' : 'yes'
  const same = SAME.has(family) && gradient !== 'by hand'
  const named = torch ?? (same ? `torch.${exported.name}` : '')
  const row = { name: exported.name, what: shortened(text), gradient, torch: named }
  families.set(family, [...(families.get(family) ?? []), row])
}

/** The rows of the native ops, by family, with the buffers that they write. */
function nativeOps() {
  const folder = join(root, 'src', 'contract')
  return readdirSync(folder)
    .filter(name => name !== 'identity.ts')
    .flatMap(name => {
      const text = readFileSync(join(folder, name), 'utf8')
      return [...text.matchAll(/export function (\w+)\(device: NativeDevice, of: (\w+)\)/g)].map(
        ([, op, type]) => {
          const body = text.slice(text.indexOf(`export interface ${type} {`)).split('\n}')[0]
          const written = [
            ...body.matchAll(/\* (\w+)(?: \[([^\]]*)\])?, (?:written|updated)[^*]*\*\/\n\s+(\w+)/g),
          ]
          const results = written.map(([, , shape, field]) =>
            shape === undefined ? field : `${field} [${shape}]`,
          )
          return `| \`${op}\` | [${name.replace('.ts', '')}](../native/ops/${name.replace('.ts', '.h')}) | CPU, CUDA | ${results.join(', ')} |`
        },
      )
    })
}

const lines = [
  '# Ops',
  '',
  'Generated from the sources by `npm run docs:ops`. Every op runs on the CPU and on CUDA, and the same suite tests it on both.',
  'In the column *gradient*, `yes` marks ops on the tape, `by hand` the forward and backward passes that you combine yourself, and',
  '`no` ops without a gradient.',
  '',
]
for (const [family, rows] of [...families].sort(([a], [b]) => order(a) - order(b))) {
  lines.push(`## ${family}`, '', '| op | result | gradient | PyTorch |', '|---|---|---|---|')
  for (const { name, what, gradient, torch } of rows.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    lines.push(`| \`${name}\` | ${what} | ${gradient} | ${torch && `\`${torch}\``} |`)
  }
  lines.push('')
}
lines.push(
  '## Native ops',
  '',
  'The ops of the native backends. Each is described once, in `native/ops`. A backend that lacks one of them does not link.',
  '',
  '| op | family | devices | results |',
  '|---|---|---|---|',
  ...nativeOps(),
  '',
)

function order(family) {
  return [...new Set(Object.values(FAMILIES))].indexOf(family)
}

const text = lines.join('\n')
if (process.argv.includes('--check')) {
  if (readFileSync(page, 'utf8') !== text) throw new Error('docs/ops.md is out of date: run npm run docs:ops')
} else {
  writeFileSync(page, text)
}
