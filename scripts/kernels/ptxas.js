/** Parses the output of `ptxas -v`. */
import { execFileSync } from 'node:child_process'

/**
 * @typedef {object} Compiled One function for one architecture.
 * @property {string} symbol mangled
 * @property {string} arch sm_80
 * @property {boolean} entry a kernel; otherwise a function that was not inlined, whose registers count with its callers'
 * @property {number} registers @property {number} shared static, bytes
 * @property {number} stack bytes of the frame; for a kernel, including the functions that it calls
 * @property {number} spillStores bytes @property {number} spillLoads bytes
 */

/** @returns {{ compiled: Compiled[], warnings: string[] }} */
export function parsePtxas(text) {
  const compiled = []
  const warnings = []
  let entry = null
  let current = null
  const start = (symbol, arch, isEntry) => {
    const none = { registers: 0, shared: 0, stack: 0, spillStores: 0, spillLoads: 0 }
    current = { symbol, arch, entry: isEntry, ...none }
    compiled.push(current)
  }
  for (const line of text.split('\n')) {
    if (line.startsWith('ptxas warning')) warnings.push(line)
    const [, symbol, arch] = /Compiling entry function '(\S+)' for '(\w+)'/.exec(line) ?? []
    if (symbol !== undefined) {
      start(symbol, arch, true)
      entry = current
      continue
    }
    const [, of] = /Function properties for (\S+)/.exec(line) ?? []
    if (of !== undefined) {
      if (of !== current?.symbol) start(of, entry?.arch ?? 'unknown', false)
      continue
    }
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line)
    if (frame !== null) {
      const [stack, spillStores, spillLoads] = frame.slice(1).map(Number)
      Object.assign(current, { stack, spillStores, spillLoads })
      continue
    }
    const [, registers] = /Used (\d+) registers/.exec(line) ?? []
    if (registers === undefined) continue
    entry.registers = Number(registers)
    entry.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0)
    entry.stack = Number(/(\d+) bytes cumulative stack size/.exec(line)?.[1] ?? entry.stack)
  }
  return { compiled, warnings }
}

/**
 * `packed_rnn::cuda::(anonymous namespace)::forward<64, packed_rnn::cuda::Tf32>` is `{ name: 'forward', args: ['64',
 * 'Tf32'] }`: the name in the source, without namespaces and types of literals.
 *
 * @param {string[]} symbols mangled
 * @returns {Map<string, { name: string, args: string[] }>} by symbol
 */
export function demangle(symbols) {
  if (symbols.length === 0) return new Map()
  const input = symbols.join('\n')
  const lines = execFileSync('c++filt', ['--no-params'], { input, encoding: 'utf8' }).trimEnd().split('\n')
  return new Map(symbols.map((symbol, i) => [symbol, nameAndArguments(lines[i])]))
}

function nameAndArguments(demangled) {
  const plain = demangled
    .replaceAll('(anonymous namespace)::', '')
    .replace(/\b(\d+)[ul]+\b/g, '$1')
    .replace(/\b(?:\w+::)+/g, '')
  const open = plain.indexOf('<')
  if (open < 0) return { name: plain, args: [] }
  return { name: plain.slice(0, open), args: splitAtCommas(plain.slice(open + 1, plain.lastIndexOf('>'))) }
}

/** Splits at the commas outside of all brackets. */
export function splitAtCommas(text) {
  const parts = ['']
  let depth = 0
  for (const letter of text) {
    if ('<({['.includes(letter)) depth++
    if ('>)}]'.includes(letter)) depth--
    if (letter === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts.map(part => part.trim())
}
