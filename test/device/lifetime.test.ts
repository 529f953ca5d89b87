import { beforeEach, describe, expect, test } from 'vitest'
import { type Device, device } from '../../src/device.js'
import { add, multiply, relu, scale, sigmoid, tanh } from '../../src/ops/elementwise.js'
import { embeddingForward } from '../../src/ops/embedding.js'
import { linear } from '../../src/ops/linear.js'
import { lstm, lstmBackward, lstmForward } from '../../src/ops/recurrent.js'
import { sum } from '../../src/ops/reduce.js'
import { PackedIds, packSequence } from '../../src/packed.js'
import { full, type Matrix, memory, type Tensor, tensor, zeros } from '../../src/tensor.js'
import { BLOCK, occupy, ownDevice, rejectionOf, thrownBy } from './own.js'

let own: Device
beforeEach(() => {
  own = ownDevice()
})

const vector = (...values: number[]) => tensor(values, [values.length], { device: own })

const MEGABYTE = 2 ** 20

describe('dispose', () => {
  test('frees the memory, and a second call does nothing', async () => {
    const before = memory().tensors
    const x = zeros([BLOCK / 4], { device: own })
    const y = zeros([BLOCK / 4], { device: own })
    await own.synchronize()
    expect([own.memory().held, memory().tensors]).toEqual([2 * BLOCK, before + 2])
    x.dispose()
    x.dispose()
    expect(x.disposed).toBe(true)
    expect([own.memory().held, memory().tensors]).toEqual([BLOCK, before + 1])
    y.dispose()
    expect([own.memory().held, memory().tensors]).toEqual([0, before])
  })

  test('the memory of a large tensor serves one of half the size; that of a small tensor does not', async () => {
    // Without a limit, which counts all of a block.
    const free = device('cpu', { threads: 5 })
    for (const [size, used] of [
      [8 * MEGABYTE, 8 * MEGABYTE],
      [MEGABYTE / 8, 0],
    ] as const) {
      zeros([size / 4], { device: free }).dispose()
      await free.synchronize()
      const { cached } = free.memory()
      using _half = zeros([size / 8 + 16], { device: free })
      await free.synchronize()
      expect(cached - free.memory().cached).toBe(used)
    }
  })

  test('`using` disposes at the end of the block, also when it throws', async () => {
    const before = memory().tensors
    expect(() => {
      using x = vector(1)
      using packed = packSequence([Float32Array.of(1, 2)], { inputSize: 1, device: own })
      expect([x.size, packed.sequences.rows]).toEqual([1, 2])
      throw new RangeError('out of the block')
    }).toThrow('out of the block')
    expect(memory().tensors).toBe(before)
    await own.synchronize()
    expect(own.memory().held).toBe(0)
  })

  test('frees the memory after the value was read: the op no longer holds it', async () => {
    for (let i = 0; i < 500; i++) {
      const x = vector(i)
      await x.toArray()
      x.dispose()
      expect(own.memory().held).toBe(0)
    }
  })

  test('is safe right after `toArray` is called', async () => {
    occupy(own).dispose()
    const x = vector(1, 2, 3)
    const values = x.toArray()
    x.dispose()
    expect(await values).toEqual(Float32Array.of(1, 2, 3))
  })

  test('is safe right after an op that reads the tensor: the op holds the memory until it has run', async () => {
    const x = vector(1, -2, 3)
    await own.synchronize()
    occupy(own).dispose()
    using y = relu(x)
    x.dispose()
    expect(own.memory().held, 'of x, and of what occupies').toBeGreaterThanOrEqual(BLOCK)
    // They would get the memory of x, if it were free.
    const others = Array.from({ length: 8 }, () => full([3], 9, { device: own }))
    expect(await y.toArray()).toEqual(Float32Array.of(1, 0, 3))
    await own.synchronize()
    expect(own.memory().held).toBe((1 + others.length) * BLOCK)
  })

  test('of a result is safe before the op has run', async () => {
    occupy(own).dispose()
    relu(vector(1)).dispose()
    const other = vector(2)
    expect(await relu(other).item()).toBe(2)
  })

  test('of a packed sequence disposes all of its tensors', async () => {
    const before = memory().tensors
    const weight = zeros<2>([4, 2], { device: own })
    const { output, saved } = embeddingForward(weight, new PackedIds([[1, 2], [], [1]]))
    output.dispose()
    saved.rows.dispose()
    weight.dispose()
    expect(memory().tensors).toBe(before)
    await own.synchronize()
    expect(own.memory().held).toBe(0)
  })

  test('of the result of `lstmForward` frees all memory, with or without a backward pass', async () => {
    const before = memory().tensors
    const make = (...shape: [number, number]) => full<2>(shape, 0.5, { device: own })
    for (const useUp of [true, false]) {
      const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1, device: own })
      const weights = [
        { wIh: make(8, 1), wHh: make(8, 2) },
        { wIh: make(8, 2), wHh: make(8, 2) },
      ]
      const { output, hN, cN, saved } = lstmForward(x, weights, { hiddenSize: 2, numLayers: 2 })
      const results: { dispose(): void }[] = [
        x,
        output,
        hN,
        cN,
        ...weights.flatMap(each => [each.wIh, each.wHh]),
      ]
      if (useUp) {
        const { dInput, dWeights, dH0, dC0 } = lstmBackward(saved, { dHN: hN })
        results.push(dInput!, dH0, dC0, ...dWeights.flatMap(each => [each.wIh, each.wHh]))
      } else {
        saved.dispose()
        expect(thrownBy(() => lstmBackward(saved, {})).code).toBe('ERR_GRAPH_FREED')
      }
      for (const result of results) result.dispose()
      expect(memory().tensors).toBe(before)
    }
    await own.synchronize()
    expect(own.memory().held).toBe(0)
  })

  test('a later use throws an error that names the op and the argument', async () => {
    const gone = zeros<2>([2, 2], { device: own })
    const there = zeros<2>([2, 2], { device: own })
    gone.dispose()
    const uses: [string, () => unknown][] = [
      ['relu: x', () => relu(gone)],
      ['scale: x', () => scale(gone, 2)],
      ['sum: x', () => sum(gone)],
      ['add: a', () => add(gone, there)],
      ['add: b', () => add(there, gone)],
      ['linear: x', () => linear(gone, there)],
      ['linear: weight', () => linear(there, gone)],
      ['embedding: weight', () => embeddingForward(gone, new PackedIds([[0]]))],
    ]
    for (const [where, use] of uses) {
      const { code, message } = thrownBy(use)
      expect(code).toBe('ERR_DISPOSED')
      expect(message).toBe(`${where}: wanted a tensor, got a disposed one`)
    }
    expect(await rejectionOf(gone.toArray())).toMatchObject({
      code: 'ERR_DISPOSED',
      message: 'toArray: tensor: wanted a tensor, got a disposed one',
    })
  })
})

