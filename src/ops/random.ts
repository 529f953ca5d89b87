import { noGrad } from '../autograd.js'
import { checkFloat, checkInteger, checkNumber, checkOptions, type OptionNames } from '../check.js'
import { deviceOr } from '../device.js'
import { applyFunction } from '../elements.js'
import { badArgument } from '../errors.js'
import { distributions, native } from '../native.js'
import { checkGenerator, defaultGenerator, type Generator } from '../random.js'
import { scope } from '../scope.js'
import {
  checkShape,
  empty,
  type Float,
  type FloatOptions,
  floatNames,
  full,
  type Shape,
  type Tensor,
  tensor,
} from '../tensor.js'
import { add, log, maximum, neg } from './elementwise.js'
import { argmax, topk } from './order.js'
import { expand, unsqueeze } from './shape.js'

/**
 * Random numbers on a device: Philox4x32-10 with a key drawn on the host, so that a seed produces the same
 * uniform numbers on every device.
 */

/** Where a random tensor is, and which generator draws its key. */
export interface RandomOptions extends FloatOptions {
  /** Default: the generator seeded by `manualSeed`. */
  generator?: Generator
}
const randomNames: OptionNames<RandomOptions> = { ...floatNames, generator: true }

function drawn(
  op: string,
  distribution: keyof typeof distributions,
  shape: Shape,
  options: RandomOptions,
): Float {
  checkOptions(op, options, randomNames)
  checkShape(op, shape)
  checkGenerator(op, options.generator)
  const device = deviceOr(options.device, op)
  const y = empty<number>(device, [...shape])
  draw(y, distribution, options.generator)
  y.requiresGrad = options.requiresGrad ?? false
  return y
}

function draw(y: Float, distribution: keyof typeof distributions, generator = defaultGenerator()): void {
  native.draw(y.device.queue, {
    distribution: distributions[distribution],
    count: y.size,
    seed: generator.bits(),
    step: generator.bits(),
    stream: 0,
    out: y.buffer,
  })
}

/**
 * Returns uniform numbers in [0, 1), multiples of 2⁻²⁴.
 * @example
 * ```ts
 * import { Generator, rand } from 'packed-rnn'
 *
 * const x = await rand([1000], { generator: new Generator(1) }).toArray()
 * const mean = x.reduce((sum, value) => sum + value) / x.length
 * console.log(x.every(value => value >= 0 && value < 1), Math.abs(mean - 0.5) < 0.05) // true true
 * ```
 */
export function rand<const S extends Shape>(shape: S, options?: RandomOptions): Tensor<'float32', S['length']>
export function rand(shape: Shape, options: RandomOptions = {}): Float {
  return drawn('rand', 'uniform', shape, options)
}

/**
 * Returns normal numbers of mean 0 and variance 1 (Box and Muller 1958).
 * @example
 * ```ts
 * import { Generator, randn } from 'packed-rnn'
 *
 * const x = await randn([1000], { generator: new Generator(1) }).toArray()
 * const mean = x.reduce((sum, value) => sum + value) / x.length
 * console.log(Math.abs(mean) < 0.1, x.some(value => value < -1)) // true true
 * ```
 */
export function randn<const S extends Shape>(
  shape: S,
  options?: RandomOptions,
): Tensor<'float32', S['length']>
export function randn(shape: Shape, options: RandomOptions = {}): Float {
  return drawn('randn', 'normal', shape, options)
}

/** Options of ops that draw numbers. */
export interface DrawOptions {
  /** Default: the generator seeded by `manualSeed`. */
  generator?: Generator
}
const drawNames: OptionNames<DrawOptions> = { generator: true }

/**
 * Returns 1 with probability p, and otherwise 0, for each element; no gradient.
 * @example
 * ```ts
 * import { bernoulli, tensor } from 'packed-rnn'
 *
 * console.log(await bernoulli(tensor([0, 1, 1])).toArray()) // Float32Array(3) [0, 1, 1]
 * ```
 */
export function bernoulli<R extends number>(
  p: Tensor<'float32', R>,
  options: DrawOptions = {},
): Tensor<'float32', R> {
  const op = 'bernoulli'
  checkOptions(op, options, drawNames)
  checkFloat(op, 'p', p)
  checkGenerator(op, options.generator)
  const u = empty<R>(p.device, p.shape)
  draw(u, 'uniform', options.generator)
  const y = applyFunction<R>('lt', p.device, p.shape, u, p)
  u.dispose()
  return y
}

