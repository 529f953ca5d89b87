import { expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { Adam, SGD } from '../../src/optim/index.js'
import { tensor } from '../../src/tensor.js'

// State that a first step had no memory for must be created later: an op without memory costs a step, no more.
test.each([
  ['Adam', 100_000, (parameter: ReturnType<typeof large>) => new Adam([parameter])],
  ['SGD', 120_000, (parameter: ReturnType<typeof large>) => new SGD([parameter], { lr: 0.1, momentum: 0.9 })],
])('%s can step after a first step that had no memory for its state', async (_, others, create) => {
  // A separate device for each, with room for the parameter, its gradient and the others, but not for the state.
  const small = device('cpu', { threads: 1, memoryLimit: (1 << 20) + others / 1000 })
  const parameter = large(small)
  const before = await parameter.toArray()
  const hog = tensor(new Float32Array(others), [others], { device: small })
  await small.synchronize()
  parameter.grad = tensor(new Float32Array(50_000).fill(1), [50_000], { device: small })
  const optimizer = create(parameter)
  optimizer.step()
  await expect(small.synchronize()).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' })
  expect(await parameter.toArray()).toEqual(before)
  hog.dispose()
  optimizer.step()
  await small.synchronize()
  const after = await parameter.toArray()
  expect(after.every((value, i) => value < before[i]!)).toBe(true)
  optimizer.zeroGrad()
  parameter.dispose()
})

function large(on: ReturnType<typeof device>) {
  return tensor(new Float32Array(50_000).fill(2), [50_000], { device: on, requiresGrad: true })
}
