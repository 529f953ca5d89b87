import { median } from '../../median.js'
import { checkClose, toleranceOf } from '../close.js'
import type { Missing } from '../context.js'
import type { Sample } from '../interleave.js'
import { interleave } from '../interleave.js'
import { referenceStream } from '../reference.js'
import { othersBetween, usage } from '../usage.js'
import {
  BATCH_SIZES,
  CHECKED_TOKENS,
  cellInputs,
  cellWeights,
  FEW_HIDDEN_SIZES,
  HIDDEN_SIZES,
  INPUTS,
} from './numbers.js'
import type { Side } from './sides.js'
import { QUICK, type Timed, those, timesOf, USUAL } from './turns.js'

/** The result of one H and B, in microseconds per token. */
export interface LatencyCell {
  /** Tokens are issued one after the other, and only the last state is awaited. */
  ours: number
  /** Each token's state is awaited. */
  awaited: number
  /** The fastest peer; peers always wait for each token. Null without a peer. */
  best: number | null
  peer: string | null
  /** best / ours, and best / awaited */
  ratio: number | null
  awaitedRatio: number | null
  /** The largest error against the float64 reference. */
  largestError: number
  /** All participants; `streamed` is null for those that wait for each token. */
  sides: Record<string, { ours: boolean; streamed: Timed | null; awaited: Timed }>
}

export interface LatencyResults {
  /** By H, then by B. */
  cells: Record<string, Record<string, LatencyCell>>
  /** Cores used by other processes meanwhile. */
  othersCores: number | null
  /** Installed peers that failed, with the reason. */
  failed: Record<string, string>
}

export interface LatencyOptions {
  rounds: number
  quick: boolean
  signal?: AbortSignal | undefined
  log(line: string): void
  /** For tests: fewer than all. */
  hiddenSizes?: readonly number[]
  batchSizes?: readonly number[]
}

interface LatencyTurn {
  who: string
  kind: 'streamed' | 'awaited'
  tokens: number
  question: string
}

/**
 * Times one LSTM layer that reads one token at a time. The first side is ours. All results are compared with the float64
 * reference before timing. Closes the sides' processes.
 *
 * @throws Error (rejects) if a result is wrong
 */
export async function measureLatency(
  sides: readonly Side[],
  options: LatencyOptions,
): Promise<LatencyResults> {
  const { batchSizes = BATCH_SIZES, log } = options
  const { hiddenSizes = options.quick ? FEW_HIDDEN_SIZES : HIDDEN_SIZES } = options
  const failed: Record<string, string> = {}
  const cells: LatencyResults['cells'] = {}
  const rules = {
    needed: (side: Side) => side.ours,
    failed: (side: Side, reason: string) => {
      failed[side.process.name] = reason
    },
  }
  let working = [...sides]
  try {
    working = await those(working, side => side.process.answer(), rules)
    const before = usage(sides)
    for (const H of hiddenSizes) {
      const ofH: Record<string, LatencyCell> = {}
      for (const B of batchSizes) {
        const wanted = referenceOf(H, B)
        let largestError = 0
        const check = async (side: Side) => {
          largestError = Math.max(largestError, await checkSide(side, H, B, wanted))
        }
        working = await those(working, check, rules)
        const cell = await measureCell(working, H, B, options)
        ofH[B] = { ...cell, largestError }
        const best = cell.best === null ? '' : `, ${cell.peer} ${cell.best.toFixed(1)}`
        log(`  H ${H}, B ${B}: ${cell.ours.toFixed(1)} µs, awaited ${cell.awaited.toFixed(1)}${best}`)
      }
      cells[H] = ofH
    }
    return { cells, othersCores: othersBetween(before, usage(sides)), failed }
  } finally {
    for (const { process } of sides) await process.close()
  }
}

/** The state h of the first and the last sequence. */
function referenceOf(H: number, B: number): number[] {
  const [weights, inputs] = [cellWeights(H), cellInputs(H, B)]
  return [0, B - 1].flatMap(b => {
    const rows = Array.from({ length: CHECKED_TOKENS }, (_, t) =>
      Array.from(inputs[t % INPUTS]!.subarray(b * H, (b + 1) * H)),
    )
    return referenceStream(weights, rows)
  })
}

async function checkSide(side: Side, H: number, B: number, wanted: number[]): Promise<number> {
  const errors: number[] = []
  for (const { who, way } of side.ways) {
    const h = (await side.process.ask(`check ${way} ${H} ${B} ${CHECKED_TOKENS}`)).numbers('h')
    errors.push(checkClose({ h }, { h: wanted }, toleranceOf('float32'), `${who}, H ${H}, B ${B}`))
  }
  return Math.max(...errors)
}

async function measureCell(
  sides: readonly Side[],
  H: number,
  B: number,
  { rounds, quick, signal }: LatencyOptions,
): Promise<Omit<LatencyCell, 'largestError'>> {
  const { turn: seconds, patience } = quick ? QUICK : USUAL
  const takers: { process: Side['process']; turns: LatencyTurn[] }[] = []
  for (const { process, ways, streams } of sides) {
    const turns: LatencyTurn[] = []
    for (const { who, way } of ways) {
      for (const kind of streams ? (['streamed', 'awaited'] as const) : (['awaited'] as const)) {
        const ask = `${kind === 'streamed' ? 'stream' : 'await'} ${way} ${H} ${B}`
        const tokens = await timesOf(process, ask, seconds)
        turns.push({ who, kind, tokens, question: `${ask} ${tokens}` })
      }
    }
    takers.push({ process, turns })
  }
  const samples = await interleave(takers, { rounds, patience, probe: async () => {}, signal })
  return cellOf(sides, samples)
}

function cellOf(
  sides: readonly Side[],
  samples: ReadonlyMap<LatencyTurn, Sample[]>,
): Omit<LatencyCell, 'largestError'> {
  const timed = (who: string, kind: LatencyTurn['kind']): Timed | null => {
    const found = [...samples].find(([turn]) => turn.who === who && turn.kind === kind)
    if (found === undefined) return null
    const [{ tokens }, taken] = found
    const each = taken.map(sample => (1e6 * sample.seconds) / tokens)
    return { microseconds: median(each), samples: each }
  }
  const all = sides.flatMap(({ ways, ours }) =>
    ways.map(({ who }) => ({
      ...{ who, ours, streamed: timed(who, 'streamed') },
      awaited: timed(who, 'awaited') ?? { microseconds: Number.NaN, samples: [] },
    })),
  )
  const [own] = all
  const best = all
    .filter(side => !side.ours)
    .sort((a, b) => a.awaited.microseconds - b.awaited.microseconds)[0]
  const [ours, awaited] = [own!.streamed!.microseconds, own!.awaited.microseconds]
  return {
    ...{ ours, awaited },
    best: best?.awaited.microseconds ?? null,
    peer: best?.who ?? null,
    ratio: best === undefined ? null : best.awaited.microseconds / ours,
    awaitedRatio: best === undefined ? null : best.awaited.microseconds / awaited,
    sides: Object.fromEntries(all.map(({ who, ...rest }) => [who, rest])),
  }
}

/** The available sides. */
export function present<S extends object>(sides: readonly (S | Missing)[]): S[] {
  return sides.filter((side): side is S => !('missing' in side))
}
