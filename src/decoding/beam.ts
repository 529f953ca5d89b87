import {
  checkInstance,
  checkInteger,
  checkNumber,
  checkOptions,
  checkWord,
  type OptionNames,
} from '../check.js'
import { badArgument } from '../errors.js'
import { topk } from '../ops/order.js'
import { PackedIds, Sequences } from '../packed.js'
import type { State } from '../state.js'
import type { Matrix } from '../tensor.js'
import { type Candidates, type Hypothesis, type Rules, SentenceSearch } from './beamSentence.js'
import { Coverage } from './coverage.js'
import { type DecodeOptions, decodeNames, type Plan, planOf, startsOf } from './options.js'
import { type DecodeResult, type DecodeStep, Living } from './step.js'
import { checkFinite } from './tokens.js'

/** How a log-probability is divided, so that longer texts are not at a disadvantage. */
export interface LengthPenalty {
  /** α of at least 0; 0 changes nothing. */
  alpha: number
  /**
   * Of |Y| tokens, the end mark included: `'power'`, the default, is |Y|^α; `'gnmt'` is ((5 + |Y|) / 6)^α (Wu et al.
   * 2016, arXiv:1609.08144).
   */
  form?: 'power' | 'gnmt'
}
const penaltyNames: OptionNames<LengthPenalty> = { alpha: true, form: true }

/** A penalty for source tokens that got little attention (Wu et al. 2016, arXiv:1609.08144). */
export interface CoverageOptions {
  /** β of at least 0. */
  beta: number
  /** The source tokens of each sentence; the step returns `attention`. */
  source: Sequences
}
const coverageNames: OptionNames<CoverageOptions> = { beta: true, source: true }

/** Options of `beamSearch`. */
export interface BeamOptions<S extends State> extends DecodeOptions<S> {
  /** The hypotheses of a sentence that live at the same time. */
  beams: number
  /** How many texts to return for each sentence, at most `beams`; default 1. */
  nBest?: number
  /** Default: none, so that the score is the log-probability. */
  lengthPenalty?: LengthPenalty
  /** Default: none. */
  coverage?: CoverageOptions
  /** How many tokens of each hypothesis compete to be the next one; default all. */
  topK?: number
  /**
   * When a sentence is done before `maxLength`. `'bound'`, the default: when no living hypothesis can score more than
   * the last of the n best ended ones. `'beams'`: also when `beams` hypotheses have ended. It needs far fewer steps
   * with a length penalty, whose bound is loose.
   */
  stop?: 'bound' | 'beams'
}

const beamNames: OptionNames<BeamOptions<State>> = {
  ...decodeNames,
  beams: true,
  nBest: true,
  lengthPenalty: true,
  coverage: true,
  topK: true,
  stop: true,
}

function rulesOf(options: BeamOptions<State>): Rules {
  const op = 'beamSearch'
  const { beams, nBest = 1, lengthPenalty = { alpha: 0 }, end, stop = 'bound' } = options
  checkInteger(op, 'beams', beams, 1, 2 ** 20)
  checkInteger(op, 'nBest', nBest, 1, beams)
  checkWord(op, 'stop', stop, ['bound', 'beams'])
  checkOptions(op, lengthPenalty, penaltyNames, 'lengthPenalty')
  const { alpha, form = 'power' } = lengthPenalty
  checkNumber(op, 'lengthPenalty.alpha', alpha, 0)
  checkWord(op, 'lengthPenalty.form', form, ['power', 'gnmt'])
  const penalty = (tokens: number) => (form === 'gnmt' ? (5 + tokens) / 6 : tokens) ** alpha
  return { beams, nBest, end, stop, lengthPenalty: penalty }
}

function coverageOf({ coverage, sentences }: BeamOptions<State>): Coverage | null {
  if (coverage === undefined) return null
  const op = 'beamSearch'
  checkOptions(op, coverage, coverageNames, 'coverage')
  checkNumber(op, 'coverage.beta', coverage.beta, 0)
  checkInstance(op, 'coverage.source', coverage.source, Sequences)
  const { batchSize } = coverage.source
  if (batchSize !== sentences) {
    throw badArgument(op, 'coverage.source', `${sentences} sequences`, batchSize, 'ERR_SHAPE')
  }
  return new Coverage(op, coverage.source)
}

