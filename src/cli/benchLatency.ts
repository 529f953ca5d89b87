import type { Results } from '../bench/results.js'
import { aligned } from './table.js'

const READ_THIS = `
latency: microseconds a token of one LSTM layer, H inputs and H units, B sequences; medians of interleaved rounds. Each token is
given the state of the one before. Streamed, tokens are issued without waiting, and the last state is waited for; awaited, the
state of each token is. Peers wait for each token. Results are checked with the float64 reference first.`

/** For a person: a line for each H and B. */
export function latencyLines({ latency, latencyFacts }: Pick<Results, 'latency' | 'latencyFacts'>): string[] {
  if (latency === null) return []
  const cells = Object.entries(latency).flatMap(([H, ofH]) =>
    Object.entries(ofH).map(([B, cell]) => ({ H, B, ...cell })),
  )
  const sides = Object.entries(cells[0]?.sides ?? {})
  const columns = sides.flatMap(([who, { streamed }]) => (streamed === null ? [who] : [who, 'awaited']))
  const number = (value: number | undefined) => value?.toFixed(value < 100 ? 1 : 0) ?? '–'
  const rows = cells.map(cell => [
    `H ${cell.H}`,
    `B ${cell.B}`,
    ...sides.flatMap(([who, { streamed }]) => {
      const side = cell.sides[who]
      const awaited = number(side?.awaited.microseconds)
      return streamed === null ? [awaited] : [number(side?.streamed?.microseconds), awaited]
    }),
    ...[cell.ratio, cell.awaitedRatio].map(ratio => ratio?.toFixed(2) ?? '–'),
  ])
  const { othersCores = null, failed = {} } = latencyFacts ?? {}
  return [
    READ_THIS + (othersCores === null ? '' : ` Other processes took ${othersCores.toFixed(1)} cores.`),
    aligned([['', '', ...columns, 'ours is faster by', 'awaited by'], ...rows]),
    ...Object.entries(failed).map(([peer, reason]) => `  ${peer} was left out: ${reason}`),
  ]
}
