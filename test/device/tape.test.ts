import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import { device } from '../../src/device.js'
import { clipNorm } from '../../src/ops/clip.js'
import { add, multiply, relu, scale, sigmoid, tanh } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { linear } from '../../src/ops/linear.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { lastHidden, lastOutput } from '../../src/ops/pooling.js'
import { lstm } from '../../src/ops/recurrent.js'
import { sum } from '../../src/ops/reduce.js'
import { SGD } from '../../src/optim/index.js'
import { PackedIds } from '../../src/packed.js'
import { full, memory, type Shape, sizeOf, type Tensor, tensor, zeros } from '../../src/tensor.js'
import { ownDevice, thrownBy } from './own.js'

const cpu = device('cpu', { threads: 1 })

const parameter = (...values: number[]) =>
  tensor<1>(values, [values.length], { device: cpu, requiresGrad: true })
const constant = (...values: number[]) => tensor<1>(values, [values.length], { device: cpu })
const gradient = async (x: Tensor) => (x.grad === null ? null : Array.from(await x.grad.toArray()))

function sgd(...parameters: Tensor<'float32'>[]): void {
  new SGD(parameters, { lr: 1 }).step()
}

describe('gradients', () => {
  test('of a tensor that is used twice are added', async () => {
    const x = parameter(2, 3)
    const square = multiply(x, x)
    // x² + 5 x²: a diamond over `square`, and in it one over x
    sum(add(square, scale(square, 5))).backward()
    expect(await gradient(x)).toEqual([24, 36])
  })

  test('of a diamond with arms of different lengths wait for both arms', async () => {
    const x = parameter(1)
    const start = scale(x, 2)
    let long = start
    for (let i = 0; i < 5; i++) long = scale(long, 2)
    sum(multiply(long, start)).backward()
    // 64 x · 2 x
    expect(await gradient(x)).toEqual([256])
  })

  test('flow through several kinds of ops', async () => {
    const x = parameter(0.5)
    sum(tanh(sigmoid(relu(scale(x, 3))))).backward()
    const s = 1 / (1 + Math.exp(-1.5))
    expect((await gradient(x))![0]).toBeCloseTo((1 - Math.tanh(s) ** 2) * s * (1 - s) * 3, 6)
  })

  test('reach every parameter of a network', async () => {
    const make = <R extends number>(shape: Shape<R>) => {
      const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1 + i))
      return tensor<R>(values, shape, { device: cpu, requiresGrad: true })
    }
    const table = make<2>([5, 2])
    const weights = [{ wIh: make<2>([12, 2]), wHh: make<2>([12, 3]), bIh: make<1>([12]), bHh: make<1>([12]) }]
    const [h0, c0] = [make<3>([1, 2, 3]), make<3>([1, 2, 3])]
    const head = make<2>([2, 3])
    const x = embedding(table, new PackedIds([[4, 1, 4], [2]]))
    const { output, hN, cN } = lstm(x, weights, { hiddenSize: 3, h0, c0 })
    const states = add(lastHidden(hN, 1), add(lastHidden(cN, 1), lastOutput(output)))
    crossEntropy(linear(states, head), [0, 1]).backward()
    for (const each of [table, head, h0, c0, ...Object.values(weights[0]!)]) {
      expect(each.grad?.shape).toEqual(each.shape)
      expect((await gradient(each))!.some(value => value !== 0)).toBe(true)
    }
    // Rows of words that are not in the batch.
    expect((await gradient(table))!.filter((_, i) => [0, 1, 6, 7].includes(i))).toEqual([0, 0, 0, 0])
  })

  test('of a second loss are added to those of the first', async () => {
    const x = parameter(2, 3)
    sum(multiply(x, x)).backward()
    sum(scale(x, 10)).backward()
    expect(await gradient(x)).toEqual([14, 16])
  })

  test('of a tensor that is not a scalar start from the given gradient', async () => {
    const x = parameter(2, 3)
    using seed = constant(10, 100)
    multiply(x, x).backward(seed)
    expect(await gradient(x)).toEqual([40, 600])
    expect(Array.from(await seed.toArray())).toEqual([10, 100])
  })

  test('are stored only for tensors that require them', async () => {
    const [x, y] = [parameter(2), constant(3)]
    const product = multiply(x, y)
    sum(product).backward()
    expect(await gradient(x)).toEqual([3])
    expect([y.grad, product.grad]).toEqual([null, null])
  })

  test('start from zero after the previous ones were disposed', async () => {
    const x = parameter(2)
    sum(scale(x, 3)).backward()
    x.grad?.dispose()
    sum(scale(x, 5)).backward()
    expect(await gradient(x)).toEqual([5])
  })

  test('of the two operands of an op have separate memory', async () => {
    const [a, b] = [parameter(1), parameter(1)]
    sum(add(a, b)).backward()
    clipNorm([a.grad!], 0.5)
    expect((await gradient(a))![0]).toBeCloseTo(0.5, 5)
    expect(await gradient(b)).toEqual([1])
  })

  test('do not share memory with the gradient that was passed', async () => {
    const [a, b] = [parameter(1), parameter(1)]
    using seed = constant(1)
    add(a, b).backward(seed)
    clipNorm([a.grad!, b.grad!], 0.5)
    expect(Array.from(await seed.toArray())).toEqual([1])
    seed.dispose()
    expect((await gradient(a))![0]).toBeCloseTo(0.5 / Math.SQRT2, 5)
  })
})