/**
 * Searches the texts with the highest scores, `beams` hypotheses of each sentence at a time.
 *
 * score = log p / length^α + β Σ_j log(min(Σ_i p_ij, 1)), with the penalties of the options; p_ij is the attention of
 * step i to source token j. The end mark counts in the length.
 *
 * At each step, the candidates of a sentence are its living hypotheses with one more token, ranked by log-probability:
 * of equals the earlier hypothesis, then the lower token. Those with the end mark among the first `beams` have ended,
 * and are kept apart. The first `beams` of the others live on. A sentence is done at `maxLength`, or when
 * no living hypothesis can beat the last of the n best ended ones. The most that one can score is log p / maxLength^α.
 *
 * Log-probabilities stay on the device. The host reads `beams` + 1 tokens and numbers for each hypothesis, and the
 * device copies the states of those that live on. At most, it holds B · `beams` rows of the state (twice while
 * it copies), of the logits and of the log-probabilities.
 *
 * @param step see `DecodeStep`. In the first step, each sentence has one hypothesis.
 * @returns for each sentence up to `nBest` texts, the best first: ended ones before those that `maxLength` cut, and
 * those that ended earlier before others of the same score.
 * @throws PackedRnnError (rejects) for an invalid or unknown option; ERR_SHAPE if the logits, the attention or a part of the
 * state don't have a row for each hypothesis; ERR_NON_FINITE for logits without a largest finite number; the signal's
 * reason.
 * @example
 * ```ts
 * import { log, type PackedIds, tensor } from 'packed-rnn'
 * import { beamSearch } from 'packed-rnn/decoding'
 *
 * // Token 1 is the most probable at first, but after token 2 the text almost certainly ends with token 3.
 * const after = [[0, 0.6, 0.4, 0], [0, 0.5, 0.2, 0.3], [0, 0.05, 0, 0.95]]
 * const step = ({ ids }: PackedIds) => ({ logits: log(tensor([...ids].flatMap(id => after[id]!), [ids.length, 4])), state: null })
 * const [found] = await beamSearch(step, { state: null, sentences: 1, begin: 0, end: 3, maxLength: 4, beams: 3, nBest: 2 })
 * console.log(found?.map(({ tokens }) => tokens)) // [[2], [1]]
 * console.log(found?.map(({ score }) => Math.exp(score).toFixed(3))) // ['0.380', '0.180']
 * ```
 */
export async function beamSearch<S extends State>(
  step: DecodeStep<S>,
  options: BeamOptions<S>,
): Promise<Hypothesis[][]> {
  const op = 'beamSearch'
  const plan = planOf<S, BeamOptions<S>>(op, options, beamNames)
  const rules = rulesOf(options)
  const { topK = 2 ** 31 - 1 } = options
  checkInteger(op, 'topK', topK, 1)
  const coverage = coverageOf(options)
  plan.signal?.throwIfAborted()
  const { state, sentences: count, end, exclude } = plan
  const living = new Living(op, step, { state, count, rows: startsOf(plan), end, exclude })
  const beta = options.coverage?.beta ?? 0
  const most = Math.min(topK, rules.beams + (end === null ? 0 : 1))
  try {
    return await search(plan, rules, living, readerOf(coverage, beta, most), coverage)
  } finally {
    living.dispose()
    coverage?.dispose()
  }
}

type Read = (
  logProbabilities: Matrix,
  result: DecodeResult<State>,
  hypotheses: Sequences,
) => Promise<Candidates>

/** Issues the reading of a step's candidates: of each row those that can be among the first ones of its sentence. */
function readerOf(coverage: Coverage | null, beta: number, most: number): Read {
  return async (logProbabilities, { attention }, hypotheses) => {
    const k = Math.min(most, logProbabilities.shape[1])
    const { values, indices } = topk(logProbabilities, k)
    const [found, tokens, penalties] = await Promise.all([
      values.toArray(),
      indices.toArray(),
      coverage?.add(attention, hypotheses).toArray() ?? null,
    ])
    return { k, values: found, tokens, penalties: penalties?.map(penalty => beta * penalty) ?? null }
  }
}

async function search<S extends State>(
  plan: Plan<S>,
  rules: Rules,
  living: Living<S>,
  read: Read,
  coverage: Coverage | null,
): Promise<Hypothesis[][]> {
  const searches = plan.maxLength.map(length => new SentenceSearch(rules, length))
  let last = new PackedIds(plan.begin.map((token, b) => (plan.maxLength[b]! > 0 ? [token] : [])))
  while (last.sequences.rows > 0) {
    const { sequences } = last
    const candidates = await living.advance(last, (values, result) => read(values, result, sequences))
    checkFirst(candidates, sequences)
    const rows: number[] = []
    const next = searches.map((each, b) => {
      if (sequences.length(b) === 0) return []
      const found = each.expand(candidates, sequences.offsets[b]!)
      rows.push(...found.rows)
      return found.tokens
    })
    last = new PackedIds(next)
    if (rows.length === 0) break
    plan.signal?.throwIfAborted()
    living.select(rows)
    coverage?.select(rows)
  }
  return searches.map(each => each.results())
}

/** Checks that each row has a token to choose. */
function checkFirst({ values, k }: Candidates, sequences: Sequences): void {
  const first = Array.from({ length: sequences.rows }, (_, row) => values[row * k]!)
  if (first.every(Number.isFinite)) return
  const sentences = [...sequences.lengths()].flatMap((length, b) => new Array<number>(length).fill(b))
  checkFinite('beamSearch', first, sentences)
}
