import { sizes } from '../bench/latency/ops/numbers.js'
import type { Results } from '../bench/results.js'
import { aligned } from './table.js'

const READ_THIS = `
ops: microseconds a call of the op, or for all ops that are named; medians of interleaved rounds. packed-rnn issues in a row and
waits at the end, after ${sizes.batch} calls of add; issued, the time of the wait is left out. PyTorch's calls return with their result.
Results are compared first.`

/** For a person: a line for each work. */
export function opsLines({
  latencyOps,
  latencyOpsFacts,
}: Pick<Results, 'latencyOps' | 'latencyOpsFacts'>): string[] {
  if (latencyOps === null) return []
  const rows = Object.values(latencyOps)
  const sides = [...new Set(rows.flatMap(({ sides }) => Object.keys(sides)))]
  const number = (value: number | undefined) => value?.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0) ?? '–'
  const { othersCores = null, failed = {} } = latencyOpsFacts ?? {}
  return [
    READ_THIS + (othersCores === null ? '' : ` Other processes took ${othersCores.toFixed(1)} cores.`),
    aligned([
      ['', ...sides, 'ours is faster by'],
      ...rows.map(row => [
        row.about,
        ...sides.map(who => number(row.sides[who]?.microseconds)),
        row.ratio?.toFixed(2) ?? '–',
      ]),
    ]),
    ...Object.entries(failed).map(([side, reason]) => `  ${side} was left out: ${reason}`),
  ]
}
