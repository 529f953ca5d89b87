import { noGrad } from '../autograd.js'
import { checkInteger, checkNumber, checkOptions, type OptionNames } from '../check.js'
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
import { checkFloat } from './dims.js'
import { add, log, maximum, neg } from './elementwise.js'
import { argmax, topk } from './reduce.js'
import { expand, unsqueeze } from './shape.js'

/**
 * Random numbers on a device: Philox4x32-10 of a key that the host draws, so that a seed gives the same uniform numbers on
 * every device.
 */

/** Where a random tensor is, and what draws its key. */
export interface RandomOptions extends FloatOptions {
  /** Default: the one that `manualSeed` seeds. */
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

/** Uniform numbers in [0, 1), multiples of 2⁻²⁴. @throws PackedRnnError ERR_SHAPE, ERR_DEVICE, ERR_INVALID_ARGUMENT. */
export function rand<const S extends Shape>(shape: S, options?: RandomOptions): Tensor<'float32', S['length']>
export function rand(shape: Shape, options: RandomOptions = {}): Float {
  return drawn('rand', 'uniform', shape, options)
}

/**
 * Normal numbers of mean 0 and variance 1 (Box and Muller 1958).
 * @throws PackedRnnError ERR_SHAPE, ERR_DEVICE, ERR_INVALID_ARGUMENT.
 */
export function randn<const S extends Shape>(
  shape: S,
  options?: RandomOptions,
): Tensor<'float32', S['length']>
export function randn(shape: Shape, options: RandomOptions = {}): Float {
  return drawn('randn', 'normal', shape, options)
}

/** What draws. */
export interface DrawOptions {
  /** Default: the one that `manualSeed` seeds. */
  generator?: Generator
}
const drawNames: OptionNames<DrawOptions> = { generator: true }

/**
 * 1 with the probability that p says, else 0; no gradient.
 * @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
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

/** How places are drawn. */
export interface MultinomialOptions extends DrawOptions {
  /** Whether a place may come again; default false. */
  replacement?: boolean
}
const multinomialNames: OptionNames<MultinomialOptions> = { ...drawNames, replacement: true }

/**
 * Places drawn from rows of weights, as torch.multinomial: the k largest of log weight + Gumbel noise (Gumbel 1954). The host
 * sees the places alone. No gradient.
 *
 * @param weights [N, C] or [C], not negative; a row need not add up to 1.
 * @param samples of each row; without replacement at most as many as there are weights that are not 0.
 * @returns [N, samples] or [samples]
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DISPOSED; ERR_OUT_OF_RANGE for another number of samples.
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
      // −log(−log u), of a small number where u is 0.
      const noise = neg(log(neg(log(maximum(u, 2 ** -25)))))
      const keys = add(log(each), noise)
      return again ? argmax(keys, { dim: -1 }) : topk(keys, samples).indices
    }),
  )
}

/** What a range is made of. */
export interface ArangeOptions extends FloatOptions {
  /** From one number to the next; default 1. */
  step?: number
}
const arangeNames: OptionNames<ArangeOptions> = { ...floatNames, step: true }

/**
 * The numbers from `start` to below `end`, as torch.arange.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a step of 0 or away from `end`, bounds that are not finite, or more than 2²⁸ numbers;
 * ERR_DEVICE.
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

/** Zeros of a tensor's shape, on its device. @throws PackedRnnError ERR_DTYPE, ERR_DISPOSED. */
export function zerosLike<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  checkFloat('zerosLike', 'x', x)
  return full<R>(x.shape, 0, { device: x.device })
}
