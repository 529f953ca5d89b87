import { noGrad } from '../../../src/autograd.js'
import { concatColumns } from '../../../src/ops/columns.js'
import { dropout, dropoutForward } from '../../../src/ops/dropout.js'
import { multiply, relu, scale, sigmoid, tanh } from '../../../src/ops/elementwise.js'
import { linear, linearBackward, linearForward } from '../../../src/ops/linear.js'
import { crossEntropy, crossEntropyBackward, crossEntropyForward } from '../../../src/ops/loss.js'
import { sum } from '../../../src/ops/reduce.js'
import { reshape } from '../../../src/ops/shape.js'
import { scope } from '../../../src/scope.js'
import { full, memory, sizeOf, Tensor, tensor, zeros } from '../../../src/tensor.js'
import { crossEntropyReference, linearReference, linearReferenceBackward } from '../../reference/ops.js'
import { concatColumnsReference } from '../../reference/pooling.js'
import { DEVICES, NARROW, untyped, type World } from './world.js'

/** Tensors, their lives, and the ops that read nothing packed. */

/** A call with arguments that it draws. */
export type Call = (world: World) => void

type Unary = (x: Tensor<'float32'>) => Tensor<'float32'>

/** One input, element by element. */
function elementwise(name: string, op: Unary, f: (x: number) => number): Call {
  return world => {
    const x = world.some()
    const y = world.attempt(name, () => op(x))
    if (y === null) return
    world.keep(y)
    world.compare(name, [y], [x], values => [values.map(f)], { tolerance: 1e-6, exact: true })
  }
}

const sum64 = (values: Float64Array) => values.reduce((total, x) => total + x, 0)

