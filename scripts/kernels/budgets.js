/**
 * The budgets in the comments above the kernels. A budget is one line, directly above a kernel, among its other comments:
 *
 *     // budget<H=128, Tf32>: 128 registers, 34 KB shared
 *     // budget: 128 registers, 18 KB shared
 *     template <int H, class Products>
 *     __global__ void forward(const Arguments p) {
 *
 * An instantiation's budget is the first line whose arguments it has. A line without arguments fits all instantiations.
 * A value without a name matches any argument. The limits are:
 *
 *     N registers          of a thread; required
 *     N B|KB shared        static shared memory; default 0
 *     N B|KB dynamic       shared memory of the launch: ptxas does not report it, it is for the table
 *     N B|KB stack         the frame of a thread, which is in local memory; default 0
 */
import { splitAtCommas } from './ptxas.js'

/**
 * @typedef {object} Budget
 * @property {string} where file:line
 * @property {{ name: string | null, value: string }[]} when template arguments, with the parameter's name if it was named
 * @property {number} registers @property {number} shared @property {number} dynamic @property {number} stack
 *
 * @typedef {object} Kernel
 * @property {string} file @property {string} where file:line @property {string} name
 * @property {string[]} parameters names of its template parameters
 * @property {Budget[]} budgets
 */

const BUDGET = /^\s*\/\/ budget(?:<(.*)>)?:\s*(.*)$/

/**
 * @param {string} file for messages and to distinguish files
 * @returns {{ kernels: Kernel[], errors: string[] }} kernels that are defined in the text
 */
export function readBudgets(file, text) {
  const lines = text.split('\n')
  const errors = []
  const kernels = []
  const claimed = new Set()
  lines.forEach((line, at) => {
    const column = line.indexOf('__global__')
    if (column < 0 || /^\s*(\/\/|#)/.test(line)) return
    const after = signature([line.slice(column), ...lines.slice(at + 1, at + 12)].join('\n'))
    if (after === null || !after.defined) return
    let top = at
    while (top > 0 && !/^\s*$|^\s*\/\/|[;}]\s*$|^\s*#/.test(lines[top - 1])) top--
    const head = [...lines.slice(top, at), line.slice(0, column)].join(' ')
    const kernel = {
      ...{ file, where: `${file}:${at + 1}`, name: after.name },
      ...{ parameters: templateParameters(head), budgets: [] },
    }
    for (let i = top - 1; i >= 0 && /^\s*\/\//.test(lines[i]); i--) {
      const [, when, limits] = BUDGET.exec(lines[i]) ?? []
      if (limits === undefined) continue
      claimed.add(i)
      try {
        kernel.budgets.unshift(readBudget(`${file}:${i + 1}`, when, limits, kernel.parameters))
      } catch (error) {
        errors.push(error.message)
      }
    }
    kernels.push(kernel)
  })
  lines.forEach((line, i) => {
    if (/\/\/\s*budget\b/i.test(line) && !claimed.has(i)) {
      errors.push(`${file}:${i + 1}: wanted a budget directly above a kernel, got '${line.trim()}'`)
    }
  })
  return { kernels, errors }
}

/** Parses text that begins with __global__. Returns the kernel's name and whether a body follows. */
function signature(text) {
  let rest = text.slice('__global__'.length)
  for (;;) {
    rest = rest.trimStart()
    const [word] = /^(?:__launch_bounds__|__grid_constant__|static|inline|void)\b/.exec(rest) ?? []
    if (word === undefined) break
    rest = rest.slice(word.length).trimStart()
    if (word === '__launch_bounds__') rest = rest.slice(closing(rest) + 1)
  }
  const [, name] = /^(\w+)\s*[<(]/.exec(rest) ?? []
  if (name === undefined) return null
  const open = rest.indexOf('(')
  return { name, defined: /^\s*\{/.test(rest.slice(open + closing(rest.slice(open)) + 1)) }
}

/** The place where the bracket that starts the text is closed. */
function closing(text) {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++
    if (text[i] === ')' && --depth === 0) return i
  }
  return text.length
}

function templateParameters(head) {
  const [, inside] = /template\s*<(.*)>[^>]*$/.exec(head) ?? []
  if (inside === undefined) return []
  return splitAtCommas(inside).map(parameter => /(\w+)\s*(?:=.*)?$/.exec(parameter)?.[1] ?? '')
}

function readBudget(where, when, limits, parameters) {
  const refuse = (wanted, got) => {
    throw new Error(`${where}: budget: wanted ${wanted}, got '${got}'`)
  }
  const budget = { where, when: [], registers: 0, shared: 0, dynamic: 0, stack: 0 }
  for (const part of when === undefined ? [] : splitAtCommas(when)) {
    const [, name = null, value] = /^(?:(\w+)\s*=\s*)?(.+)$/.exec(part) ?? []
    if (value === undefined || (name !== null && !parameters.includes(name))) {
      refuse(`a value, or parameter=value of ${parameters.join(', ') || 'no template'}`, part)
    }
    budget.when.push({ name, value })
  }
  for (const part of splitAtCommas(limits)) {
    const [, registers] = /^(\d+) registers$/.exec(part) ?? []
    const [, bytes, unit, what] = /^(\d+(?:\.\d+)?) (B|KB) (shared|dynamic|stack)$/.exec(part) ?? []
    if (registers !== undefined) budget.registers = Number(registers)
    else if (what !== undefined) budget[what] = Number(bytes) * (unit === 'KB' ? 1024 : 1)
    else refuse('N registers, or N B|KB shared, dynamic or stack', part)
  }
  if (budget.registers === 0) refuse('N registers', limits)
  return budget
}

/** Returns the kernel's budget for these template arguments. */
export function budgetFor(kernel, args) {
  return kernel.budgets.find(({ when }) =>
    when.every(({ name, value }) =>
      name === null ? args.includes(value) : args[kernel.parameters.indexOf(name)] === value,
    ),
  )
}

/** The subject of a budget line, such as `forward<H=128>`. */
export function titleOf(kernel, budget) {
  const when = budget.when.map(({ name, value }) => (name === null ? value : `${name}=${value}`))
  return when.length === 0 ? kernel.name : `${kernel.name}<${when.join(', ')}>`
}
