import { beforeEach, expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { clipNorm } from '../../src/ops/clip.js'
import { multiply, relu } from '../../src/ops/elementwise.js'
import { embedding, embeddingBackward, embeddingForward } from '../../src/ops/embedding.js'
import { linear, linearForward } from '../../src/ops/linear.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { lastOutput } from '../../src/ops/pooling.js'
import { lstmForward } from '../../src/ops/recurrent.js'
import { sum } from '../../src/ops/reduce.js'
import { clipGradNorm, SGD } from '../../src/optim/index.js'
import { PackedIds, packSequence } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { full, type Tensor, tensor, zeros } from '../../src/tensor.js'
import { optimizerOf, rules } from '../suite/parameter.js'
import { ownDevice, rejectionOf } from './own.js'

const LIMIT = 2 ** 20
/** More rows of one number than there is memory for. */
const TOO_MANY = LIMIT / 4 + 1

let own: Device
beforeEach(() => {
  own = ownDevice(LIMIT)
})

const row = (...values: number[]) => tensor<2>(values, [1, values.length], { device: own })
const matrix = (rows: number, columns: number, value = 0) => full<2>([rows, columns], value, { device: own })
const values = async (...tensors: Tensor<'float32'>[]) =>
  (await Promise.all(tensors.map(one => one.toArray()))).map(array => Array.from(array))

/** A result [rows, columns] of a product that there was no memory for: its rows' source would be too large. */
function failed(rows: number, columns: number): Tensor<'float32', 2> {
  const lost = matrix(rows, TOO_MANY)
  return linearForward(lost, matrix(columns, TOO_MANY))
}

test('an op without memory rejects with its name, its shapes and the cause', async () => {
  const x = matrix(512, 4, 1)
  const weight = matrix(1024, 4, 1)
  const y = linear(x, weight)
  const { code, message } = await rejectionOf(y.toArray())
  expect(code).toBe('ERR_OUT_OF_MEMORY')
  expect(message).toMatch(
    /^matmul\(m 512, n 1024, k 4\): wanted 2097152 bytes, 24576 of the limit of 104\d{4} are held$/,
  )
})

test('ops that read a failed tensor fail with the same error, and other ops do not fail', async () => {
  const weight = matrix(1024, 4, 1)
  const lost = linear(matrix(512, 4, 1), weight)
  const after = sum(multiply(relu(lost), relu(lost)))
  const found = linear(matrix(8, 4, 1), weight)
  expect((await rejectionOf(after.item())).message).toBe((await rejectionOf(lost.toArray())).message)
  expect(await sum(found).item()).toBe(8 * 1024 * 4)
  expect(await sum(weight).item()).toBe(4096)
  // All failures have been seen.
  await own.synchronize()
})

test('a failed layer fails all its results', async () => {
  const hiddenSize = 64
  const x = packSequence([new Float32Array(2 * LIMIT)], { inputSize: LIMIT / 64, device: own })
  const weights = [
    {
      wIh: matrix(4 * hiddenSize, LIMIT / 64),
      wHh: matrix(4 * hiddenSize, hiddenSize),
    },
  ]
  const { output, hN, cN, saved } = lstmForward(x, weights, { hiddenSize })
  const errors = await Promise.all(
    [output.data, hN, cN, lastOutput(output)].map(one => rejectionOf(one.toArray())),
  )
  expect(new Set(errors.map(error => error.message)).size).toBe(1)
  expect(errors[0]).toMatchObject({
    code: 'ERR_OUT_OF_MEMORY',
    message: expect.stringMatching(/^tensor\(bytes 8388608\): /),
  })
  saved.dispose()
})

test('the inputs of a failed op stay valid, and disposing them frees their memory', async () => {
  scope(() => sum(failed(4, 4)))
  await rejectionOf(own.synchronize())
  expect(own.memory().held).toBe(0)
})

test('clipNorm with a failed gradient changes no gradient', async () => {
  const good = row(3, 4)
  const total = clipNorm([good, failed(1, 2)], 1)
  expect((await rejectionOf(total.item())).message).toMatch(/^fill\(/)
  expect(await values(good)).toEqual([[3, 4]])
  expect(await clipNorm([good], 1).item()).toBe(5)
  expect((await good.toArray())[0]).toBeCloseTo(0.6, 5)
})

test('clipNorm that fails changes no gradient', async () => {
  const good = row(3, 4)
  // All memory but the block of `good`: powers of two, which the allocator does not round.
  const rest = Array.from({ length: 14 }, (_, i) => zeros([2 ** (17 - i)], { device: own }))
  const total = clipNorm([good], 1)
  expect((await rejectionOf(total.item())).message).toMatch(/^clipNorm\(tensors 1\): wanted 64 bytes/)
  expect(await values(good)).toEqual([[3, 4]])
  for (const one of rest) one.dispose()
  expect(await clipNorm([good], 1).item()).toBe(5)
})

test.each(rules)('a failed gradient in one group prevents the whole step: $name', async rule => {
  const parameters = [row(1, 2), row(3), row(4)]
  const [p, q, r] = parameters
  const [first, second, third] = [row(1, 1), row(1), row(1)]
  const optimizer = optimizerOf(rule, [{ parameters: [p!, q!] }, { parameters: [r!] }])
  const step = (...gradients: Tensor<'float32'>[]) => {
    for (const [i, parameter] of parameters.entries()) parameter.grad = gradients[i]!
    optimizer.step()
  }
  const state = async () => [await values(...parameters), await optimizer.stateDict()]
  // The first step, for which there is no state yet, and a later one.
  step(first, second, failed(1, 1))
  expect((await values(...parameters)).flat()).toEqual([1, 2, 3, 4])
  const { tensors } = await optimizer.stateDict()
  for (const [name, { data }] of tensors)
    expect(Array.from(data, Math.abs), name).toEqual(Array.from(data, () => 0))
  step(first, second, third)
  const before = await state()
  step(first, failed(1, 1), third)
  expect(await state()).toEqual(before)

  // And a step that failed leaves no trace in the next ones.
  step(first, second, third)
  const others = [row(1, 2), row(3), row(4)]
  const unharmed = optimizerOf(rule, others)
  for (let i = 0; i < 2; i++) {
    for (const [k, parameter] of others.entries()) parameter.grad = [first, second, third][k]!
    unharmed.step()
  }
  expect(await values(...parameters)).toEqual(await values(...others))
})

test("an embedding's gradient fails if its rows failed, and the step does not change the embedding", async () => {
  const weight = matrix(5, 3, 2)
  const { saved } = embeddingForward(weight, new PackedIds([[4, 0, 4]]))
  const dWeight = embeddingBackward(saved, failed(2, 3))
  expect((await rejectionOf(dWeight.toArray())).message).toMatch(/^fill\(/)
  expect(await sum(weight).item()).toBe(30)
  expect(await sum(embeddingBackward(saved, matrix(2, 3, 1))).item()).toBe(6)
})

test('a batch that is too large fails its step but does not change the model', async () => {
  const table = matrix(8, 4, 1)
  const weight = tensor<2>(
    Float32Array.from({ length: 12 }, (_, i) => i / 12),
    [3, 4],
    { device: own },
  )
  const parameters = [table, weight]
  for (const parameter of parameters) parameter.requiresGrad = true
  const sgd = new SGD(parameters, { lr: 1 })
  const train = (documents: number[][]) =>
    scope(() => {
      const rows = lastOutput(embedding(table, new PackedIds(documents)))
      const loss = crossEntropy(
        linear(rows, weight),
        documents.map(() => 2),
      )
      loss.backward()
      clipGradNorm(parameters, 1)
      sgd.step()
      sgd.zeroGrad()
      return loss
    })
  const before = await values(...parameters)
  const large = train(Array.from({ length: LIMIT / 16 }, (_, i) => [i % 8]))
  expect((await rejectionOf(large.item())).code).toBe('ERR_OUT_OF_MEMORY')
  expect(await values(...parameters)).toEqual(before)
  const [first, second] = [train([[1], [2, 3]]), train([[1], [2, 3]])]
  expect(await second.item()).toBeLessThan(await first.item())
})