describe('the tape', () => {
  test('holds the tensors it needs: they may be disposed between forward and backward', async () => {
    const own = ownDevice()
    const x = tensor([2, 3], [2], { device: own, requiresGrad: true })
    const squares = multiply(x, x)
    const thirds = multiply(squares, x)
    const loss = sum(thirds)
    for (const each of [squares, thirds, loss]) each.dispose()
    // They would get the memory of what was disposed, if it were free.
    for (let i = 0; i < 8; i++) full([2], 9, { device: own })
    loss.backward()
    expect(await gradient(x)).toEqual([12, 27])
  })

  test('is freed during the backward pass', async () => {
    const x = parameter(2, 3)
    const before = memory().tensors
    const loss = sum(multiply(tanh(x), sigmoid(x)))
    loss.backward()
    loss.dispose()
    // tanh x, sigmoid x, their product, and the gradient
    expect(memory().tensors - before).toBe(4)
  })

  test('is not recorded if no input requires a gradient', () => {
    const before = memory().tensors
    const y = multiply(constant(1), constant(2))
    expect(memory().tensors - before).toBe(3)
    expect(thrownBy(() => y.backward())).toMatchObject({
      code: 'ERR_NO_GRADIENT',
      message: 'backward: this tensor was not computed from any tensor that requires a gradient',
    })
  })

  test('noGrad records nothing', () => {
    const x = parameter(2)
    const before = memory().tensors
    const y = noGrad(() => multiply(x, x))
    expect(memory().tensors - before).toBe(1)
    expect(thrownBy(() => y.backward()).code).toBe('ERR_NO_GRADIENT')
    sum(multiply(x, x)).backward()
    expect(x.grad).not.toBeNull()
  })

  test('noGrad applies after an await inside, but not to concurrent code', async () => {
    const x = parameter(2)
    const running = noGrad(async () => {
      await sleep(2)
      return multiply(x, x)
    })
    const outside = multiply(x, x)
    const inside = await running
    expect(thrownBy(() => inside.backward()).code).toBe('ERR_NO_GRADIENT')
    outside.backward()
    expect(await gradient(x)).toEqual([4])
  })

  test('noGrad ends if the function throws', () => {
    const x = parameter(2)
    const fail = () =>
      noGrad(() => {
        throw new RangeError('inside')
      })
    expect(fail).toThrow('inside')
    expect(multiply(x, x).node).not.toBeNull()
  })
})

