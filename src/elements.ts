import { badArgument } from './errors.js'
import { functions, type NativeBuffer, native } from './native.js'
import { checkShape, empty, type Float, sizeOf, type Tensor } from './tensor.js'

/** Elementwise functions with broadcasting, without recording on the tape. */

/** A tensor, or a number that is used for every element. */
export type Operand = Float | number

/** Strides that stay on one element, and strides that go through all elements in order. */
const NOTHING: readonly number[] = [0, 0, 0, 0]
const LAST: readonly number[] = [0, 0, 0, 1]
/** A shape without elements. */
const NONE: readonly number[] = [1, 1, 1, 0]
/** The dimensions that the kernels support, after those that are contiguous in every operand are joined. */
const MOST_DIMENSIONS = 4

/** The shape and the strides of an op's operands, in the fewest dimensions. @internal */
export interface Walk {
  shape: readonly number[]
  /** For each operand, in elements; 0 repeats an element. */
  strides: readonly (readonly number[])[]
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/**
 * Returns the shape that a and b broadcast to, as in NumPy: aligned at the last dimension, sizes of 1 are
 * repeated.
 * @throws PackedRnnError ERR_SHAPE, naming `name`, if they don't broadcast. @internal
 */
export function broadcastShape(
  op: string,
  name: string,
  a: readonly number[],
  b: readonly number[],
): readonly number[] {
  if (sameShape(a, b)) return a
  const rank = Math.max(a.length, b.length)
  const shape = new Array<number>(rank)
  for (let i = 1; i <= rank; i++) {
    const [n, m] = [a[a.length - i] ?? 1, b[b.length - i] ?? 1]
    if (n !== m && n !== 1 && m !== 1) {
      throw badArgument(op, name, `a shape that broadcasts with [${a.join(', ')}]`, b, 'ERR_SHAPE')
    }
    shape[rank - i] = n === 1 ? m : n
  }
  checkShape(op, shape)
  return shape
}

/** Returns the strides of a contiguous tensor in a shape that it broadcasts to. @internal */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const strides = new Array<number>(to.length).fill(0)
  let next = 1
  for (let i = 1; i <= from.length; i++) {
    const n = from[from.length - i]!
    strides[to.length - i] = n === 1 ? 0 : next
    next *= n
  }
  return strides
}

/** Joins neighbouring dimensions that are contiguous in every operand. @internal */
export function walkOf(op: string, shape: readonly number[], strides: readonly (readonly number[])[]): Walk {
  if (shape.includes(0)) return { shape: NONE, strides: strides.map(() => NOTHING) }
  const walk = { shape: [] as number[], strides: strides.map(() => [] as number[]) }
  for (let d = shape.length - 1; d >= 0; d--) {
    const n = shape[d]!
    if (n === 1) continue
    const inLine =
      walk.shape.length > 0 && strides.every((of, o) => of[d] === walk.strides[o]![0]! * walk.shape[0]!)
    if (inLine) {
      walk.shape[0]! *= n
    } else {
      walk.shape.unshift(n)
      strides.forEach((of, o) => {
        walk.strides[o]!.unshift(of[d]!)
      })
    }
  }
  if (walk.shape.length > MOST_DIMENSIONS) {
    const wanted = `at most ${MOST_DIMENSIONS} dimensions that are not contiguous`
    throw badArgument(op, 'shape', wanted, shape, 'ERR_SHAPE')
  }
  // The kernels' innermost dimensions come last.
  while (walk.shape.length < MOST_DIMENSIONS) {
    walk.shape.unshift(1)
    for (const of of walk.strides) of.unshift(0)
  }
  return walk
}

function bufferOf(operand: Operand): NativeBuffer | null {
  return typeof operand === 'number' ? null : operand.buffer
}

/**
 * Returns f(a, b, c) in `shape`, which the operands broadcast to. For a function of fewer operands the others
 * are 0.
 * @internal
 */
export function applyFunction<R extends number>(
  name: keyof typeof functions,
  device: Float['device'],
  shape: Tensor<'float32', R>['shape'],
  a: Operand,
  b: Operand = 0,
  c: Operand = 0,
): Tensor<'float32', R> {
  const size = sizeOf(shape)
  // A result without elements reads nothing.
  if (size === 0) [a, b, c] = [0, 0, 0]
  const flat = (operand: Operand) =>
    typeof operand === 'number' || operand.size === 1 || sameShape(operand.shape, shape)
  let walk: readonly number[] = [1, 1, 1, size]
  let [stridesA, stridesB, stridesC] = [NOTHING, NOTHING, NOTHING]
  if (flat(a) && flat(b) && flat(c)) {
    const along = (operand: Operand) =>
      typeof operand === 'number' || (operand.size === 1 && size !== 1) ? NOTHING : LAST
    stridesA = along(a)
    stridesB = along(b)
    stridesC = along(c)
  } else {
    const strides = [a, b, c].map(operand =>
      broadcastStrides(typeof operand === 'number' ? [] : operand.shape, shape),
    )
    const found = walkOf(name, shape, strides)
    walk = found.shape
    ;[stridesA = NOTHING, stridesB = NOTHING, stridesC = NOTHING] = found.strides
  }
  const out = empty<R>(device, shape)
  native.elementwise(device.queue, {
    function: functions[name],
    shape: walk,
    stridesA,
    stridesB,
    stridesC,
    numberA: typeof a === 'number' ? a : 0,
    numberB: typeof b === 'number' ? b : 0,
    numberC: typeof c === 'number' ? c : 0,
    a: bufferOf(a),
    b: bufferOf(b),
    c: bufferOf(c),
    out: out.buffer,
  })
  return out
}

/** Returns a copy in other memory. @internal */
export function copyOf<R extends number>(x: Tensor<'float32', R>): Tensor<'float32', R> {
  return applyFunction<R>('copy', x.device, x.shape, x)
}

/** Returns f(a, b, c) in the shape of dY, on its device. @internal */
export function like(dY: Float, name: keyof typeof functions, a: Operand, b?: Operand, c?: Operand): Float {
  return applyFunction<number>(name, dY.device, dY.shape, a, b, c)
}
