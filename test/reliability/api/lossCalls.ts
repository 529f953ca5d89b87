import { customGrad, detach, grad } from '../../../src/customGrad.js'
import { mul, tanh } from '../../../src/ops/elementwise.js'
import { linearCrossEntropy } from '../../../src/ops/linearLoss.js'
import { bceWithLogits, crossEntropy, mseLoss, nllLoss } from '../../../src/ops/loss.js'
import { sum } from '../../../src/ops/reduce.js'
import { sampledCrossEntropy } from '../../../src/ops/sampledLoss.js'
import { Generator } from '../../../src/random.js'
import { type Matrix, type Tensor, tensor, type Vector } from '../../../src/tensor.js'
import * as exact from '../../reference/exact.js'
import { beside, compared, drive, EXACT, given, mostly, shapeOf } from './drive.js'
import type { Call } from './opCalls.js'
import { untyped, type World } from './world.js'

/** Losses, `customGrad` and `grad`. */

type Float = Tensor<'float32'>

const reductionOf = (world: World) => mostly(world, world.hostile.oneOf(['mean', 'sum', 'none'] as const))

function labelled(world: World): void {
  const { hostile } = world
  const classes = hostile.width()
  const axes = Array.from({ length: hostile.oneOf([0, 0, 1, 2]) }, () => hostile.below(4))
  const x = world.float([hostile.size(), classes, ...axes])
  const count = exact.sizeOf([shapeOf(x)[0] ?? 1, ...axes])
  const numbers = Array.from({ length: count >= 0 && count < 1e4 ? Math.floor(count) : 2 }, () =>
    hostile.number(
      hostile.once(9) ? -100 : hostile.below(classes < 100 ? Math.max(1, Math.floor(classes)) : 1),
    ),
  )
  const shape = [shapeOf(x)[0] ?? 1, ...axes]
  const labels = mostly(
    world,
    hostile.once(2)
      ? numbers
      : hostile.once(2) || exact.sizeOf(shape) !== numbers.length
        ? Int32Array.from(numbers)
        : world.keep(tensor<number>(Int32Array.from(numbers), shape, { device: x?.device ?? world.device })),
  )
  const options = given(world, {
    reduction: reductionOf(world),
    ...(hostile.once(4) && { ignoreIndex: hostile.number(0) }),
  })
  const nll = hostile.once(2)
  const op = nll ? 'nllLoss' : 'crossEntropy'
  const call = () => [nll ? nllLoss(x, labels, options) : crossEntropy(x, labels, options)]
  const host = labels !== null && typeof labels === 'object' && 'host' in labels ? labels.host : labels
  if (!(Array.isArray(host) || host instanceof Int32Array)) {
    drive(world, op, call)
    return
  }
  compared(world, op, [x], call, a => {
    // The mean of nothing is NaN, and of no weight.
    const { reduction = 'mean' } = options
    const reference = nll ? exact.nllLoss : exact.crossEntropy
    return [reduction === 'mean' ? null : reference(a, host, options)]
  })
}

function ofLayer(world: World): void {
  const { hostile } = world
  const [rows, inputs, classes] = [hostile.size(), hostile.width(), hostile.width()]
  const x = mostly(world, untyped<Matrix>(world.float([rows, inputs])))
  const weight = mostly(world, untyped<Matrix>(world.float([classes, inputs])))
  const bias = mostly(world, hostile.once(2) ? null : untyped<Vector>(world.float([classes])))
  const labels = Array.from({ length: rows >= 0 && rows < 1e4 ? Math.floor(rows) : 2 }, () =>
    hostile.number(
      hostile.once(9) ? -100 : hostile.below(classes < 100 ? Math.max(1, Math.floor(classes)) : 1),
    ),
  )
  const options = given(world, {
    ...(hostile.once(2) && { reduction: mostly(world, hostile.oneOf(['mean', 'sum'] as const)) }),
    ...(hostile.once(2) && { maxLogits: hostile.number(1 + hostile.below(99)) }),
    ...(hostile.once(3) && { labelSmoothing: hostile.number(hostile.below(2)) }),
  })
  const all = mostly(world, labels)
  drive(world, 'linearCrossEntropy', () => [linearCrossEntropy(x, weight, bias, all, options)])
  const drawn = given(world, {
    samples: hostile.number(1 + hostile.below(3)),
    generator: new Generator(hostile.below(9)),
    ...(hostile.once(2) && { reduction: mostly(world, hostile.oneOf(['mean', 'sum'] as const)) }),
  })
  drive(world, 'sampledCrossEntropy', () => [sampledCrossEntropy(x, weight, bias, all, drawn)])
}

