import { expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { linearForward } from '../../src/ops/linear.js'
import { lstmBackward, lstmForward } from '../../src/ops/recurrent.js'
import { SGD } from '../../src/optim/index.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, tensor, zeros } from '../../src/tensor.js'
import { ownDevice } from './own.js'

/** Packed weights: kept with the weights, counted, and given up for anything else that needs the memory. */

const [OUT, IN] = [256, 512]
const PACKED = 4 * OUT * IN

test('packed weights are cached from their second use, and freed when the weights change or are disposed', async () => {
  const own = ownDevice()
  const x = full([3, IN], 1, { device: own })
  const weight = full([OUT, IN], 0.5, { device: own })
  await own.synchronize()
  const before = own.memory().held
  const use = async () => {
    linearForward(x, weight).dispose()
    await own.synchronize()
    return own.memory().held - before
  }
  expect(await use()).toBe(0)
  expect(await use()).toBe(PACKED)
  expect(await use()).toBe(PACKED)
  weight.grad = full<number>([OUT, IN], 1, { device: own })
  new SGD([weight], { lr: 1 }).step()
  weight.grad.dispose()
  weight.grad = null
  await own.synchronize()
  expect(own.memory().held).toBe(before)
  expect(await use()).toBe(0)
  expect(await use()).toBe(PACKED)
  weight.dispose()
  await own.synchronize()
  expect(own.memory().held).toBe(before - PACKED)
})

test('disposing a layer frees its packed weights', async () => {
  const own = ownDevice()
  const hiddenSize = 32
  const weights = [
    {
      wIh: zeros([4 * hiddenSize, 2], { device: own }),
      wHh: zeros([4 * hiddenSize, hiddenSize], { device: own }),
    },
  ]
  const x = packSequence([new Float32Array(6)], { inputSize: 2, device: own })
  await own.synchronize()
  const before = own.memory().held
  for (let time = 0; time < 3; time++) {
    scope(() => {
      lstmForward(x, weights, { hiddenSize, train: false })
    })
  }
  await own.synchronize()
  expect(own.memory().held).toBeGreaterThan(before)
  for (const { wIh, wHh } of weights) for (const weight of [wIh, wHh]) weight.dispose()
  x.dispose()
  await own.synchronize()
  expect(own.memory().held).toBe(0)
})

test('a backward pass without memory fails, and is not retried with saved buffers that were overwritten', async () => {
  const hiddenSize = 64
  const lengths = [40, 25, 31]
  const rows = lengths.reduce((sum, length) => sum + length, 0)
  const draw = (on: Device, shape: [number, number], bound: number) => {
    const generator = new Generator(1)
    const values = Float32Array.from({ length: shape[0] * shape[1] }, () => generator.uniform(-bound, bound))
    return tensor<2>(values, shape, { device: on })
  }
  const outcomes = new Set<string>()
  let wanted: Float32Array | null = null
  for (let limit = 1 << 20; limit > 1 << 17; limit = Math.floor(limit * 0.985)) {
    const own = ownDevice(limit)
    const trouble = await scope(async () => {
      const weights = [{ wIh: draw(own, [256, 16], 0.2), wHh: draw(own, [256, hiddenSize], 0.2) }]
      const x = new PackedSequence(draw(own, [rows, 16], 1), new Sequences(lengths))
      const dOutput = draw(own, [rows, hiddenSize], 1)
      for (let time = 0; time < 3; time++) {
        const { saved } = lstmForward(x, weights, { hiddenSize })
        const { dWeights } = lstmBackward(saved, { dOutput })
        const found = await dWeights[0]!.wHh.toArray().catch(error => error.code)
        if (typeof found === 'string') return found
        wanted ??= found
        expect(found, `limit ${limit}, pass ${time}`).toEqual(wanted)
      }
      return 'none'
    })
    outcomes.add(trouble)
    await own.synchronize().catch(() => {})
  }
  expect([...outcomes].sort()).toEqual(['ERR_OUT_OF_MEMORY', 'none'])
})

test('packed weights are freed for an op that needs the memory', async () => {
  const own = ownDevice(4 * PACKED)
  const x = full([3, IN], 1, { device: own })
  const weight = full([OUT, IN], 0.5, { device: own })
  const used = async () => {
    using y = linearForward(x, weight)
    return await y.toArray()
  }
  const first = await used()
  await used()
  const with2 = own.memory().held
  expect(with2).toBeGreaterThan(2 * PACKED)
  using large = zeros([(5 * OUT * IN) / 2], { device: own })
  await own.synchronize()
  expect(own.memory().held).toBeGreaterThan(3 * PACKED)
  expect(large.size).toBe(2.5 * OUT * IN)
  expect(first).toEqual(new Float32Array(3 * OUT).fill(IN / 2))
})
