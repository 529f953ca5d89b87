import { median } from '../../median.js'
import { checkClose, toleranceOf } from '../close.js'
import type { Missing } from '../context.js'
import { interleave } from '../interleave.js'
import { ProcessFailure } from '../process.js'
import { referenceStream } from '../reference.js'
import type { Sample } from '../results.js'
import { othersBetween, usage } from '../usage.js'
import { BATCH_SIZES, CHECKED_TOKENS, cellInputs, cellWeights, HIDDEN_SIZES, INPUTS } from './numbers.js'
import type { Side } from './sides.js'

/** Seconds that a turn takes about, and that somebody's turns may take in a cell; and those of a quick run. */
const USUAL = { turn: 0.05, patience: 10 }
const QUICK = { turn: 0.01, patience: 1 }
/** Turns that are not timed, and the tokens of the first. Each says how many tokens the next has. */
const WARM_TURNS = 4
const FIRST_TOKENS = 8
const LEAST_TOKENS = 4
const MOST_TOKENS = 20_000

/** Microseconds a token. */
interface Timed {
  microseconds: number
  samples: number[]
}

/** What one H and B took: microseconds a token. */
export interface LatencyCell {
  /** Tokens are issued one after the other, and the last state is waited for. */
  ours: number
  /** Each token's state is waited for. */
  awaited: number
  /** The fastest peer, which waits for each token anyway; null without one. */
  best: number | null
  peer: string | null
  /** best / ours, and best / awaited */
  ratio: number | null
  awaitedRatio: number | null
  /** From the float64 reference. */
  largestError: number
  /** Everybody; `streamed` is null of those that wait for each token. */
  sides: Record<string, { ours: boolean; streamed: Timed | null; awaited: Timed }>
}

export interface LatencyResults {
  /** By H, then by B. */
  cells: Record<string, Record<string, LatencyCell>>
  /** Cores that processes other than the benchmark's used meanwhile. */
  othersCores: number | null
  /** Peers that are installed and failed, and why. */
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
 * Times one LSTM layer that reads a token at a time. The first side is ours. Everybody's results are checked with the float64
 * reference before they are timed. Closes the sides' processes.
 *
 * @throws Error where a result is wrong
 */
export async function measureLatency(
  sides: readonly Side[],
  options: LatencyOptions,
): Promise<LatencyResults> {
  const { hiddenSizes = HIDDEN_SIZES, batchSizes = BATCH_SIZES, log } = options
  const failed: Record<string, string> = {}
  const cells: LatencyResults['cells'] = {}
  let working = [...sides]
  try {
    working = await those(working, failed, side => side.process.answer())
    const before = usage(sides)
    for (const H of hiddenSizes) {
      const ofH: Record<string, LatencyCell> = {}
      for (const B of batchSizes) {
        const wanted = referenceOf(H, B)
        let largestError = 0
        working = await those(working, failed, async side => {
          largestError = Math.max(largestError, await checkSide(side, H, B, wanted))
        })
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

/** Those sides that f works for; a peer that fails is left out, and named. */
async function those(
  sides: readonly Side[],
  failed: Record<string, string>,
  f: (side: Side) => Promise<unknown>,
): Promise<Side[]> {
  const working: Side[] = []
  for (const side of sides) {
    try {
      await f(side)
      working.push(side)
    } catch (error) {
      if (side.ours || !(error instanceof ProcessFailure)) throw error
      failed[side.process.name] = error.message
    }
  }
  return working
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
        // From the second on these are turns as they will be timed: by then compilers and caches are warm.
        let tokens = FIRST_TOKENS
        for (let turn = 0; turn < WARM_TURNS; turn++) {
          const took = (await process.ask(`${ask} ${tokens}`)).number('seconds')
          const wanted = Math.round((seconds * tokens) / took)
          tokens = Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, wanted))
        }
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

/** The sides that are there. */
export function present(sides: readonly (Side | Missing)[]): Side[] {
  return sides.filter((side): side is Side => !('missing' in side))
}