describe('a tensor that was not disposed', () => {
  test('is freed when it is garbage-collected', async () => {
    let tensors: Tensor[] | null = Array.from({ length: 8 }, () => zeros([MEGABYTE / 4], { device: own }))
    await own.synchronize()
    expect(own.memory().held).toBe(tensors.length * MEGABYTE)
    tensors = null
    await collected(() => own.memory().held === 0)
  })

  test('counts as external memory, so V8 collects garbage', async () => {
    own = ownDevice(2 ** 33)
    const total = 4096
    for (let megabytes = 0; megabytes < total; megabytes += 16) {
      dropTensors(16)
      await turns(1)
    }
    await own.synchronize()
    expect(own.memory().held).toBeLessThan((total / 2) * MEGABYTE)
  })

  test('is freed with a tape that had no backward pass', async () => {
    const weight = full<2>([2, 2], 1, { device: own, requiresGrad: true })
    dropLoss(weight)
    await own.synchronize()
    await collected(() => own.memory().held === BLOCK)
    expect(weight.grad).toBeNull()
  })

  test('is freed after the backward pass, also while the loss is referenced', async () => {
    const size = 256
    const x = full<1>([size], 0.5, { device: own, requiresGrad: true })
    const loss = lossOf(x)
    loss.backward()
    await own.synchronize()
    // x, its gradient and the loss are left.
    await collected(() => own.memory().held === 2 * 4 * size + BLOCK)
    expect(thrownBy(() => loss.backward()).code).toBe('ERR_GRAPH_FREED')
    expect(x.grad?.size).toBe(size)
  })

  test('is freed after the backward pass, also while another output of its op is referenced', async () => {
    const weights = [{ wIh: zeros<2>([4, 1], { device: own }), wHh: zeros<2>([4, 1], { device: own }) }]
    weights[0]!.wHh.requiresGrad = true
    const cN = cellOf(weights)
    await own.synchronize()
    // Both weights, the gradient and cN are left.
    await collected(() => own.memory().held === 4 * BLOCK)
    expect(cN.disposed).toBe(false)
  })

  // In separate functions, so that no register or stack slot of the test still refers to a tensor.
  function dropTensors(megabytes: number): void {
    for (let i = 0; i < megabytes; i++) zeros([MEGABYTE / 4], { device: own })
  }
  function dropLoss(weight: Tensor<'float32', 2>): void {
    sum(linear(full<2>([512, 2], 1, { device: own }), weight))
  }
  function lossOf(x: Tensor<'float32', 1>): Tensor<'float32', 0> {
    return sum(multiply(tanh(x), sigmoid(x)))
  }
  function cellOf(weights: { wIh: Matrix; wHh: Matrix }[]): Tensor<'float32'> {
    const x = packSequence([new Float32Array(4096)], { inputSize: 1, device: own })
    const { output, cN } = lstm(x, weights, { hiddenSize: 1 })
    sum(output.data).backward()
    return cN
  }
})

test('the memory of a peak stays in reserve, and is freed if no other peak follows', async () => {
  const whole = ownDevice(2 ** 31)
  const peak = 400 * MEGABYTE
  zeros([peak / 4], { device: whole }).dispose()
  await whole.synchronize()
  expect(whole.memory()).toMatchObject({ held: 0 })
  expect(whole.memory().cached).toBeGreaterThanOrEqual(peak)
  for (let i = 0; i < 9000; i++) zeros([1], { device: whole }).dispose()
  await whole.synchronize()
  expect(whole.memory().cached).toBeLessThan(peak)
})

/** Collects garbage until `done`; finalizers run when the event loop turns. */
async function collected(done: () => boolean): Promise<void> {
  expect(global.gc, 'vitest.config.ts runs the tests with --expose-gc').toBeTypeOf('function')
  for (let attempt = 0; attempt < 50 && !done(); attempt++) {
    global.gc!()
    await turns(2)
  }
  expect(done()).toBe(true)
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
}
