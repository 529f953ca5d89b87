import * as indexing from '../../../src/ops/indexing.js'
import { argmax } from '../../../src/ops/reduce.js'
import * as shapes from '../../../src/ops/shape.js'
import { type Tensor, tensor } from '../../../src/tensor.js'
import { type NdArray, nd } from '../../reference/arrays.js'
import * as exact from '../../reference/exact.js'
import { beside, broadcasting, compared, dimOf, drive, EXACT, mostly, shapeOf } from './drive.js'
import type { Call } from './opCalls.js'
import { untyped, type World } from './world.js'

/** The same numbers in other shapes and orders, and numbers by index. */

type Float = Tensor<'float32'>

/** One input, and numbers copied. */
function copied(
  world: World,
  op: string,
  x: Float,
  call: () => Float,
  reference: (x: NdArray) => NdArray,
  scalars = false,
): void {
  compared(
    world,
    op,
    [x],
    () => [call()],
    a => [a.shape.length === 0 && !scalars ? null : reference(a)],
    EXACT,
  )
}

function reordered(world: World): void {
  const { hostile } = world
  const x = world.some()
  const shape = shapeOf(x)
  const [dim, other] = [dimOf(world, x), dimOf(world, x)]
  const n = shape.at(dim) ?? 1
  const by = hostile.number(hostile.below(9) - 4)
  const order = mostly(
    world,
    [...shape.keys()].sort(() => hostile.below(3) - 1).map(d => (hostile.once(20) ? dim : d)),
  )
  const start = hostile.number(hostile.below(n >= 0 && n < 1e4 ? Math.floor(n) + 1 : 3))
  const length = hostile.number(n - start)
  const calls: [op: string, call: () => Float, reference: (x: NdArray) => NdArray][] = [
    ['transpose', () => shapes.transpose(x, dim, other), a => exact.transpose(a, dim, other)],
    ['permute', () => shapes.permute(x, order), a => exact.permute(a, order)],
    ['squeeze', () => shapes.squeeze(x, dim), a => exact.squeeze(a, dim)],
    ['roll', () => shapes.roll(x, by, dim), a => exact.roll(a, by, dim)],
    ['flip', () => shapes.flip(x, dim), a => exact.flip(a, dim)],
    ['narrow', () => shapes.narrow(x, dim, start, length), a => exact.narrow(a, dim, start, length)],
  ]
  const [op, call, reference] = hostile.oneOf(calls)
  copied(world, op, x, call, reference)
}

function reshaped(world: World): void {
  const { hostile } = world
  const x = world.some()
  const shape = shapeOf(x)
  const dim = hostile.number(hostile.below(2 * shape.length + 2) - shape.length - 1)
  copied(
    world,
    'unsqueeze',
    x,
    () => shapes.unsqueeze(x, dim),
    a => exact.unsqueeze(a, dim),
    true,
  )
  if (hostile.once(2))
    copied(
      world,
      'squeeze',
      x,
      () => shapes.squeeze(x),
      a => exact.squeeze(a),
      true,
    )
  const open = mostly(
    world,
    shape.map((n, d) => (d === dim ? -1 : n)),
  )
  copied(
    world,
    'clone',
    x,
    () => shapes.clone(x),
    a => a,
  )
  copied(
    world,
    'reshape',
    x,
    () => shapes.reshape<number>(x, open),
    a => exact.reshape(a, open),
    true,
  )
  const wide = [
    ...Array.from({ length: hostile.below(3) }, () => hostile.size()),
    ...shape.map(n => (hostile.once(4) ? -1 : n === 1 ? hostile.size() : n)),
  ]
  const wanted = mostly(world, wide)
  const added = wide.length - shape.length
  const whole = wide.map((n, d) => (n === -1 ? shape[d - added]! : n))
  copied(
    world,
    'expand',
    x,
    () => shapes.expand(x, wanted),
    a => exact.expand(a, whole),
    true,
  )
}

function joined(world: World): void {
  const { hostile } = world
  const x = world.some()
  const [dim, at] = [dimOf(world, x), hostile.number(hostile.below(shapeOf(x).length + 1))]
  const own = (d: number) => d === (dim < 0 ? dim + shapeOf(x).length : dim)
  const others = Array.from({ length: hostile.below(3) }, () =>
    beside(
      world,
      x,
      shapeOf(x).map((n, d) => (own(d) && hostile.once(2) ? hostile.size() : n)),
    ),
  )
  const all = [x, ...others]
  const list = mostly(world, hostile.once(30) ? [] : all)
  const stacked = hostile.once(2)
  compared(
    world,
    stacked ? 'stack' : 'cat',
    all,
    () => [stacked ? shapes.stack(list, at) : shapes.cat(list, dim)],
    (...arrays) => [
      arrays[0]!.shape.length === 0 && !stacked
        ? null
        : stacked
          ? exact.stack(arrays, at)
          : exact.cat(arrays, dim),
    ],
    EXACT,
  )
}

