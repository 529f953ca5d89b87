import { dropout } from '../../../src/ops/dropout.js'
import * as norms from '../../../src/ops/norms.js'
import * as random from '../../../src/ops/random.js'
import * as sequences from '../../../src/ops/sequences.js'
import { PackedSequence, Sequences } from '../../../src/packed.js'
import { defaultGenerator, Generator } from '../../../src/random.js'
import type { Tensor } from '../../../src/tensor.js'
import { type NdArray, nd } from '../../reference/arrays.js'
import * as exact from '../../reference/exact.js'
import { beside, CLOSE, compared, dimOf, drive, EXACT, given, mostly, shapeOf } from './drive.js'
import type { Call } from './opCalls.js'
import { packed } from './packedCalls.js'
import { untyped, type World } from './world.js'

/** Ops over sequences, normalisations and random tensors. */

type Float = Tensor<'float32'>

/** An op of one batch; with an index the reference has no rows. */
function ofBatch(
  world: World,
  op: string,
  x: PackedSequence,
  call: () => Float | PackedSequence,
  reference: (x: exact.Rows) => NdArray,
  how = {},
): void {
  if (!(x instanceof PackedSequence) || x.index !== null) {
    drive(world, op, () => [call()])
    return
  }
  const lengths = [...x.sequences.lengths()]
  compared(
    world,
    op,
    [x.data],
    () => [call()],
    rows => [reference({ rows, lengths })],
    how,
  )
}

const segments = {
  segmentSum: [sequences.segmentSum, exact.segmentSum],
  segmentMean: [sequences.segmentMean, exact.segmentMean],
  segmentMax: [sequences.segmentMax, exact.segmentMax],
  segmentLogsumexp: [sequences.segmentLogsumexp, exact.segmentLogsumexp],
} as const
const segmentNames: (keyof typeof segments)[] = [
  ...(['segmentSum', 'segmentMean', 'segmentMax', 'segmentLogsumexp'] as const),
]

function segment(world: World): void {
  const x = packed(world)
  if (x === null) return
  const op = world.hostile.oneOf(segmentNames)
  const [run, reference] = segments[op]
  ofBatch(
    world,
    op,
    x,
    () => run(x),
    rows => reference(rows),
  )
  ofBatch(
    world,
    'segmentSoftmax',
    x,
    () => sequences.segmentSoftmax(x),
    rows => exact.segmentSoftmax(rows).rows,
  )
}

function rearranged(world: World): void {
  const { hostile } = world
  const x = packed(world)
  if (x === null) return
  const by = hostile.number(hostile.below(7) - 3)
  const fill = given(world, hostile.once(2) ? { fill: hostile.number(0.5) } : {})
  const window = given(world, {
    kernelSize: hostile.number(1 + hostile.below(4)),
    ...(hostile.once(2) && { dilation: hostile.number(1 + hostile.below(3)) }),
    ...(hostile.once(2) && { padding: mostly(world, hostile.oneOf(['causal', 'same', 'valid'] as const)) }),
  })
  const calls: [op: string, call: () => PackedSequence, reference: (x: exact.Rows) => exact.Rows][] = [
    ['flip', () => sequences.flip(x), exact.flipSequences],
    [
      'shift',
      () => sequences.shift(x, by, fill),
      rows => exact.shift(rows, by, Math.fround(fill?.fill ?? 0)),
    ],
    ['unfold', () => sequences.unfold(x, window), rows => exact.unfold(rows, window)],
  ]
  const [op, call, reference] = hostile.oneOf(calls)
  ofBatch(world, op, x, call, rows => reference(rows).rows, EXACT)
}

