import { expect, test } from 'vitest'
import { linearForward } from '../../src/ops/linear.js'
import { lstmForward } from '../../src/ops/recurrent.js'
import { SGD } from '../../src/optim/index.js'
import { packSequence } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { full, zeros } from '../../src/tensor.js'
import { ownDevice } from './own.js'

/** Packed weights: kept with the weights, counted, and given up for anything else that needs the memory. */

const [OUT, IN] = [256, 512]
const PACKED = 4 * OUT * IN

test('packed weights are kept from their second use on, and freed when the weights change or go', async () => {
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

test('the packed weights of a layer are freed with the layer', async () => {
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

test('packed weights give way to an op that needs the memory', async () => {
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
