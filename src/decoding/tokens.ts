import { badArgument } from '../errors.js'
import { PackedIds } from '../packed.js'
import type { State } from '../state.js'
import type { Float, Matrix, Tensor } from '../tensor.js'
import { type Decoded, type Plan, startsOf } from './options.js'
import { type DecodeStep, Living } from './step.js'

/** The loop of greedy decoding and sampling: one hypothesis a sentence. */

/** The tokens of one step: entry i of each array is of sentence `sentences[i]`. */
export interface DecodedTokens {
  /** The sentences that got a token, ascending. */
  sentences: readonly number[]
  tokens: readonly number[]
  /** log p of each token under the model. */
  logProbabilities: readonly number[]
}

/**
 * Chooses a token for each row of log-probabilities [N, C]; `sentences` says whose rows they are.
 * @returns N tokens and their log-probabilities.
 */
export type Choose = (
  logProbabilities: Matrix,
  sentences: readonly number[],
) => { tokens: Tensor<'int32'>; logProbabilities: Float }

/**
 * Yields the tokens of each step, end marks included. The next step is issued before the tokens are yielded, so that
 * the device works while the caller does.
 */
export async function* tokenSteps<S extends State>(
  op: string,
  step: DecodeStep<S>,
  plan: Plan<S>,
  choose: Choose,
): AsyncGenerator<DecodedTokens, void, void> {
  plan.signal?.throwIfAborted()
  let sentences = startsOf(plan)
  const { state, sentences: count, end, exclude } = plan
  const living = new Living(op, step, { state, count, rows: sentences, end, exclude })
  try {
    const last = sentences.map(b => plan.begin[b]!)
    let pending = sentences.length === 0 ? null : issue(living, count, sentences, last, choose)
    for (let t = 1; pending !== null; t++) {
      const { tokens, logProbabilities } = await pending
      checkFinite(op, logProbabilities, sentences)
      const found = { sentences, tokens, logProbabilities }
      const rows = sentences.flatMap((b, row) => {
        return tokens[row] !== end && t < plan.maxLength[b]! ? [row] : []
      })
      pending = null
      if (rows.length > 0 && !plan.signal?.aborted) {
        sentences = rows.map(row => found.sentences[row]!)
        living.select(rows)
        const next = rows.map(row => tokens[row]!)
        pending = issue(living, count, sentences, next, choose)
      }
      yield found
      if (rows.length > 0) plan.signal?.throwIfAborted()
    }
  } finally {
    living.dispose()
  }
}

/** Issues a step and what is read of it. Rejects, also with an error of the step function, when it is awaited. */
function issue<S extends State>(
  living: Living<S>,
  count: number,
  sentences: readonly number[],
  tokens: readonly number[],
  choose: Choose,
): Promise<Pick<DecodedTokens, 'tokens' | 'logProbabilities'>> {
  const documents: number[][] = Array.from({ length: count }, () => [])
  for (const [row, b] of sentences.entries()) documents[b]!.push(tokens[row]!)
  const read = async () => {
    const arrays = living.advance(new PackedIds(documents), logProbabilities => {
      const chosen = choose(logProbabilities, sentences)
      return Promise.all([chosen.tokens.toArray(), chosen.logProbabilities.toArray()])
    })
    const [found, values] = await arrays
    return { tokens: [...found], logProbabilities: [...values] }
  }
  const pending = read()
  // If the caller stops before the next step, it is not awaited.
  pending.catch(() => {})
  return pending
}

/** @throws PackedRnnError ERR_NON_FINITE, naming the sentence whose token is not possible. */
export function checkFinite(op: string, values: ArrayLike<number>, sentences: readonly number[]): void {
  for (let row = 0; row < values.length; row++) {
    if (Number.isFinite(values[row]!)) continue
    const wanted = `a finite logit for sentence ${sentences[row]}, and neither NaN nor Infinity`
    throw badArgument(op, 'step: logits', wanted, values[row], 'ERR_NON_FINITE')
  }
}

/** The whole texts of all steps. */
export async function collected(steps: AsyncIterable<DecodedTokens>, plan: Plan<State>): Promise<Decoded[]> {
  const texts = Array.from({ length: plan.sentences }, (): Decoded => {
    return { tokens: [], logProbability: 0, ended: false }
  })
  for await (const { sentences, tokens, logProbabilities } of steps) {
    for (const [row, b] of sentences.entries()) {
      const text = texts[b]!
      text.logProbability += logProbabilities[row]!
      if (tokens[row] === plan.end) text.ended = true
      else text.tokens.push(tokens[row]!)
    }
  }
  return texts
}

/** The steps without end marks, and without the steps that had nothing else. */
export async function* withoutEnds(
  steps: AsyncIterable<DecodedTokens>,
  end: number | null,
): AsyncGenerator<DecodedTokens, void, void> {
  for await (const found of steps) {
    const rows = found.tokens.flatMap((token, row) => (token === end ? [] : [row]))
    if (rows.length === 0) continue
    const of = <T>(values: readonly T[]) => rows.map(row => values[row]!)
    const { sentences, tokens, logProbabilities } = found
    yield {
      sentences: of(sentences),
      tokens: of(tokens),
      logProbabilities: of(logProbabilities),
    }
  }
}
