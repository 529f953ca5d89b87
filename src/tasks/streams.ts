import { checkIndices, checkInteger, checkIntegers, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { PackedIds } from '../packed.js'
import { Generator } from '../random.js'
import type { Loader, LoaderEpoch } from '../training/loader.js'

/** A part of B parallel streams of text. */
export interface Window {
  /** T tokens of each stream. */
  ids: PackedIds
  /** The token after each of them, stream by stream [B · T]. */
  next: Int32Array
  /**
   * With `variable`, T divided by the usual length, else 1. `LanguageModeling` multiplies the learning rate of the step by it
   * (Merity et al. 2018).
   */
  scale: number
}

/** Options of `StreamLoader`. */
export interface StreamLoaderOptions {
  /** B, the number of streams. */
  batchSize: number
  /** T, the tokens of a window. */
  window: number
  /**
   * Whether the lengths of windows are random, new in each epoch (Merity et al. 2018): around T with probability 0.95, else around T/2,
   * with a standard deviation of 5, and at least 5. Default false.
   */
  variable?: boolean
  /** The seed of the lengths; default 0. */
  seed?: number
}

const names: OptionNames<StreamLoaderOptions> = { batchSize: true, window: true, variable: true, seed: true }

/** Of random lengths: the probability of the usual one, the standard deviation, and the least. */
const [USUAL, DEVIATION, LEAST] = [0.95, 5, 5]

/**
 * Cuts a text into B streams of equal length, and these into windows of T tokens. A window continues where the previous one ends, so
 * a model that keeps its state reads each stream from its beginning to its end. Tokens at the end that do not fill the streams are left out.
 *
 * @example
 * ```ts
 * import { StreamLoader } from 'packed-rnn/tasks'
 *
 * const loader = new StreamLoader([0, 1, 2, 3, 4, 5, 6, 7, 8], { batchSize: 2, window: 3 })
 * for (const { batch } of loader.epoch(0).from(0)) {
 *   console.log([...batch.ids.ids].join(), [...batch.next].join()) // 0,1,2,4,5,6 1,2,3,5,6,7
 * }
 * ```
 */
export class StreamLoader implements Loader<Window> {
  readonly #tokens: Int32Array
  readonly #options: Required<StreamLoaderOptions>
  /** Tokens of each stream. */
  readonly #length: number

  /**
   * @param tokens the ids of a whole text.
   * @throws PackedRnnError ERR_EMPTY if a stream has fewer than two tokens; ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT.
   */
  constructor(tokens: Int32Array | readonly number[], options: StreamLoaderOptions) {
    const op = 'StreamLoader'
    checkOptions(op, options, names)
    if ('dtype' in tokens) throw badArgument(op, 'tokens', 'tokens on the host', 'a tensor')
    checkIntegers(op, 'tokens', tokens)
    checkIndices(op, 'tokens', tokens, 2 ** 31)
    const { batchSize, window, variable = false, seed = 0 } = options
    checkInteger(op, 'batchSize', batchSize, 1)
    checkInteger(op, 'window', window, 1)
    checkInteger(op, 'seed', seed, 0)
    this.#tokens = Int32Array.from(tokens)
    this.#options = { batchSize, window, variable, seed }
    this.#length = Math.floor(tokens.length / batchSize)
    if (this.#length < 2) {
      throw badArgument(op, 'tokens', `at least ${2 * batchSize} tokens`, tokens.length, 'ERR_EMPTY')
    }
  }

  /** A description of the windows. */
  get way(): string {
    return JSON.stringify({ tokens: this.#tokens.length, ...this.#options })
  }

  /** Returns the windows of an epoch, counted from 0. */
  epoch(number: number): LoaderEpoch<Window> {
    const { batchSize, window, variable } = this.#options
    const starts = this.#starts(number)
    const last = this.#length - 1
    const make = (start: number, end: number) => {
      const streams = Array.from({ length: batchSize }, (_, b) => b * this.#length)
      const part = (from: number, to: number) => streams.map(at => this.#tokens.subarray(at + from, at + to))
      const next = new Int32Array(batchSize * (end - start))
      for (const [b, tokens] of part(start + 1, end + 1).entries()) next.set(tokens, b * (end - start))
      const scale = variable ? (end - start) / window : 1
      return { batch: { ids: new PackedIds(part(start, end)), next, scale }, tokens: next.length }
    }
    return {
      batches: starts.length,
      tokens: last * batchSize,
      *from(first) {
        for (let i = first; i < starts.length; i++) yield make(starts[i]!, starts[i + 1] ?? last)
      },
    }
  }

  /** The first token of each window. */
  #starts(epoch: number): number[] {
    const { window, variable, seed } = this.#options
    const generator = new Generator(seed, epoch)
    const starts: number[] = []
    for (let at = 0; at < this.#length - 1; ) {
      starts.push(at)
      if (!variable) at += window
      else {
        const mean = generator.uniform() < USUAL ? window : window / 2
        at += Math.max(LEAST, Math.trunc(mean + DEVIATION * generator.normal()))
      }
    }
    return starts
  }
}

/** The ids of several texts, one after the other. */
export function joinedIds(texts: readonly Int32Array[]): Int32Array {
  const ids = new Int32Array(texts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const text of texts) {
    ids.set(text, at)
    at += text.length
  }
  return ids
}
