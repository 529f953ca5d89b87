import type { Ceilings } from '../native.js'
import type { AgainstResults } from './against.js'
import type { CaseName } from './cases.js'
import type { OpsResults } from './latency/ops/run.js'
import type { LatencyResults } from './latency/run.js'
import type { LoadResults } from './load.js'
import type { Pass } from './passes.js'
import type { CaseResult, Multiplications, Ratios } from './rows.js'
import type { TranslationBench } from './translation/start.js'

/** The JSON document of a benchmark. */
export interface Results {
  format: 'packed-rnn bench 1'
  started: string
  seconds: number
  version: string
  machine: Record<string, string | number | number[]>
  batch: { articles: number; tokens: number; words: number; longest: number; about: string }
  threads: number
  rounds: number
  /** The maxima of the whole run. */
  ceilings: Ceilings & { probes: number }
  peers: Record<string, { version: string } | { missing: string }>
  cases: Partial<Record<CaseName, CaseResult>>
  ratios: Partial<Record<CaseName, Ratios>>
  /** For each ratio; null without a peer. */
  multiplications: Partial<Record<CaseName, Record<Pass, Multiplications | null>>>
  /** Another checkout; null if not requested. */
  against: AgainstResults | null
  /** One token at a time, by H and B; null if not requested. */
  latency: LatencyResults['cells'] | null
  latencyFacts: Omit<LatencyResults, 'cells'> | null
  /** A few ops at a time; null if not requested. */
  latencyOps: OpsResults['rows'] | null
  latencyOpsFacts: Omit<OpsResults, 'rows'> | null
  /** The import of the package; null if not requested. */
  load: LoadResults | null
  /** Training steps of a translation model; null if not requested. */
  translation: TranslationBench | null
}