function ofTargets(world: World): void {
  const { hostile } = world
  const x = world.some()
  const target = beside(world, x)
  const options = given(world, { ...(hostile.once(2) && { reduction: reductionOf(world) }) })
  compared(
    world,
    'mseLoss',
    [x, target],
    () => [mseLoss(x, target, options)],
    (a, b) => [exact.mseLoss(a, b, options)],
  )
  const [weight, posWeight] = [
    hostile.once(3) ? beside(world, x) : null,
    hostile.once(3) ? beside(world, x, [shapeOf(x).at(-1) ?? 1]) : null,
  ]
  const inputs = [x, target, weight, posWeight].filter(each => each != null)
  const all = given(world, { ...options, weight, posWeight })
  compared(
    world,
    'bceWithLogits',
    inputs,
    () => [bceWithLogits(x, target, all)],
    (z, t, ...others) => {
      if (all?.weight === undefined) return [null]
      const next = (of: Float | null) => (of == null ? null : others.shift()!)
      const [w, p] = [next(weight), next(posWeight)]
      return [exact.bceWithLogits(z!, t!, { ...options, weight: w, posWeight: p })]
    },
  )
}

/** x² with `customGrad`, whose functions are right or return something invalid. */
function own(world: World): void {
  const { hostile } = world
  const x = hostile.once(3)
    ? world.keep(tensor(hostile.values(3), [3] as const, { device: world.device, requiresGrad: true }))
    : world.some()
  const wrong = hostile.once(3)
  const strange = world.anything()
  const forward = (a: Float) => {
    const output = mul(a, a)
    const saved = hostile.oneOf([a, { a }, [a, detach(a)]])
    if (!wrong) return { output, saved: [a] }
    return untyped<{ output: Float; saved: Float[] }>(
      hostile.oneOf([
        null,
        undefined,
        3,
        {},
        { output: a, saved },
        { output: strange },
        { output: [output, strange] },
      ]),
    )
  }
  const backward = (saved: Float[], [dY]: readonly (Float | null)[]): (Float | null)[] => {
    if (!wrong) return [dY ? mul(mul(saved[0]!, 2), dY) : null]
    return untyped(hostile.oneOf([null, [], [strange], [dY, dY], [dY], [dY && sum(dY)], [null], 3]))
  }
  const f = world.attempt('customGrad', () =>
    customGrad(
      hostile.once(30) ? untyped<typeof forward>(strange) : forward,
      hostile.once(30) ? untyped<typeof backward>(strange) : backward,
    ),
  )
  if (f === null) return
  const how = { tolerance: 1e-6, exact: true }
  if (wrong) drive(world, 'customGrad', () => [f(x)].flat())
  else
    compared(
      world,
      'customGrad',
      [x],
      () => [f(x)],
      a => [exact.mul(a, a)],
      how,
    )
  compared(
    world,
    'detach',
    [x],
    () => [detach(x)],
    a => [a],
    EXACT,
  )
}

/** `grad` of Σ tanh(a) b. An input that the loss does not depend on is an error, and no call changes `grad` of a leaf. */
function asked(world: World): void {
  const { hostile, device } = world
  const n = 1 + hostile.below(5)
  const leaf = () => world.keep(tensor(hostile.values(n), [n] as const, { device, requiresGrad: true }))
  const [a, b, other] = [leaf(), leaf(), leaf()]
  const loss = world.attempt('loss', () => sum(mul(tanh(a), b)))
  if (loss === null) return
  world.keep(loss)
  const wrong = drive(world, 'grad', () => grad(loss, [a, other]).filter(each => each !== null))
  if (wrong !== null) throw new Error('grad: answered for what is not on the tape')
  compared(
    world,
    'grad',
    [a, b],
    () => grad(loss, [a, b, other], { allowUnused: true }).filter(each => each !== null),
    (x, y) => [exact.combine((p = 0, q = 0) => q * (1 - Math.tanh(p) ** 2), x, y), exact.tanh(x)],
  )
  if (a.grad !== null || b.grad !== null) throw new Error('grad: left a gradient')
}

function anyGrad(world: World): void {
  const { hostile, tensors } = world
  const recorded = tensors.filter(each => each.node !== null && each.dtype === 'float32')
  const some = () =>
    recorded.length > 0 && !hostile.once(6) ? untyped<Float>(hostile.oneOf(recorded)) : world.some()
  const outputs = Array.from({ length: 1 + hostile.below(2) }, some)
  const leaves = tensors.filter(each => each.requiresGrad)
  const inputs = mostly(
    world,
    Array.from({ length: hostile.below(3) }, () =>
      leaves.length > 0 ? untyped<Float>(hostile.oneOf(leaves)) : world.some(),
    ),
  )
  const options = given(world, {
    allowUnused: hostile.once(2),
    ...(!hostile.once(4) && {
      gradOutputs: mostly(
        world,
        outputs.map(each => beside(world, each)),
      ),
    }),
  })
  const from = mostly(world, outputs)
  const run = () => [...new Set(grad(from, inputs, options))].filter(each => each !== null)
  drive(world, 'grad', run, ['grad', 'backward', 'customGrad'])
}

export const lossCalls: Record<string, Call> = { labelled, ofLayer, ofTargets, own, asked, anyGrad }
