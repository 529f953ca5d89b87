import type { Precision } from '../device.js'
import { median } from '../median.js'
import type { Ceilings } from '../native.js'
import type { CaseName } from './cases.js'
import type { Participant, Turn } from './context.js'
import type { Sample } from './interleave.js'
import { type Pass, passes } from './passes.js'

export interface Measured {
  /** The median of the samples. */
  seconds: number
  samples: number[]
  /** Real tokens, without padding. */
  tokens: number
  tokensPerSecond: number
  /** Multiplications of the recurrent layers' products per token. Padding counts; skipped rows do not. */
  multiplicationsPerToken: number
  /** 10^9 operations per second, counting the operations that the shapes require per token. */
  gflops: number
  /** Share of the multiply-adds that all threads can do per second. */
  shareOfPeak: number
  /**
   * Our tokens per second divided by this row's: for a peer, ours of its precision; for our other rows, ours in float32. Null for our
   * row in float32.
   */
  oursIsFasterBy: number | null
  /** Share of the time spent in JavaScript; null for other programs. */
  javascript: number | null
}

export interface Row {
  who: string
  /** Whether it is this package and not a peer. */
  ours: boolean
  /** Of its products. */
  precision: Precision
  forward: Measured | null
  /** With a gradient in every state, and only in the last states. */
  step: Measured | null
  stepLast: Measured | null
  /** The peak memory of a process that does only this, and of one that runs only forward passes; null if not measured. */
  peakBytes: number | null
  forwardPeakBytes: number | null
  /** CPU time of its process during the others' turns. */
  idleSeconds: number
  note: string | null
}

export interface CaseResult {
  about: string
  /** Operations per token. */
  flops: Record<Pass, number>
  /** The largest error against the float64 reference. */
  largestError: number
  ceilings: Ceilings
  /** Cores used by other processes meanwhile. If it is large, times are unreliable. */
  othersCores: number | null
  /** The first row is ours in float32. */
  rows: Row[]
  /** Installed peers that failed to start, with the reason. */
  failed: Record<string, string>
}

/** Our tokens per second divided by the best peer's, in float32; null without a peer. */
export type Ratios = Record<Pass, number | null>

/** The multiplications per token on both sides, for reading a ratio. */
export interface Multiplications {
  ours: number
  best: number
  /** The best peer. */
  peer: string
}

export function measured(
  samples: readonly Sample[],
  { tokens, multiplications }: Pick<Turn, 'tokens' | 'multiplications'>,
  flops: number,
  { flopsOfAll }: Ceilings,
): Measured {
  const seconds = median(samples.map(sample => sample.seconds))
  const tokensPerSecond = tokens / seconds
  const javascript = samples.flatMap(sample => sample.javascript ?? [])
  return {
    ...{ seconds, samples: samples.map(sample => sample.seconds), tokens, tokensPerSecond },
    multiplicationsPerToken: multiplications / tokens,
    gflops: (flops * tokensPerSecond) / 1e9,
    shareOfPeak: (flops * tokensPerSecond) / flopsOfAll,
    oursIsFasterBy: null,
    javascript: javascript.length === 0 ? null : median(javascript) / seconds,
  }
}

function byPass<T>(of: (pass: Pass) => T): Record<Pass, T> {
  const [forward, step, stepLast] = passes
  return { forward: of(forward), step: of(step), stepLast: of(stepLast) }
}

/** The rows of one participant, in the order of its turns. */
export function rowsOf(
  { process, turns, notes, ours = false, precision = 'float32' }: Participant,
  samples: ReadonlyMap<Turn, Sample[]>,
  flops: Record<Pass, number>,
  ceilings: Ceilings,
): Row[] {
  return [...new Set(turns.map(({ who }) => who))].map(who => {
    const of = (pass: Pass) => {
      const turn = turns.find(one => one.who === who && one.pass === pass)
      const found = turn && samples.get(turn)
      return turn && found ? measured(found, turn, flops[pass], ceilings) : null
    }
    return {
      ...{ who, ours, precision, ...byPass(of) },
      ...{ peakBytes: null, forwardPeakBytes: null, idleSeconds: process.idleSeconds },
      note: notes[who] ?? null,
    }
  })
}

/** Sets the ratio of a peer's row to ours of the same precision, and of our other rows to the first one, which is in float32. */
export function compareRows(rows: Row[]): Row[] {
  return rows.map((row, i) => {
    const ours = row.ours ? rows[0] : rows.find(one => one.ours && one.precision === row.precision)
    const compared = (pass: Pass) => {
      const [theirs, own] = [row[pass], ours?.[pass]]
      if (i === 0 || !theirs || !own) return theirs
      return { ...theirs, oursIsFasterBy: own.tokensPerSecond / theirs.tokensPerSecond }
    }
    return { ...row, ...byPass(compared) }
  })
}

type Cases = Partial<Record<CaseName, CaseResult>>

/** The ratios of each case and pass. */
export function byCase<T>(cases: Cases, of: (rows: readonly Row[], pass: Pass) => T) {
  return Object.fromEntries(
    Object.entries(cases).map(([name, { rows }]) => [name, byPass(pass => of(rows, pass))]),
  )
}

/** The fastest peer in float32. */
function bestPeer(rows: readonly Row[], pass: Pass): { who: string; found: Measured; ratio: number } | null {
  const all = rows.flatMap(({ who, ours, precision, [pass]: found }) =>
    ours || precision !== 'float32' || found === null || found.oursIsFasterBy === null
      ? []
      : [{ who, found, ratio: found.oursIsFasterBy }],
  )
  return all.sort((a, b) => a.ratio - b.ratio)[0] ?? null
}

export function ratiosOf(cases: Cases): Partial<Record<CaseName, Ratios>> {
  return byCase(cases, (rows, pass) => bestPeer(rows, pass)?.ratio ?? null)
}

export function multiplicationsBeside(
  cases: Cases,
): Partial<Record<CaseName, Record<Pass, Multiplications | null>>> {
  return byCase(cases, (rows, pass) => {
    const [best, ours] = [bestPeer(rows, pass), rows[0]?.[pass]]
    if (best === null || !ours) return null
    return {
      ours: ours.multiplicationsPerToken,
      best: best.found.multiplicationsPerToken,
      peer: best.who,
    }
  })
}
