import { checkInteger, checkList, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import type { State } from '../state.js'

/** What every way of decoding needs. */
export interface DecodeOptions<S extends State> {
  /** What the first step gets: axis 0 of every leaf is the sentence. It is not disposed. */
  state: S
  /** B, the sentences that are decoded at once. */
  sentences: number
  /**
   * The first `last` token: one for all sentences, or [B]. It is not part of the result. To continue a text, let the
   * model read all but its last token, and begin with that one.
   */
  begin: number | readonly number[]
  /** The token that ends a sentence. null: none, so that every sentence gets `maxLength` tokens. */
  end: number | null
  /** The most tokens of a sentence, its end mark included: one number for all sentences, or [B]. */
  maxLength: number | readonly number[]
  /**
   * Tokens that are never chosen; default none. Their share is not divided among the others: log-probabilities are those of all
   * tokens.
   */
  exclude?: readonly number[]
  /** Ends the decoding before the next step; it then rejects with the signal's reason. */
  signal?: AbortSignal
}

/** @internal */
export const decodeNames: OptionNames<DecodeOptions<State>> = {
  state: true,
  sentences: true,
  begin: true,
  end: true,
  maxLength: true,
  exclude: true,
  signal: true,
}

/** The best token sequence that was found for a sentence. */
export interface Decoded {
  /** Without the begin and end marks. */
  tokens: number[]
  /** Σ log p of the tokens and the end mark, if there is one, under the model. */
  logProbability: number
  /** Whether the end mark came within `maxLength`. */
  ended: boolean
}

/** Checked options, with a number for each sentence. */
export interface Plan<S extends State> {
  readonly state: S
  readonly sentences: number
  readonly begin: readonly number[]
  readonly end: number | null
  readonly maxLength: readonly number[]
  readonly exclude: readonly number[]
  readonly signal: AbortSignal | null
}

/** @throws PackedRnnError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_SHAPE. */
export function planOf<S extends State, O extends DecodeOptions<S>>(
  op: string,
  options: O,
  names: OptionNames<NoInfer<O>>,
): Plan<S> {
  checkOptions(op, options, names)
  const { state, sentences, begin, end, maxLength, exclude = [], signal } = options
  checkInteger(op, 'sentences', sentences, 0)
  if (end !== null) checkInteger(op, 'end', end, 0)
  checkList(op, 'exclude', exclude, 'tokens')
  for (const [i, token] of exclude.entries()) checkInteger(op, `exclude[${i}]`, token, 0)
  return {
    state,
    sentences,
    begin: perSentence(op, 'begin', begin, sentences),
    end,
    maxLength: perSentence(op, 'maxLength', maxLength, sentences),
    exclude: [...exclude],
    signal: signal ?? null,
  }
}

function perSentence(
  op: string,
  name: string,
  given: number | readonly number[],
  sentences: number,
): readonly number[] {
  if (typeof given === 'number') {
    checkInteger(op, name, given, 0)
    return new Array<number>(sentences).fill(given)
  }
  checkList(op, name, given, 'integers')
  if (given.length !== sentences) {
    throw badArgument(op, name, `${sentences} integers, one a sentence`, given.length, 'ERR_SHAPE')
  }
  for (const [b, value] of given.entries()) checkInteger(op, `${name}[${b}]`, value, 0)
  return [...given]
}

/** The sentences that get at least one token. */
export function startsOf({ maxLength }: Plan<State>): number[] {
  return maxLength.flatMap((length, b) => (length > 0 ? [b] : []))
}
