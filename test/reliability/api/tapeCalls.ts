import { cummax } from '../../../src/ops/cumulative.js'
import * as ops from '../../../src/ops/elementwise.js'
import * as products from '../../../src/ops/products.js'
import * as reductions from '../../../src/ops/reduce.js'
import { logSoftmax, softmax } from '../../../src/ops/softmax.js'
import type { Tensor } from '../../../src/tensor.js'
import type { NdArray } from '../../reference/arrays.js'
import * as exact from '../../reference/exact.js'
import {
  beside,
  broadcasting,
  CLOSE,
  compared,
  dimOf,
  drive,
  EXACT,
  given,
  mostly,
  shapeOf,
} from './drive.js'
import type { Call } from './opCalls.js'
import { packed } from './packedCalls.js'
import type { World } from './world.js'

/** The tape's functions of elements, reductions and products. */

type Float = Tensor<'float32'>

const unaries = {
  neg: [ops.neg, exact.neg],
  exp: [ops.exp, exact.exp],
  log: [ops.log, exact.log],
  sqrt: [ops.sqrt, exact.sqrt],
  abs: [ops.abs, exact.abs],
  softplus: [ops.softplus, exact.softplus],
  sigmoid: [ops.sigmoid, exact.sigmoid],
  tanh: [ops.tanh, exact.tanh],
  relu: [ops.relu, exact.relu],
  gelu: [ops.gelu, exact.gelu],
} as const
const binaries = {
  add: [ops.add, exact.add],
  sub: [ops.sub, exact.sub],
  mul: [ops.mul, exact.mul],
  multiply: [ops.multiply, exact.mul],
  div: [ops.div, exact.div],
  pow: [ops.pow, exact.pow],
  maximum: [ops.maximum, exact.maximum],
  minimum: [ops.minimum, exact.minimum],
  eq: [ops.eq, exact.eq],
  gt: [ops.gt, exact.gt],
  lt: [ops.lt, exact.lt],
} as const
const unaryNames: (keyof typeof unaries)[] = [
  'neg',
  'exp',
  'log',
  'sqrt',
  'abs',
  'softplus',
  'sigmoid',
  'tanh',
  'relu',
  'gelu',
]
const binaryNames: (keyof typeof binaries)[] = [
  'add',
  'sub',
  'mul',
  'multiply',
  'div',
  'pow',
  'maximum',
  'minimum',
  'eq',
  'gt',
  'lt',
]
/** Of any numbers: the others are compared where these are moderate. */
const everywhere: readonly string[] = [
  ...['neg', 'exp', 'sqrt', 'abs', 'relu'],
  ...['add', 'sub', 'mul', 'multiply', 'maximum', 'minimum', 'eq', 'gt', 'lt'],
]
const how = (op: string) => (everywhere.includes(op) ? CLOSE : {})

function unary(world: World): void {
  const { hostile } = world
  const op = hostile.oneOf(unaryNames)
  const [run, reference] = unaries[op]
  if (hostile.once(6)) {
    const x = packed(world)
    if (x !== null) drive(world, op, () => [run(x)])
    return
  }
  const x = world.some()
  compared(
    world,
    op,
    [x],
    () => [run(x)],
    a => [reference(a)],
    how(op),
  )
}

function binary(world: World): void {
  const { hostile } = world
  const op = hostile.oneOf(binaryNames)
  const [run, reference] = binaries[op]
  const x = world.some()
  const other = hostile.once(4)
    ? hostile.number(hostile.uniform(-2, 2))
    : beside(world, x, broadcasting(world, shapeOf(x)))
  const [a, b] = hostile.once(2) ? [x, other] : [other, x]
  const tensors = [a, b].filter(each => typeof each !== 'number')
  compared(
    world,
    op,
    tensors,
    () => [run(a, b)],
    (...values) => {
      const operand = (of: Float | number) =>
        typeof of === 'number' ? Math.fround(of) : values[tensors.indexOf(of)]!
      // A denormal exponent is 0 to the reference, and to the kernel no whole number.
      const exponent = operand(b)
      const vague = op === 'pow' && (typeof exponent === 'number' ? [exponent] : exponent.data).includes(0)
      return [vague ? null : reference(operand(a), exponent)]
    },
    how(op),
  )
}

function where(world: World): void {
  const { hostile } = world
  const condition = world.some()
  const [a, b] = [0, 0].map(() =>
    hostile.once(4) ? hostile.number(1) : beside(world, condition, broadcasting(world, shapeOf(condition))),
  )
  const tensors = [condition, a!, b!].filter(each => typeof each !== 'number')
  compared(
    world,
    'where',
    tensors,
    () => [ops.where(condition, a!, b!)],
    (...values) => {
      const operand = (of: Float | number) =>
        typeof of === 'number' ? Math.fround(of) : values[tensors.indexOf(of)]!
      return [exact.where(values[0]!, operand(a!), operand(b!))]
    },
    EXACT,
  )
}

function clamp(world: World): void {
  const { hostile } = world
  const x = world.some()
  const options = given(world, {
    ...(hostile.once(2) && { min: hostile.number(-1) }),
    ...(hostile.once(2) && { max: hostile.number(1) }),
  })
  compared(
    world,
    'clamp',
    [x],
    () => [ops.clamp(x, options)],
    a => [
      exact.clamp(a, {
        min: Math.fround(options.min ?? -Infinity),
        max: Math.fround(options.max ?? Infinity),
      }),
    ],
    CLOSE,
  )
}

/** Of a scalar the reference has no dimension. */
const unlessScalar = (x: NdArray, f: () => NdArray) => [x.shape.length === 0 ? null : f()]

