/** The table of docs/kernels.md, between two markers. */
import { titleOf } from './budgets.js'

const BEGIN = '<!-- kernels: written by `npm run check:kernels -- --write` -->'
const END = '<!-- /kernels -->'
/** Registers of a kernel with an empty body; any other kernel has more. */
const OF_NOTHING = 4

/**
 * A row for each budget, in the order of the sources, with the figures of its largest instantiation.
 *
 * @param {{ budgets }[]} kernels
 * @param {{ kernel, budget, args, compiled }[]} measured instantiations, each for one architecture
 */
export function kernelTable(kernels, measured, compiler) {
  const archs = [...new Set(measured.map(({ compiled }) => numberOf(compiled.arch)))].sort((a, b) => a - b)
  const rows = kernels
    .flatMap(({ budgets }) => budgets)
    .map(budget => [budget, measured.filter(found => found.budget === budget)])
  const head = ['kernel', ...archs.map(arch => `sm_${arch}`), 'budget', 'shared', 'spills']
  const body = rows.map(([budget, row]) => {
    const most = (key, among = row) => Math.max(...among.map(({ compiled }) => compiled[key]))
    const instantiations = new Set(row.map(({ compiled }) => compiled.symbol)).size
    const count = instantiations > 1 ? `, ${instantiations} instantiations` : ''
    const dynamic = budget.dynamic > 0 ? ` + ${size(budget.dynamic)}` : ''
    return [
      `\`${titleOf(row[0].kernel, budget)}\`${count}`,
      ...archs.map(arch => {
        const registers = most(
          'registers',
          row.filter(({ compiled }) => numberOf(compiled.arch) === arch),
        )
        return registers <= OF_NOTHING ? '—' : registers
      }),
      budget.registers,
      size(most('shared')) + dynamic,
      Math.max(most('spillStores'), most('spillLoads')),
    ]
  })
  const line = cells => `| ${cells.join(' | ')} |`
  return [
    `nvcc ${compiler}. Registers of a thread, of the largest instantiation; shared memory of a block, static + what the launch`,
    'asks for. —: the body is empty there, and the host launches another kernel.',
    '',
    line(head),
    line(head.map((_, i) => (i === 0 ? '---' : '--:'))),
    ...body.map(line),
  ].join('\n')
}

/** @returns {{ before, table, after, compiler: string } | null} null if a marker is missing; compiler: '' if there is no table yet */
export function findTable(page) {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) return null
  const start = begin + BEGIN.length
  const table = page.slice(start, end).trim()
  const compiler = /^nvcc (\d+(?:\.\d+)*)/.exec(table)?.[1] ?? ''
  return { before: page.slice(0, start), table, after: page.slice(end), compiler }
}

/** Reduces a table to its kernels, their budgets and their registers on some architectures, such as sm_90. */
export function tableOf(table, archs) {
  const rows = table.split('\n').filter(line => line.startsWith('|'))
  const cells = rows.map(line => line.split('|').map(cell => cell.trim()))
  const head = cells[0] ?? []
  const kept = ['kernel', ...archs, 'budget'].map(name => head.indexOf(name))
  return cells.map(row => kept.map(column => row[column]).join(' | ')).join('\n')
}

function numberOf(arch) {
  return Number(/\d+/.exec(arch)?.[0])
}

export function size(bytes) {
  if (bytes === 0) return '0'
  return bytes % 1024 === 0 || bytes > 10240 ? `${Number((bytes / 1024).toFixed(1))} KB` : `${bytes} B`
}