function batches(world: World): void {
  const { hostile } = world
  const [x, other] = [packed(world, 3), packed(world, 3)]
  if (x === null || other === null) return
  const list = hostile.once(20) ? [] : [x, other]
  const plain = list.every(each => each instanceof PackedSequence && each.index === null)
  const call = () => [sequences.concatSequences(...list)]
  if (!plain) drive(world, 'concatSequences', call)
  else {
    const all = list.map(each => [...each.sequences.lengths()])
    compared(
      world,
      'concatSequences',
      list.map(({ data }) => data),
      call,
      (...rows) => [exact.concatSequences(...rows.map((each, i) => ({ rows: each, lengths: all[i]! }))).rows],
      EXACT,
    )
  }
  const B = x instanceof PackedSequence ? x.sequences.batchSize : 2
  const first = hostile.number(hostile.below(B + 1))
  const counts = mostly(world, hostile.once(9) ? [first] : [first, B - first])
  drive(world, 'splitSequences', () => sequences.splitSequences(x, counts))
}

function repeatRows(world: World): void {
  const { hostile } = world
  const lengths = hostile.lengths().filter(n => !(n > 1e6))
  const made = world.attempt('Sequences', () => new Sequences(lengths))
  if (made === null) return
  const of = mostly(world, made)
  const x = world.float<2>([made.batchSize, hostile.width()])
  compared(
    world,
    'repeatRows',
    [x],
    () => [sequences.repeatRows(x, of)],
    a => [exact.repeatRows(a, lengths).rows],
    EXACT,
  )
}

const orNull = (world: World, of: () => Float): Float | null => (world.hostile.once(2) ? of() : null)

function layerNorm(world: World): void {
  const { hostile } = world
  const x = world.some()
  const columns = shapeOf(x).at(-1) ?? 1
  const affine = () => beside(world, x, [columns])
  const [weight, bias] = [orNull(world, affine), orNull(world, affine)]
  const options = given(world, hostile.once(3) ? { eps: hostile.number(0.1) } : {})
  const some = (x: Float | null) => untyped<Tensor<'float32', 1> | null>(x)
  const inputs = [x, weight, bias].filter(each => each != null)
  compared(
    world,
    'layerNorm',
    inputs,
    () => [norms.layerNorm(x, some(weight), some(bias), options)],
    (a, ...others) => {
      const next = (given: Float | null) => (given == null ? null : others.shift()!)
      const eps = options?.eps ?? 1e-5
      const [w, b] = [next(weight), next(bias)]
      return [a!.shape.length === 0 || eps < 1e-5 ? null : exact.layerNorm(a!, w, b, { eps })]
    },
    { tolerance: 1e-3 },
  )
  const rows = hostile.once(3) ? packed(world) : null
  if (rows !== null)
    drive(world, 'layerNorm', () => [norms.layerNorm(rows, some(weight), some(bias), options)])
}

function batchNorm(world: World): void {
  const { hostile } = world
  const columns = hostile.width()
  const x = hostile.once(4) ? packed(world, columns) : world.float<2>([hostile.size(), columns])
  if (x === null) return
  const part = () => untyped<Tensor<'float32', 1> | null>(orNull(world, () => world.float([columns])))
  const running = hostile.once(2)
  const options = given(world, {
    ...{ weight: part(), bias: part(), training: hostile.once(2) },
    ...(running && { runningMean: part(), runningVar: part() }),
    ...(hostile.once(3) && { momentum: hostile.number(0.3), eps: hostile.number(1e-3) }),
  })
  drive(world, 'batchNorm', () => [norms.batchNorm(untyped<Tensor<'float32', 2>>(x), options)])
  world.changed()
}

function weightNorm(world: World): void {
  const v = world.some()
  const dim = dimOf(world, v)
  const axis = dim < 0 ? dim + shapeOf(v).length : dim
  const g = beside(
    world,
    v,
    shapeOf(v).map((n, d) => (d === axis ? n : 1)),
  )
  const options = given(world, { dim })
  drive(world, 'weightNorm', () => [norms.weightNorm(v, g, options)])
}