type Options = reductions.NormOptions
const reduces = {
  sum: [(x: Float, options: Options) => reductions.sum(x, options), exact.sum],
  mean: [(x: Float, options: Options) => reductions.mean(x, options), exact.mean],
  amax: [reductions.amax, exact.amax],
  amin: [reductions.amin, exact.amin],
  norm: [reductions.norm, exact.norm],
} as const
const reduceNames: (keyof typeof reduces)[] = ['sum', 'mean', 'amax', 'amin', 'norm']

function overDims(world: World): void {
  const { hostile } = world
  const op = hostile.oneOf(reduceNames)
  const [run, reference] = reduces[op]
  const x = world.some()
  const several = Array.from({ length: hostile.below(4) }, () => dimOf(world, x))
  const options = given(world, {
    ...(!hostile.once(3) && { dim: mostly(world, hostile.once(2) ? dimOf(world, x) : several) }),
    ...(hostile.once(2) && { keepdim: hostile.once(2) }),
    ...(op === 'norm' && { p: hostile.once(30) ? hostile.number(3) : hostile.oneOf([1, 2, 2, Infinity]) }),
  })
  compared(
    world,
    op,
    [x],
    () => [run(x, options)],
    a => unlessScalar(a, () => reference(a, options)),
    op === 'amax' || op === 'amin' ? EXACT : {},
  )
}

function argmax(world: World): void {
  const { hostile } = world
  const x = world.some()
  const options = given(world, {
    ...(!hostile.once(3) && { dim: dimOf(world, x) }),
    ...(hostile.once(2) && { keepdim: hostile.once(2) }),
  })
  compared(
    world,
    'argmax',
    [x],
    () => [reductions.argmax(x, options)],
    a => unlessScalar(a, () => exact.argmax(a, options)),
    EXACT,
  )
}

function largestSoFar(x: Float, dim: number): Float {
  const { values, indices } = cummax(x, dim)
  indices.dispose()
  return values
}

function along(world: World): void {
  const { hostile } = world
  const x = world.some()
  const dim = dimOf(world, x)
  const calls: [op: string, call: () => Float, reference: (x: NdArray) => NdArray][] = [
    ['cumsum', () => reductions.cumsum(x, dim), a => exact.cumsum(a, dim)],
    ['cummax', () => largestSoFar(x, dim), a => exact.cummax(a, dim)],
    ['softmax', () => softmax(x, { dim }), a => exact.softmax(a, dim)],
    ['logSoftmax', () => logSoftmax(x, { dim }), a => exact.logSoftmax(a, dim)],
    ['logsumexp', () => reductions.logsumexp(x, { dim }), a => exact.logsumexp(a, { dim })],
  ]
  const [op, call, reference] = hostile.oneOf(calls)
  compared(
    world,
    op,
    [x],
    () => [call()],
    a => unlessScalar(a, () => reference(a)),
  )
  const rows = hostile.once(4) ? packed(world) : null
  const options = given(world, { dim: hostile.once(4) ? dimOf(world, x) : -1 })
  const run = hostile.oneOf([softmax, logSoftmax])
  if (rows !== null) drive(world, run.name, () => [run(rows, options)])
}

function topk(world: World): void {
  const { hostile } = world
  const x = world.some()
  const dim = dimOf(world, x)
  const n = shapeOf(x).at(dim) ?? 1
  const k = hostile.number(hostile.below(n >= 0 && n < 1e4 ? Math.floor(n) + 1 : 3))
  const options = given(world, { dim, ...(hostile.once(2) && { largest: hostile.once(2) }) })
  compared(
    world,
    'topk',
    [x],
    () => {
      const { values, indices } = reductions.topk(x, k, options)
      return [values, indices]
    },
    a => {
      if (a.shape.length === 0) return [null, null]
      const { values, indices } = exact.topk(a, k, options)
      return [values, indices]
    },
    EXACT,
  )
}

function matmul(world: World): void {
  const { hostile } = world
  const batch = Array.from({ length: hostile.below(4) }, () => hostile.below(4))
  const [m, k, n] = [hostile.size(), hostile.size(), hostile.size()]
  const a = world.float([...batch, m, k])
  const b = beside(world, a, [...broadcasting(world, batch), k, n])
  compared(
    world,
    'matmul',
    [a, b],
    () => [products.matmul(a, b)],
    (x, y) => [exact.matmul(x, y)],
  )
  const [x, y] = [world.float<3>([batch[0] ?? 2, m, k]), world.float<3>([batch[0] ?? 2, k, n])]
  compared(
    world,
    'bmm',
    [x, y],
    () => [products.bmm(x, y)],
    (left, right) => [exact.matmul(left, right)],
  )
}

function cosineSimilarity(world: World): void {
  const { hostile } = world
  const a = world.some()
  const b = beside(world, a)
  const options = given(world, {
    ...(hostile.once(2) && { dim: dimOf(world, a) }),
    ...(hostile.once(3) && { eps: hostile.number(1e-3) }),
  })
  compared(
    world,
    'cosineSimilarity',
    [a, b],
    () => [products.cosineSimilarity(a, b, options)],
    (x, y) => unlessScalar(x, () => exact.cosineSimilarity(x, y, options)),
  )
}

export const tapeCalls: Record<string, Call> = {
  unary,
  unaryAgain: unary,
  binary,
  binaryAgain: binary,
  where,
  clamp,
  overDims,
  overDimsAgain: overDims,
  argmax,
  along,
  alongAgain: along,
  topk,
  matmul,
  cosineSimilarity,
}
