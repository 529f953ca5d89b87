// Checks nvcc's output for the kernels, from the logs that `npm run build:cuda` keeps beside the objects. For every
// architecture: no spill, and no more registers, shared memory or stack than the budget in the comment above the kernel
// (kernels/budgets.js describes the syntax). The table in docs/kernels.md must match.
//
//   npm run check:kernels [-- --write] [-- --list] [-- --some] [-- NAME…]
//
//   --write   writes the table of docs/kernels.md instead of comparing it
//   --list    prints every instantiation for every architecture
//   --some    the build may lack architectures of the table: compares the columns of the others
//   NAME…     checks only source files whose name contains this, and not the table
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { budgetFor, readBudgets } from './kernels/budgets.js'
import { demangle, parsePtxas } from './kernels/ptxas.js'
import { findTable, kernelTable, size, tableOf } from './kernels/table.js'

const root = join(import.meta.dirname, '..')
const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    some: { type: 'boolean', default: false },
    build: { type: 'string', default: join(root, 'build', 'cuda') },
    sources: { type: 'string', default: join(root, 'native', 'cuda') },
    docs: { type: 'string', default: join(root, 'docs', 'kernels.md') },
  },
})

const errors = []
const exceeded = new Map()
const kernels = readSources()
const measured = readLogs().flatMap(checkInstantiation)
for (const [about, { rest, found }] of exceeded) errors.push(`${about}: ${found.join(', ')}${rest}`)
const looked = new Set(measured.map(({ kernel }) => kernel.file))
for (const kernel of kernels) {
  if (kernel.budgets.length === 0) errors.push(withoutBudget(kernel))
  if (names.length > 0 && !looked.has(kernel.file)) continue
  for (const budget of kernel.budgets) {
    if (!measured.some(found => found.budget === budget)) {
      errors.push(`${budget.where}: no instantiation of ${kernel.name} takes this budget`)
    }
  }
}
if (options.list) list()
if (errors.length === 0 && names.length === 0) checkTable()
if (errors.length > 0) {
  process.stderr.write(`${errors.join('\n')}\n`)
  process.exitCode = 1
} else {
  const archs = new Set(measured.map(({ compiled }) => compiled.arch))
  const spills = 'no spill, registers and shared memory within the budgets'
  process.stdout.write(
    `${looked.size} files, ${measured.length} kernels for ${[...archs].join(', ')}: ${spills}\n`,
  )
}

function readSources() {
  const files = readdirSync(options.sources, { recursive: true, encoding: 'utf8' })
  return files
    .filter(name => /\.(cu|cuh|h)$/.test(name))
    .sort()
    .flatMap(name => {
      const file = join(options.sources, name)
      const read = readBudgets(relative(process.cwd(), file), readFileSync(file, 'utf8'))
      errors.push(...read.errors)
      return read.kernels
    })
}

/** The kernels that were compiled from each source, with their names in the source. */
function readLogs() {
  const commands = JSON.parse(readFileSync(join(options.build, 'compile_commands.json'), 'utf8'))
  const sources = commands.filter(({ file }) => file.endsWith('.cu'))
  if (sources.length === 0) errors.push(`${options.build}: no CUDA source in compile_commands.json`)
  return sources
    .filter(({ file }) => names.length === 0 || names.some(name => basename(file).includes(name)))
    .flatMap(({ directory, command, file }) => {
      const log = `${resolve(directory, / -o (\S+)/.exec(command)[1])}.log`
      if (!existsSync(log)) {
        errors.push(`${file}: no ${log}: run npm run build:cuda`)
        return []
      }
      const { compiled, warnings } = parsePtxas(readFileSync(log, 'utf8'))
      errors.push(...warnings.map(warning => `${file}: ${warning}`))
      const wanted = [...command.matchAll(/code=\[?[^ \]]*\b(sm_\d+)/g)].map(([, arch]) => arch)
      const missing = wanted.filter(arch => !compiled.some(found => found.arch === arch))
      if (compiled.length > 0 && missing.length > 0) errors.push(`${log}: nothing for ${missing.join(', ')}`)
      const plain = demangle(compiled.map(({ symbol }) => symbol))
      return compiled.map(found => ({
        file: relative(process.cwd(), file),
        compiled: found,
        ...plain.get(found.symbol),
      }))
    })
}

