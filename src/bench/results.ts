import { median } from '../median.js'
import type { Ceilings } from '../native.js'
import type { AgainstResults } from './against.js'
import type { CaseName } from './cases.js'
import { type Participant, type Pass, passes, type Turn } from './context.js'
import type { OpsResults } from './latency/ops/run.js'
import type { LatencyResults } from './latency/run.js'

/** One turn: seconds, and of ours how many of them were JavaScript. */
export interface Sample {
  seconds: number
  javascript: number | null
}

export interface Measured {
  /** The median of the samples. */
  seconds: number
  samples: number[]
  /** Real ones; padding never counts. */
  tokens: number
  tokensPerSecond: number
  /** Of the recurrent layers' products, for a token: padding counts here, and what is left out does not. */
  multiplicationsPerToken: number
  /** 10^9 operations a second, of those that the shapes ask for a token. */
  gflops: number
  /** Of the multiply-adds that all threads can do in a second. */
  shareOfPeak: number
  /** How many times as many tokens a second ours has in float32; null of that itself. */
  oursIsFasterBy: number | null
  /** Share of the time that was JavaScript; null where none is. */
  javascript: number | null
}

export interface Row {
  who: string
  /** Whether it is no peer but this package. */
  ours: boolean
  forward: Measured | null
  /** With a gradient in every state, and in the last ones alone. */
  step: Measured | null
  stepLast: Measured | null
  /** The most memory of a process that does this alone, and forward only; null where that was not measured. */
  peakBytes: number | null
  forwardPeakBytes: number | null
  /** CPU time of its process while others had their turn. */
  idleSeconds: number
  note: string | null
}

export interface CaseResult {
  about: string
  /** Operations for a token. */
  flops: Record<Pass, number>
  /** From the float64 reference. */
  largestError: number
  ceilings: Ceilings
  /** Cores that processes other than the benchmark's used meanwhile: times say little where it is much. */
  othersCores: number | null
  /** Ours in float32 is the first. */
  rows: Row[]
  /** Peers that are installed and did not start, and why. */
  failed: Record<string, string>
}

/** Ours over the best peer's, in tokens a second; null without a peer. */
export type Ratios = Record<Pass, number | null>

/** What a ratio must be read with: the multiplications that both do for a token. */
export interface Multiplications {
  ours: number
  best: number
  /** Who the best peer is. */
  peer: string
}

export interface Results {
  format: 'packed-rnn bench 1'
  started: string
  seconds: number
  version: string
  machine: Record<string, string | number | number[]>
  batch: { articles: number; tokens: number; words: number; longest: number; about: string }
  threads: number
  rounds: number
  /** The most of the whole run. */
  ceilings: Ceilings & { probes: number }
  peers: Record<string, { version: string } | { missing: string }>
  cases: Partial<Record<CaseName, CaseResult>>
  ratios: Partial<Record<CaseName, Ratios>>
  /** Of each ratio; null without a peer. */
  multiplications: Partial<Record<CaseName, Record<Pass, Multiplications | null>>>
  /** Another checkout; null where none was named. */
  against: AgainstResults | null
  /** One token at a time, by H and B; null where it was not asked for. */
  latency: LatencyResults['cells'] | null
  latencyFacts: Omit<LatencyResults, 'cells'> | null
  /** A few ops at a time; null where they were not asked for. */
  latencyOps: OpsResults['rows'] | null
  latencyOpsFacts: Omit<OpsResults, 'rows'> | null
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

/** The ways of one participant, in the order of its turns. */
export function rowsOf(
  { process, turns, notes, ours = false }: Participant,
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
      ...{ who, ours, ...byPass(of) },
      ...{ peakBytes: null, forwardPeakBytes: null, idleSeconds: process.idleSeconds },
      note: notes[who] ?? null,
    }
  })
}

/** Says in each row but the first, which is ours in float32, how it compares with that. */
export function compareRows(rows: Row[]): Row[] {
  const [ours] = rows
  return rows.map((row, i) => {
    const compared = (pass: Pass) => {
      const [theirs, own] = [row[pass], ours?.[pass]]
      if (i === 0 || !theirs || !own) return theirs
      return { ...theirs, oursIsFasterBy: own.tokensPerSecond / theirs.tokensPerSecond }
    }
    return { ...row, ...byPass(compared) }
  })
}

type Cases = Partial<Record<CaseName, CaseResult>>

/** Of each case and pass. */
export function byCase<T>(cases: Cases, of: (rows: readonly Row[], pass: Pass) => T) {
  return Object.fromEntries(
    Object.entries(cases).map(([name, { rows }]) => [name, byPass(pass => of(rows, pass))]),
  )
}

/** The peer that ours is the least faster than. */
function bestPeer(rows: readonly Row[], pass: Pass): { who: string; found: Measured; ratio: number } | null {
  const all = rows.flatMap(({ who, ours, [pass]: found }) =>
    ours || found === null || found.oursIsFasterBy === null
      ? []
      : [{ who, found, ratio: found.oursIsFasterBy }],
  )
  return all.sort((a, b) => a.ratio - b.ratio)[0] ?? null
}

export function ratiosOf(cases: Cases): Results['ratios'] {
  return byCase(cases, (rows, pass) => bestPeer(rows, pass)?.ratio ?? null)
}

export function multiplicationsBeside(cases: Cases): Results['multiplications'] {
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