/** Options of `multinomial`. */
export interface MultinomialOptions extends DrawOptions {
  /** Whether an index can be drawn several times; default false. */
  replacement?: boolean
}
const multinomialNames: OptionNames<MultinomialOptions> = { ...drawNames, replacement: true }

/**
 * Draws indices with probabilities proportional to weights, as torch.multinomial: the k largest of log weight
 * + Gumbel noise (Gumbel 1954). Everything runs on the device; no gradient.
 *
 * @param weights [N, C] or [C], not negative; a row need not add up to 1.
 * @param samples the number of indices for each row; without replacement at most the number of weights that
 * are not 0.
 * @returns [N, samples] or [samples]
 * @example
 * ```ts
 * import { multinomial, tensor } from 'packed-rnn'
 *
 * const drawn = multinomial(tensor([0, 0, 1, 0, 1, 0], [2, 3]), 1)
 * console.log(drawn.shape, await drawn.toArray()) // [2, 1] Int32Array(2) [2, 1]
 * ```
 */
export function multinomial(
  weights: Float,
  samples: number,
  options: MultinomialOptions = {},
): Tensor<'int32'> {
  const op = 'multinomial'
  checkOptions(op, options, multinomialNames)
  checkFloat(op, 'weights', weights)
  const rank = weights.shape.length
  if (rank !== 1 && rank !== 2)
    throw badArgument(op, 'weights', 'one or two dimensions', weights.shape, 'ERR_SHAPE')
  const classes = weights.shape.at(-1)!
  const { replacement = false, generator } = options
  checkInteger(op, 'samples', samples, 1, replacement && classes > 0 ? 2 ** 31 - 1 : classes)
  checkGenerator(op, generator)
  const repeatedShape = [...weights.shape.slice(0, -1), samples, classes]
  checkShape(op, repeatedShape)
  return noGrad(() =>
    scope(() => {
      const again = replacement && samples > 1
      const each = again ? expand(unsqueeze(weights, -2), repeatedShape) : weights
      const u = empty<number>(each.device, each.shape)
      draw(u, 'uniform', generator)
      // −log(−log u), with a small number instead of u = 0.
      const noise = neg(log(neg(log(maximum(u, 2 ** -25)))))
      const keys = add(log(each), noise)
      return again ? argmax(keys, { dim: -1 }) : topk(keys, samples).indices
    }),
  )
}

/** Options of `arange`. */
export interface ArangeOptions extends FloatOptions {
  /** The difference between neighbours; default 1. */
  step?: number
}
const arangeNames: OptionNames<ArangeOptions> = { ...floatNames, step: true }

/**
 * Returns the numbers from `start` up to, but not including, `end`, as torch.arange.
 *
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a step of 0 or away from `end`, or more than 2²⁸ numbers.
 * @example
 * ```ts
 * import { arange } from 'packed-rnn'
 *
 * console.log(await arange(0, 1, { step: 0.25 }).toArray()) // Float32Array(4) [0, 0.25, 0.5, 0.75]
 * ```
 */
export function arange(start: number, end: number, options: ArangeOptions = {}): Tensor<'float32', 1> {
  const op = 'arange'
  checkOptions(op, options, arangeNames)
  const { step = 1, ...rest } = options
  deviceOr(rest.device, op)
  for (const [name, value] of Object.entries({ start, end, step })) checkNumber(op, name, value, -Infinity)
  const count = Math.ceil((end - start) / step)
  if (step === 0 || count < 0) {
    throw badArgument(op, 'step', `a step from ${start} towards ${end}`, step, 'ERR_OUT_OF_RANGE')
  }
  checkInteger(op, 'the number of values', count, 0, 2 ** 28)
  const values = Float32Array.from({ length: count }, (_, i) => start + i * step)
  return tensor(values, [count], rest)
}

/**
 * Returns zeros of a tensor's shape, on its device.
 * @example
 * ```ts
 * import { tensor, zerosLike } from 'packed-rnn'
 *
 * const y = zerosLike(tensor([1, 2, 3]))
 * console.log(y.shape, await y.toArray()) // [3] Float32Array(3) [0, 0, 0]
 * ```
 */
export function zerosLike<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  checkFloat('zerosLike', 'x', x)
  return full<R>(x.shape, 0, { device: x.device })
}