/** Finds the budget of an instantiation and records what exceeds it. */
function checkInstantiation({ file, name, args, compiled }) {
  const title = `${file}: ${args.length === 0 ? name : `${name}<${args.join(', ')}>`}`
  const { arch, spillStores, spillLoads } = compiled
  const spilled = spillStores + spillLoads > 0
  if (spilled) note(`${title}: spills (B stored + loaded)`, '', `${arch} ${spillStores} + ${spillLoads}`)
  if (!compiled.entry) return []
  const kernel =
    kernels.find(known => known.name === name && known.file === file) ??
    kernels.find(known => known.name === name && !known.file.endsWith('.cu'))
  if (kernel === undefined) {
    note(`${title}: found no definition with this name under ${options.sources}`, '', arch)
    return []
  }
  const budget = budgetFor(kernel, args)
  if (budget === undefined) {
    if (kernel.budgets.length > 0) note(`${title}: none of its budgets fits`, '', arch)
    return [{ kernel, args, compiled }]
  }
  for (const what of ['registers', 'shared', 'stack']) {
    // A spill needs stack memory and was already reported.
    if (compiled[what] <= budget[what] || (what === 'stack' && spilled)) continue
    const unit = what === 'registers' ? '' : ' B'
    const over = `, over the budget of ${budget[what]}${unit} (${budget.where})`
    note(`${title}: ${what}`, over, `${arch} ${compiled[what]}${unit}`)
  }
  return [{ kernel, args, compiled, budget }]
}

/** Collects an error that several architectures share into one line. */
function note(about, rest, found) {
  const known = exceeded.get(about) ?? { rest, found: [] }
  known.found.push(found)
  exceeded.set(about, known)
}

function withoutBudget(kernel) {
  const own = measured.filter(found => found.kernel === kernel)
  const most = key => Math.max(0, ...own.map(({ compiled }) => compiled[key]))
  const shared = most('shared') > 0 ? `, ${size(most('shared'))} shared` : ''
  const takes = own.length === 0 ? 'it was not compiled' : `it takes ${most('registers')} registers${shared}`
  return `${kernel.where}: ${kernel.name} has no budget; ${takes}`
}

function list() {
  const lines = measured.map(({ kernel, args, compiled }) => {
    const name = args.length === 0 ? kernel.name : `${kernel.name}<${args.join(', ')}>`
    return `${compiled.arch.padEnd(7)} ${String(compiled.registers).padStart(3)} registers ${size(compiled.shared).padStart(8)} shared  ${name}\n`
  })
  process.stdout.write(lines.join(''))
}

function checkTable() {
  const files = readdirSync(join(options.build, 'CMakeFiles'), { recursive: true, encoding: 'utf8' })
  const about = files.find(name => basename(name) === 'CMakeCUDACompiler.cmake')
  const text = about === undefined ? '' : readFileSync(join(options.build, 'CMakeFiles', about), 'utf8')
  const compiler = /CMAKE_CUDA_COMPILER_VERSION "([^"]+)"/.exec(text)?.[1] ?? ''
  const found = findTable(readFileSync(options.docs, 'utf8'))
  if (found === null) {
    errors.push(`${options.docs}: wanted the two comments that mark the table`)
    return
  }
  const table = kernelTable(kernels, measured, compiler)
  const built = [...new Set(measured.map(({ compiled }) => compiled.arch))]
  const compared = text => (options.some ? tableOf(text, built) : text)
  if (options.write) writeFileSync(options.docs, `${found.before}\n${table}\n${found.after}`)
  else if (found.compiler !== '' && found.compiler !== compiler) {
    process.stdout.write(`${options.docs}: of nvcc ${found.compiler}, not compared with nvcc ${compiler}\n`)
  } else if (compared(table) !== compared(found.table)) {
    errors.push(`${options.docs}: the table is out of date: npm run check:kernels -- --write`)
  }
}