/** An op that draws from the host's generator leaves it unchanged if it throws. */
function drawing<T extends Tensor | PackedSequence>(world: World, op: string, call: () => readonly T[]) {
  const before = defaultGenerator().position
  const made = drive(world, op, call)
  if (made === null && String(defaultGenerator().position) !== String(before))
    throw new Error(`${op}: threw, and drew`)
  return made
}

function drawn(world: World): void {
  const { hostile } = world
  const shape = mostly(world, hostile.shape())
  const run = hostile.oneOf([random.rand, random.randn])
  const seed = hostile.below(100)
  const options = given(world, {
    device: mostly(world, world.device),
    requiresGrad: hostile.once(2),
    ...(hostile.once(2) && { generator: mostly(world, new Generator(seed)) }),
  })
  const once = drawing(world, run.name, () => [run(shape, options)])
  const x = hostile.once(3) && once !== null ? once[0]! : world.some()
  const zeros = (y: Tensor) => [new Float64Array(y.size)]
  const made = drive(world, 'zerosLike', () => [random.zerosLike(x)])
  if (made !== null) world.compare('zerosLike', made, [], () => zeros(made[0]!), EXACT)
  const none = given(world, {})
  const ones = drawing(world, 'bernoulli', () => [random.bernoulli(x, none)])
  const read = ones && world.read(ones[0]!)
  world.later(async () => {
    const values = await read
    if (values instanceof Error || values === null) return
    if (values.some(one => one !== 0 && one !== 1)) throw new Error(`bernoulli: ${values}`)
  })
}

function multinomial(world: World): void {
  const { hostile } = world
  const classes = hostile.width()
  const weights = world.float(hostile.once(2) ? [classes] : [hostile.size(), classes])
  const replacement = hostile.once(2)
  const samples = hostile.number(1 + hostile.below(classes < 50 && classes > 0 ? Math.floor(classes) : 3))
  const options = given(world, { replacement })
  const made = drawing(world, 'multinomial', () => [random.multinomial(weights, samples, options)])
  if (made === null) return
  const [read, n] = [world.read(made[0]!), shapeOf(weights).at(-1)!]
  world.later(async () => {
    const values = await read
    if (values instanceof Error) return
    if (values.some(place => !(place >= 0 && place < n))) throw new Error(`multinomial: ${values} of ${n}`)
  })
}

function arange(world: World): void {
  const { hostile } = world
  // So many numbers may be had.
  const bound = (usual: number) => Math.min(hostile.number(usual), 2 ** 40)
  const [start, end] = [bound(hostile.below(9) - 4), bound(hostile.below(20))]
  const options = given(world, { device: world.device, ...(hostile.once(2) && { step: bound(0.5) }) })
  const step = options?.step ?? 1
  if ((end - start) / step > 1e5 && (end - start) / step < 2 ** 31) return
  compared(
    world,
    'arange',
    [],
    () => [random.arange(start, end, options)],
    () => {
      const count = Math.ceil((end - start) / step)
      return [
        nd(
          [count],
          Float64Array.from({ length: count }, (_, i) => start + i * step),
        ),
      ]
    },
    CLOSE,
  )
}

/** A mask that a generator draws. */
function masked(world: World): void {
  const { hostile } = world
  const x = hostile.once(2) ? packed(world) : world.some()
  if (x === null) return
  const p = hostile.number(hostile.oneOf([0, 0.5, 1]))
  const options = given(world, {
    ...(hostile.once(2) && { shared: mostly(world, 'time' as const) }),
    ...(hostile.once(2) && { generator: mostly(world, new Generator(hostile.below(9))) }),
  })
  drawing(world, 'dropout', () => [dropout(untyped<PackedSequence>(x), p, options)])
  if (hostile.once(4)) drawing(world, 'dropout', () => [dropout(untyped<Float>(x), p)])
}

export const sequenceCalls: Record<string, Call> = {
  segment,
  rearranged,
  batchesOfBatches: batches,
  repeatRows,
  layerNorm,
  batchNorm,
  weightNorm,
  drawn,
  multinomial,
  arange,
  mask: masked,
}