export const opCalls: Record<string, Call> = {
  tensor(world) {
    const { hostile } = world
    const shape = hostile.shape()
    const size = sizeOf(shape)
    const count = hostile.once(15) ? hostile.below(9) : size >= 0 && size < 1e5 ? size : 3
    const values = hostile.values(count)
    const given = hostile.oneOf([values, Int32Array.from(values), [...values]])
    const options = { device: hostile.oneOf([world.device, ...DEVICES]), requiresGrad: hostile.once(2) }
    const made = world.attempt<Tensor>('tensor', () => tensor(untyped<Float32Array>(given), shape, options))
    if (made === null) return
    world.keep(made)
    const before = Float64Array.from(given, x => (given instanceof Int32Array ? x : Math.fround(x)))
    world.compare('tensor', [made], [], () => [before], { tolerance: 0, exact: true })
    given.fill(7) // what was given is the caller's again
  },
  zeros(world) {
    const shape = world.hostile.shape()
    const made = world.attempt('zeros', () => zeros<number>(shape, { device: world.device }))
    if (made === null) return
    world.keep(made)
    world.compare('zeros', [made], [], () => [new Float64Array(sizeOf(shape))], { exact: true })
  },
  full(world) {
    const [shape, value] = [world.hostile.shape(), world.hostile.number(2.5)]
    const made = world.attempt('full', () => full<number>(shape, value, { device: world.device }))
    if (made === null) return
    world.keep(made)
    world.compare('full', [made], [], () => [new Float64Array(sizeOf(shape)).fill(Math.fround(value))], {
      tolerance: 0,
      exact: true,
    })
  },
  dispose(world) {
    const { hostile, tensors, others } = world
    if (hostile.once(6) && others.length > 0) hostile.oneOf(others).dispose()
    else if (tensors.length > 0) hostile.oneOf(tensors).dispose()
  },
  toArray(world) {
    const { tensors, hostile } = world
    if (tensors.length === 0) return
    const one = hostile.oneOf(tensors)
    world.later(() => (hostile.once(2) ? one.toArray() : one.item()))
    if (hostile.once(3)) one.dispose()
  },
  detach(world) {
    const x = world.some()
    if (!(x instanceof Tensor)) return // a method of nothing
    const y = world.attempt('detach', () => x.detach())
    if (y === null) return
    world.keep(y)
    world.compare('detach', [y], [x], values => [values], { tolerance: 0, exact: true })
  },
  backward(world) {
    const { hostile, tensors } = world
    const recorded = tensors.filter(each => each.node !== null)
    const one = untyped<Tensor>(recorded.length > 0 ? hostile.oneOf(recorded) : world.some())
    if (!(one instanceof Tensor)) return
    const gradient = hostile.once(3) ? undefined : world.float(one?.shape ?? [1], one?.device ?? world.device)
    world.attempt('backward', () => one.backward(gradient))
    if (hostile.once(4)) world.attempt('backward', () => one.backward(gradient))
  },
  /** Σ d · (tanh x) Wᵀ, by the tape. */
  tape(world) {
    const { hostile, device } = world
    const [rows, inputs, outputs] = [1 + hostile.below(5), 1 + hostile.below(5), 1 + hostile.below(5)]
    const d = world.float<2>([rows, outputs]) // before the leaves, so it is not one of them
    const leaf = (shape: readonly [number, number]) =>
      world.keep(tensor<2>(hostile.values(shape[0] * shape[1]), shape, { device, requiresGrad: true }))
    const [x, weight] = [leaf([rows, inputs]), leaf([outputs, inputs])]
    const loss = world.attempt('tape', () => sum(multiply(linear(tanh(x), weight), d)))
    if (loss === null) return
    world.keep(loss)
    // A number fits, too, and what broadcasts.
    if (!(d instanceof Tensor) || String(d.shape) !== String([rows, outputs])) return
    if (hostile.once(2)) d.dispose()
    const inner: Tensor[] = [x, weight, d]
    const given = inner.map(each => (each.disposed ? null : world.read(each)))
    const ran = world.attempt('backward', () => {
      loss.backward()
      return true
    })
    const again = world.attempt('backward', () => {
      loss.backward()
      return true
    })
    if (again !== null) throw new Error('tape: a graph went back twice')
    if (ran === null || given.includes(null)) return
    world.compare('tape', [x.grad, weight.grad], [x, weight, d], (a, w, dY) => {
      const h = a.map(Math.tanh)
      const { dX, dWeight } = linearReferenceBackward(h, w, new Float64Array(outputs), dY)
      return [dX.map((g, i) => g * (1 - h[i]! ** 2)), dWeight]
    })
  },
  synchronize(world) {
    world.later(() => world.device.synchronize())
    world.attempt('memory', () => [memory(), world.device.memory()])
  },
  scope(world) {
    const x = world.some()
    const run = () => {
      const inner = tanh(x)
      const kept = relu(inner)
      return { kept, inner: inner.shape }
    }
    const result = world.attempt('scope', () => scope(run))
    if (result === null) return
    world.keep(result.kept)
    world.compare('scope', [result.kept], [x], values => [values.map(v => Math.max(0, Math.tanh(v)))], {
      tolerance: 1e-6,
      exact: true,
    })
    world.later(() =>
      scope(async () => {
        const y = sigmoid(x)
        await y.toArray()
        return tanh(y)
      }).then(y => world.keep(y)),
    )
  },
  noGrad(world) {
    const x = world.some()
    const y = world.attempt('noGrad', () => noGrad(() => tanh(x)))
    if (y === null) return
    if (y.node !== null) throw new Error('noGrad: a tape was kept')
    world.keep(y)
  },
  tanh: elementwise('tanh', tanh, Math.tanh),
  sigmoid: elementwise('sigmoid', sigmoid, x => 1 / (1 + Math.exp(-x))),
  relu: elementwise('relu', relu, x => (Number.isNaN(x) ? x : Math.max(0, x))),
  scale(world) {
    const [x, factor] = [world.some(), world.hostile.number(world.hostile.uniform(-2, 2))]
    const y = world.attempt('scale', () => scale(x, factor))
    if (y === null) return
    world.keep(y)
    const rounded = Math.fround(factor)
    world.compare('scale', [y], [x], values => [values.map(v => v * rounded)], {
      tolerance: 1e-6,
      exact: true,
    })
  },
  sum(world) {
    const x = world.some()
    const y = world.attempt('sum', () => sum(x))
    if (y === null) return
    world.keep(y)
    world.compare('sum', [y], [x], values => [[sum64(values)]])
  },
  reshape(world) {
    const { hostile } = world
    const x = world.some()
    const sizes = [...(x?.shape ?? [1])]
    const shape = hostile.once(10)
      ? hostile.shape()
      : hostile.once(2)
        ? [x?.size ?? 1]
        : [...sizes.reverse(), 1]
    const y = world.attempt('reshape', () => reshape<number>(x, shape))
    if (y === null) return
    world.keep(y)
    world.compare('reshape', [y], [x], values => [values], { tolerance: 0, exact: true })
  },
  concatColumns(world) {
    const { hostile } = world
    const rows = hostile.size()
    const parts = Array.from({ length: hostile.below(4) }, () => world.float<2>([rows, hostile.size()]))
    const y = world.attempt('concatColumns', () => concatColumns(...parts))
    if (y === null) return
    world.keep(y)
    world.compare(
      'concatColumns',
      [y],
      parts,
      (...values) => [concatColumnsReference(values, parts[0]!.shape[0])],
      {
        tolerance: 0,
        exact: true,
      },
    )
  },
  linear(world) {
    const { hostile } = world
    const drawn = [hostile.size(), hostile.size(), hostile.size()] as const
    const x = world.float<2>([drawn[0], drawn[1]])
    const weight = world.float<2>([drawn[2], drawn[1]])
    const bias = hostile.once(4) ? null : world.float<1>([drawn[2]])
    const run = hostile.once(2) ? linear : linearForward
    const y = world.attempt(run.name, () => run(x, weight, bias))
    if (y === null) return
    world.keep(y)
    // Something else than was drawn may have fitted.
    const [rows, [outputs, inputs]] = [x.shape[0], weight.shape]
    world.compare(
      run.name,
      [y],
      bias ? [x, weight, bias] : [x, weight],
      (a, w, b = new Float64Array(outputs)) => [
        inputs === 0
          ? Float64Array.from({ length: rows * outputs }, (_, n) => b[n % outputs]!)
          : linearReference(a, w, b),
      ],
    )
    const dY = world.float<2>([rows, outputs])
    const wanted = { x: !hostile.once(4), weight: !hostile.once(4), bias: !hostile.once(4) }
    const back = world.attempt('linearBackward', () => linearBackward(x, weight, dY, wanted))
    if (back === null) return
    for (const each of Object.values(back)) if (each !== null) world.keep<Tensor>(each)
    if (inputs === 0 || outputs === 0) return
    const bias0 = new Float64Array(outputs)
    const { dX, dWeight, dBias } = back
    world.compare('linearBackward', [dX], [weight, dY], (w, d) => [
      linearReferenceBackward(new Float64Array(rows * inputs), w, bias0, d).dX,
    ])
    world.compare('linearBackward', [dWeight], [x, dY], (a, d) => [
      linearReferenceBackward(a, new Float64Array(outputs * inputs), bias0, d).dWeight,
    ])
    const columns = (d: Float64Array) => bias0.map((_, c) => sum64(d.filter((_, n) => n % outputs === c)))
    world.compare('linearBackward', [dBias], [dY], d => [columns(d)])
  },
  crossEntropy(world) {
    const { hostile } = world
    const [rows, classes] = [hostile.width(), hostile.width()]
    const logits = world.float<2>([rows, classes])
    const count = rows > 0 && rows < 100 ? rows : 2
    const labels = Array.from({ length: count }, () =>
      hostile.number(hostile.below(classes < 100 ? Math.max(1, Math.floor(classes)) : 1)),
    )
    const given = hostile.once(3)
      ? labels
      : hostile.once(2)
        ? Int32Array.from(labels)
        : world.keep(tensor(Int32Array.from(labels), [count], { device: world.device }))
    const weight = hostile.once(3) ? (world.float<1>([classes]) ?? null) : null
    const reduction = hostile.oneOf(['mean', 'sum'] as const)
    const labelSmoothing = hostile.once(3) ? hostile.number(0.25) : 0
    const ignoreIndex = hostile.once(4) ? hostile.number(0) : undefined
    const options = { reduction, labelSmoothing, weight, ...(ignoreIndex !== undefined && { ignoreIndex }) }
    const result = world.attempt('crossEntropyForward', () => crossEntropyForward(logits, given, options))
    world.attempt('crossEntropy', () => world.keep(crossEntropy(logits, given, options)))
    if (result === null) return
    world.keep(result.loss)
    if (result.saved === null) throw new Error('crossEntropyForward: nothing was saved')
    world.keep(result.saved)
    const used = Array.isArray(given) ? labels : Array.from(Int32Array.from(labels))
    const reference = (z: Float64Array, w?: Float64Array) => {
      const { loss, dLogits } = crossEntropyReference(z, used, {
        ...{ reduction, labelSmoothing },
        ...(w && { weight: w }),
        ...(ignoreIndex !== undefined && { ignoreIndex }),
      })
      // The mean over nothing is NaN, and its gradient zeros; with weights that cancel, nothing is expected.
      const divisor = used.reduce(
        (total, label) => total + (label === (ignoreIndex ?? -100) ? 0 : (w?.[label] ?? 1)),
        0,
      )
      const vague = reduction === 'mean' && Math.abs(divisor) < 0.1
      return vague ? [null, null] : [[loss], dLogits]
    }
    const inputs: Tensor[] = weight === null ? [logits] : [logits, weight]
    world.compare('crossEntropyForward', [result.loss, result.saved], inputs, reference, { tolerance: 2e-4 })
    const { saved } = result
    const dLoss = world.float<0>([])
    const dLogits = world.attempt('crossEntropyBackward', () => crossEntropyBackward(saved, dLoss))
    if (dLogits === null) return
    world.keep(dLogits)
    world.compare(
      'crossEntropyBackward',
      [dLogits],
      [saved, dLoss],
      (s, d) => [
        // One for all, or one for each row.
        s.map((v, i) => v * d[Math.floor((i * d.length) / s.length)]!),
      ],
      {
        tolerance: 1e-6,
        exact: true,
      },
    )
  },
  dropout(world) {
    const { hostile } = world
    const x = world.some()
    const p = hostile.number(hostile.oneOf([0, 0.5, 0.9, 1]))
    const place = {
      seed: hostile.number(5),
      step: hostile.number(3),
      stream: hostile.once(3) ? hostile.number(2) : 0,
    }
    const run = hostile.once(2) ? dropout : dropoutForward
    const directions = hostile.once(4) ? hostile.number(2) : 1
    const y = world.attempt(run.name, () => run(x, p, { ...place, directions }))
    if (y === null) return
    world.keep(y)
    if (x.device === NARROW) return // the second might lack the memory
    const again = world.keep(dropoutForward(x, p, { ...place, directions }))
    // Philox decides which elements are dropped. The others must be scaled, and be the same twice.
    world.compare('dropout', [y], [x, again], (values, twice) => [
      twice.map((kept, i) => (kept === 0 ? 0 : values[i]! / (1 - Math.fround(p)))),
    ])
  },
}
