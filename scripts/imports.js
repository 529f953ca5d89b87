#!/usr/bin/env node
// Prints which rooms of src import which, and with --check fails if
// - files import each other in a cycle, type imports included, or
// - a file imports from a room that is not below its own.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The rooms, lowest first. A room is a folder of src; `core` is the files directly in src and the generated src/contract;
 * `index` is a file of src; `compat` is a file and a folder. A file may import from its own room and from the rows above its
 * own in this list. The list may contain rooms that do not exist yet.
 */
const rows = [
  ['core'],
  ['files'],
  ['ops'],
  ['nn', 'optim', 'decoding'],
  ['models'],
  ['text', 'formats'],
  ['scores'],
  ['training'],
  ['tasks'],
  ['reports'],
  ['explain'],
  ['index'],
  ['compat'],
  ['bench'],
  ['cli'],
]

const src = fileURLToPath(new URL('../src', import.meta.url))

/** The TypeScript files under src. */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true })
    .filter(name => name.endsWith('.ts'))
    .map(name => name.split(sep).join('/'))
    .sort()
}

/** The files that a file imports, re-exports, names in a type or loads with `import()`, relative to src. */
function importsOf(ts, folder, file, known) {
  const path = join(folder, file)
  const targets = namesIn(ts, path)
    .filter(name => name.startsWith('.'))
    .map(name => {
      const target = relative(folder, resolve(dirname(path), name.replace(/\.js$/, '.ts')))
      return target.split(sep).join('/')
    })
  const missing = targets.find(target => !known.has(target))
  if (missing !== undefined) throw new Error(`${file}: wanted a file in src, got ${missing}`)
  return [...new Set(targets)].sort()
}

/** The module names in a file's imports, exports, `import()` types and `import()` calls. */
function namesIn(ts, path) {
  const names = []
  const visit = node => {
    const name =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node)
          ? node.argument.literal
          : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
            ? node.arguments[0]
            : undefined
    if (name !== undefined && ts.isStringLiteral(name)) names.push(name.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest))
  return names
}

/** The imports of each file: a Map from a file to those it imports. */
export async function graphOf(folder) {
  const { default: ts } = await import('typescript')
  const files = filesOf(folder)
  const known = new Set(files)
  return new Map(files.map(file => [file, importsOf(ts, folder, file, known)]))
}

export function roomOf(file) {
  if (file === 'index.ts' || file === 'compat.ts') return file.slice(0, -3)
  const [folder, ...rest] = file.split('/')
  return rest.length === 0 || folder === 'contract' ? 'core' : folder
}

/** The groups of files that reach each other (Tarjan 1972), each with one cycle as a list of files. */
export function cyclesOf(graph) {
  const cycles = []
  const index = new Map()
  const low = new Map()
  const stack = []
  const visit = file => {
    index.set(file, index.size)
    low.set(file, index.get(file))
    stack.push(file)
    for (const target of graph.get(file)) {
      if (!index.has(target)) {
        visit(target)
        low.set(file, Math.min(low.get(file), low.get(target)))
      } else if (stack.includes(target)) low.set(file, Math.min(low.get(file), index.get(target)))
    }
    if (low.get(file) !== index.get(file)) return
    const group = stack.splice(stack.indexOf(file))
    if (group.length > 1 || graph.get(file).includes(file)) cycles.push(shortestCycle(graph, file))
  }
  for (const file of graph.keys()) if (!index.has(file)) visit(file)
  return cycles
}

/** The shortest cycle through a file. */
function shortestCycle(graph, start) {
  const before = new Map()
  const queue = [start]
  for (const file of queue) {
    for (const target of graph.get(file)) {
      if (target === start) {
        const cycle = [start]
        for (let at = file; at !== start; at = before.get(at)) cycle.splice(1, 0, at)
        return [...cycle, start]
      }
      if (before.has(target)) continue
      before.set(target, file)
      queue.push(target)
    }
  }
  throw new Error(`no cycle through ${start}`)
}

/** The imports from a room that is not below the file's own. */
export function arrowsUp(graph) {
  const height = new Map(rows.flatMap((rooms, row) => rooms.map(room => [room, row])))
  const heightOf = file => {
    const found = height.get(roomOf(file))
    if (found === undefined) throw new Error(`${file}: the room ${roomOf(file)} is not in the list of rooms`)
    return found
  }
  return [...graph].flatMap(([file, targets]) => {
    const own = heightOf(file)
    return targets
      .filter(target => roomOf(target) !== roomOf(file) && heightOf(target) >= own)
      .map(target => `${file} -> ${target}`)
  })
}

/** A line for each room: the rooms that it imports, with the number of imports. */
function roomLines(graph) {
  const existing = new Set([...graph.keys()].map(roomOf))
  const rooms = rows.flat().filter(room => existing.has(room))
  return rooms.map(room => {
    const counts = new Map()
    for (const [file, targets] of graph) {
      if (roomOf(file) !== room) continue
      for (const target of targets.map(roomOf)) {
        if (target !== room) counts.set(target, (counts.get(target) ?? 0) + 1)
      }
    }
    const imported = rooms.filter(each => counts.has(each)).map(each => `${each} ${counts.get(each)}`)
    return `${room.padEnd(9)} -> ${imported.join(', ') || 'nothing'}`
  })
}

/** The problems of a graph, a line each. */
export function problemsOf(graph) {
  return [
    ...cyclesOf(graph).map(cycle => `cycle: ${cycle.join(' -> ')}`),
    ...arrowsUp(graph).map(arrow => `not a lower room: ${arrow}`),
  ]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const graph = await graphOf(src)
  if (process.argv.includes('--check')) {
    const problems = problemsOf(graph)
    for (const problem of problems) console.error(problem)
    if (problems.length > 0) process.exitCode = 1
  } else console.log(roomLines(graph).join('\n'))
}
