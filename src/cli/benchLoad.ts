import type { Results } from '../bench/results.js'
import { aligned } from './table.js'

/** For a person: a line for each side. */
export function loadLines({ load }: Pick<Results, 'load'>): string[] {
  if (load === null) return []
  const { processes, emptyProcessMilliseconds: empty, sides } = load
  const rows = Object.entries(sides).map(([who, { milliseconds, processMilliseconds }]) => {
    return [who, ...[milliseconds, processMilliseconds, processMilliseconds - empty].map(one)]
  })
  return [
    `\nload: milliseconds of import 'packed-rnn'; medians of ${processes} fresh processes each. A process that imports nothing takes ${one(empty)}`,
    aligned([['', 'import', 'process', 'more than an empty one'], ...rows]),
  ]
}

function one(milliseconds: number): string {
  return milliseconds.toFixed(1)
}
