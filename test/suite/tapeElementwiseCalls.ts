import {
  abs,
  add,
  clamp,
  div,
  eq,
  exp,
  gelu,
  gt,
  log,
  lt,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  relu,
  sigmoid,
  softplus,
  sqrt,
  sub,
  tanh,
  where,
} from '../../src/ops/elementwise.js'
import type { PackedSequence } from '../../src/packed.js'
import * as exact from '../reference/exact.js'
import {
  apart,
  awayFromZero,
  type Call,
  type Calls,
  type Draw,
  type Float,
  oneToTwo,
  packed,
} from './tape.js'

export type Binary = (a: Float | number, b: Float | number) => Float
export interface Unary {
  (x: Float): Float
  (x: PackedSequence): PackedSequence
}

export const binaries: Readonly<Record<string, readonly [Binary, typeof exact.add]>> = {
  add: [add, exact.add],
  sub: [sub, exact.sub],
  mul: [mul, exact.mul],
  div: [div, exact.div],
  pow: [pow, exact.pow],
  maximum: [maximum, exact.maximum],
  minimum: [minimum, exact.minimum],
  eq: [eq, exact.eq],
  gt: [gt, exact.gt],
  lt: [lt, exact.lt],
}
export const COMPARISONS = ['eq', 'gt', 'lt']

export const unaries: Readonly<Record<string, readonly [Unary, typeof exact.exp, Draw?]>> = {
  neg: [neg, exact.neg],
  exp: [exp, exact.exp],
  log: [log, exact.log, oneToTwo],
  sqrt: [sqrt, exact.sqrt, oneToTwo],
  abs: [abs, exact.abs, awayFromZero],
  softplus: [softplus, exact.softplus],
  sigmoid: [sigmoid, exact.sigmoid],
  tanh: [tanh, exact.tanh],
  relu: [relu, exact.relu, awayFromZero],
  gelu: [gelu, exact.gelu],
}

/** Of one operand, of a tensor `x` or, as `expPacked`, of the `rows` of sequences. */
export const unaryCalls: Calls = Object.fromEntries(
  Object.entries(unaries).flatMap(([name, [ours]]): [string, Call][] => [
    [name, ({ x }) => ours(x!)],
    [`${name}Packed`, ({ rows }, { lengths }) => ours(packed(rows, lengths))],
  ]),
)

/** Of `a` and `b`, one of which may be a number of the options. */
export const binaryCalls: Calls = Object.fromEntries(
  Object.entries(binaries).map(([name, [ours]]): [string, Call] => [
    name,
    (x, options) => ours(x.a ?? options.a!, x.b ?? options.b!),
  ]),
)

function bounds({ min, max }: { min?: number; max?: number }) {
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) }
}

export const elementwiseCalls: Calls = {
  ...unaryCalls,
  ...binaryCalls,
  where: (x, options) => where(x.condition!, x.a ?? options.a!, x.b ?? options.b!),
  clamp: ({ x }, o) => clamp(x!, bounds(o)),
  clampPacked: ({ rows }, o) => clamp(packed(rows, o.lengths), bounds(o)),
}

/** How an input of the op may be drawn so that no corner and no pole is near. */
export function drawOf(op: string): Draw | Record<string, Draw> | undefined {
  if (op === 'maximum' || op === 'minimum') return apart
  if (op === 'div') return { b: generator => (generator.below(2) === 0 ? -1 : 1) * oneToTwo(generator) }
  if (op === 'pow') return { a: oneToTwo }
  return unaries[op.replace('Packed', '')]?.[2]
}