function parts(world: World): void {
  const { hostile } = world
  const x = world.some()
  const dim = dimOf(world, x)
  const n = shapeOf(x).at(dim) ?? 1
  const first = hostile.number(hostile.below(n > 0 && n < 1e4 ? Math.floor(n) + 1 : 3))
  const sizes = mostly(world, hostile.once(2) ? hostile.number(1 + hostile.below(4)) : [first, n - first])
  compared(
    world,
    'split',
    [x],
    () => shapes.split(x, sizes, dim),
    a => {
      if (a.shape.length === 0) return []
      const parts = exact.split(a, sizes, dim)
      // Of nothing there is one part here, and none there.
      return parts.length === 0 ? [a] : parts
    },
    EXACT,
  )
}

/** Integers of that shape, mostly below n: of the host, or the result of an op, with none to look at. */
function integers(world: World, shape: readonly number[], n: number, device = world.device): Tensor<'int32'> {
  const { hostile } = world
  if (hostile.once(25)) return untyped(world.anything())
  const below = n > 0 && n < 1e4 ? Math.floor(n) : 1
  const size = exact.sizeOf(shape)
  const count = size >= 0 && size < 2 ** 16 ? size : 0
  if (hostile.once(5) && shape.length === 1) {
    const weights = world.float([shape[0]!, hostile.once(9) ? below + 1 : below], device)
    const made = world.attempt('argmax', () => argmax(weights, { dim: 1 }))
    if (made !== null) return world.keep(made)
  }
  const values = Int32Array.from({ length: count }, () => (hostile.once(99) ? -1 : hostile.below(below)))
  return world.keep(tensor<number>(values, shape, { device }))
}

function byIndex(world: World): void {
  const { hostile } = world
  const x = world.some()
  const shape = shapeOf(x)
  const dim = dimOf(world, x)
  const n = shape.at(dim) ?? 1
  const axis = dim < 0 ? dim + shape.length : dim
  const device = x?.device ?? world.device
  const count = hostile.size()
  const part = shape.map((size, d) => (d === axis ? count : hostile.once(4) ? Math.min(size, 1) : size))
  const op = hostile.oneOf(['indexSelect', 'gather', 'scatterAdd'] as const)
  const index = integers(world, op === 'indexSelect' ? [count] : part, n, device)
  const given = hostile.once(2) || !index?.host ? index : hostile.oneOf([index.host, [...index.host]])
  const source = beside(world, x, hostile.once(3) ? part.map(size => size + hostile.below(2)) : part)
  const calls: Record<typeof op, [call: () => Float, reference: (x: NdArray, source: NdArray) => NdArray]> = {
    indexSelect: [() => indexing.indexSelect(x, dim, given), a => exact.indexSelect(a, dim, index.host!)],
    gather: [() => indexing.gather(x, dim, index), a => exact.gather(a, dim, nd(index.shape, index.host!))],
    scatterAdd: [
      () => indexing.scatterAdd(x, dim, index, source),
      (a, b) => exact.scatterAdd(a, dim, nd(index.shape, index.host!), b),
    ],
  }
  const [call, reference] = calls[op]
  // The result of an op may be out of range, and is looked at by the device alone.
  if (!index?.host) {
    drive(world, op, () => [call()])
    return
  }
  const inputs = op === 'scatterAdd' ? [x, source] : [x]
  const how = op === 'scatterAdd' ? {} : EXACT
  const unlessScalar = (a: NdArray, b: NdArray) => [a.shape.length === 0 ? null : reference(a, b)]
  compared(
    world,
    op,
    inputs,
    () => [call()],
    (...[a, b]) => unlessScalar(a!, b!),
    how,
  )
}

function masked(world: World): void {
  const { hostile } = world
  const x = world.some()
  const mask = beside(world, x, broadcasting(world, shapeOf(x)))
  const value = mostly(world, hostile.number(0.5))
  compared(
    world,
    'maskedFill',
    [x, mask],
    () => [indexing.maskedFill(x, mask, value)],
    (a, m) => [exact.maskedFill(a, m, Math.fround(value))],
    EXACT,
  )
}

function oneHot(world: World): void {
  const { hostile } = world
  const classes = hostile.number(hostile.below(6))
  const labels = integers(world, hostile.shape(hostile.below(3)), classes)
  const given = hostile.once(2) || !labels?.host ? labels : hostile.oneOf([labels.host, [...labels.host]])
  const device = mostly(world, world.device)
  const shape = given === labels ? labels?.shape : [labels.size]
  const call = () => [indexing.oneHot(given, classes, device)]
  if (!labels?.host) drive(world, 'oneHot', call)
  else compared(world, 'oneHot', [], call, () => [exact.oneHot(nd(shape, labels.host!), classes)], EXACT)
}

export const shapeCalls: Record<string, Call> = {
  reordered,
  reorderedAgain: reordered,
  reshaped,
  joined,
  parts,
  byIndex,
  byIndexAgain: byIndex,
  masked,
  oneHot,
}