describe('a backward pass throws', () => {
  test('the second time', async () => {
    const x = parameter(2)
    const loss = sum(multiply(x, x))
    loss.backward()
    expect(thrownBy(() => loss.backward())).toMatchObject({
      code: 'ERR_GRAPH_FREED',
      message: 'backward: sum: the graph was freed by an earlier backward pass',
    })
    expect(await gradient(x)).toEqual([4])
  })

  test('if another loss freed a part of the graph, and changes nothing', async () => {
    const [x, y] = [parameter(2), parameter(3)]
    const shared = multiply(x, x)
    sum(shared).backward()
    const loss = sum(multiply(shared, multiply(y, y)))
    expect(thrownBy(() => loss.backward())).toMatchObject({
      code: 'ERR_GRAPH_FREED',
      message: expect.stringContaining('backward: multiply:'),
    })
    expect([await gradient(x), y.grad]).toEqual([[4], null])
  })

  test('if a parameter was stepped since the forward pass, and changes nothing', async () => {
    const [w, v] = [parameter(2), parameter(3)]
    const first = sum(multiply(w, w))
    const second = sum(multiply(multiply(w, w), v))
    first.backward()
    sgd(w)
    const before = memory().tensors
    expect(thrownBy(() => second.backward())).toMatchObject({
      code: 'ERR_MODIFIED',
      message: 'backward: multiply: a tensor [1] that it needs has changed since the forward pass',
    })
    expect([await gradient(w), v.grad]).toEqual([[4], null])
    expect(memory().tensors, 'nothing of the attempt is left').toBe(before)
  })

  test.each(['wIh', 'wHh', 'bIh', 'bHh'] as const)('if %s of a layer was stepped', name => {
    const make = <R extends number>(shape: Shape<R>) =>
      full<R>(shape, 0.5, { device: cpu, requiresGrad: true })
    const weights = { wIh: make<2>([4, 2]), wHh: make<2>([4, 1]), bIh: make<1>([4]), bHh: make<1>([4]) }
    const x = embedding(make<2>([3, 2]), new PackedIds([[0, 1]]))
    const { hN } = lstm(x, [weights], { hiddenSize: 1 })
    const stepped: Tensor<'float32'> = weights[name]
    stepped.grad = zeros<number>(stepped.shape, { device: cpu })
    sgd(stepped)
    expect(thrownBy(() => sum(hN).backward())).toMatchObject({
      code: 'ERR_MODIFIED',
      message: expect.stringMatching(/^backward: lstm: a tensor \[4/),
    })
  })

  test('but not if the op does not need the values of the stepped parameter', async () => {
    const [w, v] = [parameter(2), parameter(3)]
    const loss = sum(add(w, v))
    sum(scale(w, 1)).backward()
    sgd(w)
    loss.backward()
    expect([await gradient(w), await gradient(v)]).toEqual([[2], [1]])
  })

  test('without a gradient, for a tensor that is not a scalar', () => {
    const y = scale(parameter(1, 2), 2)
    expect(thrownBy(() => y.backward())).toMatchObject({
      code: 'ERR_SHAPE',
      message: 'backward: gradient: wanted a tensor of shape [2], got undefined',
    })
  })

  test('if the passed gradient does not fit, and can be retried', async () => {
    const x = parameter(1, 2)
    const y = scale(x, 2)
    const own = ownDevice()
    const gone = constant(1, 1)
    gone.dispose()
    const refusals: [Tensor, string, string][] = [
      [constant(1), 'ERR_SHAPE', 'wanted shape [2], got [1]'],
      [zeros([1, 2], { device: cpu }), 'ERR_SHAPE', 'wanted shape [2], got [1, 2]'],
      [zeros([2], { device: own }), 'ERR_DEVICE', `wanted a tensor on ${cpu.name}, got ${own.name}`],
      [gone, 'ERR_DISPOSED', 'wanted a tensor, got a disposed one'],
    ]
    for (const [seed, code, wording] of refusals) {
      const message = `backward: gradient: ${wording}`
      expect(thrownBy(() => y.backward(seed as Tensor<'float32'>))).toMatchObject({ code, message })
    }
    y.backward(constant(1, 10))
    expect(await gradient(x)).toEqual([2, 20])
  })
})
