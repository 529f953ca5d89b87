import { record } from '../autograd.js'
import {
  checkFloat,
  checkInteger,
  checkNumber,
  checkOptions,
  checkTensor,
  checkWord,
  type OptionNames,
} from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { checkSequences, kernelOffsets, PackedSequence, type Sequences } from '../packed.js'
import { checkGenerator, defaultGenerator, type Generator } from '../random.js'
import { empty, full, type Tensor } from '../tensor.js'
import { onRows } from './dims.js'
import { mul } from './elementwise.js'
import { spread } from './segments.js'

/**
 * Identifies a dropout mask and the position of its elements. The random numbers are a function of these
 * alone.
 */
export interface DropoutPlace {
  /** The key of the random numbers: an integer from 0 to 2^53 - 1. */
  seed: number
  /** Distinguishes the masks of successive steps; from 0 to 2^32 - 1. */
  step: number
  /** Distinguishes masks within a step, such as those of the layers of a stack; from 0 to 511. */
  stream?: number
  /** The sequences that the rows belong to; by default row r is sequence r at t = 0. */
  sequences?: Sequences
  /** Parts of a row whose units are counted separately: the directions of a layer; default 1. */
  directions?: number
}

/** Options of `dropout` that draw the mask at random. */
export interface DropoutOptions {
  /** The generator that the mask is drawn from; default: the one seeded by `manualSeed`. */
  generator?: Generator
  /** `'time'`: all tokens of a sequence share a mask. */
  shared?: 'time'
  seed?: undefined
}
const dropoutNames: OptionNames<DropoutOptions> = { generator: true, shared: true, seed: true }

const placeNames: OptionNames<DropoutPlace> = {
  seed: true,
  step: true,
  stream: true,
  sequences: true,
  directions: true,
}

/**
 * `dropout` without a tape. The mask is a function of an element's position alone, so the backward pass is
 * this same function, applied to the gradient.
 *
 * @param x any shape; the last dimension is the units.
 * @param p the probability of dropping an element, in [0, 1].
 * @returns a tensor of x's shape.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if p is outside [0, 1]; ERR_SHAPE if `sequences` or `directions`
 * don't fit the shape.
 * @example
 * ```ts
 * import { dropoutForward, full } from 'packed-rnn'
 *
 * const x = full([1000], 1)
 * const y = await dropoutForward(x, 0.5, { seed: 1, step: 0 }).toArray()
 * const again = await dropoutForward(x, 0.5, { seed: 1, step: 0 }).toArray()
 * console.log(new Set(y), y.every((value, i) => value === again[i])) // Set(2) { 2, 0 } true
 * ```
 */
export function dropoutForward<R extends number>(
  x: Tensor<'float32', R>,
  p: number,
  place: DropoutPlace,
): Tensor<'float32', R> {
  const op = 'dropout'
  checkOptions(op, place, placeNames, 'place')
  const { seed, step, stream = 0, sequences, directions = 1 } = place
  checkTensor(op, 'x', x, { dtype: 'float32' })
  checkNumber(op, 'p', p, 0, 1)
  checkInteger(op, 'seed', seed, 0, Number.MAX_SAFE_INTEGER)
  checkInteger(op, 'step', step, 0, 2 ** 32 - 1)
  checkInteger(op, 'stream', stream, 0, 511)
  const shape: readonly number[] = x.shape
  const columns = shape.at(-1) ?? 1
  const rows = columns === 0 ? 0 : x.size / columns
  checkInteger(op, 'directions', directions, 1)
  if (columns % directions !== 0) {
    throw badArgument(op, 'directions', `a divisor of ${columns} columns`, directions, 'ERR_SHAPE')
  }
  if (sequences !== undefined) checkSequences(op, sequences)
  if (sequences !== undefined && sequences.rows !== rows) {
    throw badArgument(op, 'sequences', `${rows} rows`, sequences.rows, 'ERR_SHAPE')
  }
  const y = empty<R>(x.device, x.shape)
  native.dropout(x.device.queue, {
    rows,
    columns,
    directions,
    seed,
    step,
    stream,
    p,
    sequences: sequences === undefined ? null : kernelOffsets(sequences),
    x: x.buffer,
    y: y.buffer,
  })
  return y
}

/**
 * Inverted dropout (Srivastava et al. 2014): an element is 0 with probability p, and otherwise multiplied by
 * 1 / (1 - p). The random integer of an element is Philox4x32-10 at its position, so a seed and a step give
 * the same mask on every device.
 *
 * @param x any shape, where the last dimension is the units; or a packed sequence.
 * @param p the probability of dropping an element, in [0, 1].
 * @param place identifies the mask; by default a generator draws it.
 * @returns a tensor of x's shape, or a packed sequence.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if p is outside [0, 1].
 * @example
 * ```ts
 * import { dropout, full, manualSeed } from 'packed-rnn'
 *
 * manualSeed(1)
 * const y = await dropout(full([10000], 1), 0.5).toArray()
 * const dropped = y.filter(value => value === 0).length
 * console.log(new Set(y).has(2), Math.abs(dropped - 5000) < 300) // true true
 * ```
 */
export function dropout<R extends number>(
  x: Tensor<'float32', R>,
  p: number,
  place?: DropoutPlace | DropoutOptions,
): Tensor<'float32', R>
export function dropout(x: PackedSequence, p: number, options?: DropoutOptions): PackedSequence
export function dropout(
  x: Tensor<'float32'> | PackedSequence,
  p: number,
  options: DropoutPlace | DropoutOptions = {},
): Tensor<'float32'> | PackedSequence {
  const op = 'dropout'
  if (isPlace(options)) return onRows(op, x, rows => droppedAt(rows, p, options))
  checkOptions(op, options, dropoutNames)
  const { shared, generator } = options
  if (shared !== undefined) checkWord(op, 'shared', shared, ['time'])
  checkGenerator(op, generator)
  checkNumber(op, 'p', p, 0, 1)
  if (!(x instanceof PackedSequence)) {
    checkFloat(op, 'x', x)
    if (shared === undefined) return droppedAt(x, p, drawnPlace(generator))
    throw badArgument(op, 'shared', 'a packed sequence', 'a tensor')
  }
  const { sequences } = x
  return onRows(op, x, rows => {
    const place = drawnPlace(generator)
    if (shared === undefined) return droppedAt(rows, p, { ...place, sequences })
    // One mask for all tokens of a sequence (Gal and Ghahramani 2016).
    const ones = full<2>([sequences.batchSize, x.width], 1, { device: rows.device })
    const mask = dropoutForward(ones, p, place)
    ones.dispose()
    const masks: Tensor<'float32'> = spread(mask, sequences)
    const y = mul(rows, masks)
    for (const part of [mask, masks]) part.dispose()
    return y
  })
}

function drawnPlace(generator = defaultGenerator()): DropoutPlace {
  return { seed: generator.bits(), step: generator.bits() }
}

function isPlace(options: DropoutPlace | DropoutOptions): options is DropoutPlace {
  return typeof options === 'object' && options !== null && options.seed !== undefined
}

function droppedAt<R extends number>(
  x: Tensor<'float32', R>,
  p: number,
  place: DropoutPlace,
): Tensor<'float32', R> {
  const y = dropoutForward(x, p, place)
  record('dropout', [x], [y], () => ([dY]) => [dY ? dropoutForward(dY, p, place) : null])
  return y
}
