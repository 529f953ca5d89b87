import { describe, expect, test } from 'vitest'
import { type Device, device, devices } from '../../src/device.js'
import { LSTM } from '../../src/nn/index.js'
import { add } from '../../src/ops/elementwise.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { clipGradNorm, SGD } from '../../src/optim/index.js'
import { packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, tensor, zeros } from '../../src/tensor.js'
import { whyNoCuda } from '../cuda.js'
import { leaf, setGradient } from '../suite/parameter.js'
import { rejectionOf, thrownBy } from './own.js'

/** A CUDA device's properties. Its ops are tested in test/cuda.test.ts. */

const reason = whyNoCuda()
describe.skipIf(reason !== null)(reason === null ? 'a CUDA device' : `a CUDA device: ${reason}`, () => {
  test('has a kind, an ordinal and a name', () => {
    const [first] = devices()
    if (first?.kind !== 'cuda') return expect.unreachable()
    const cuda = device('cuda')
    expect(cuda).toMatchObject({ kind: 'cuda', ordinal: 0, precision: 'tf32', threads: null })
    expect(cuda.name).toBe(`cuda:0 (${first.name}, tf32)`)
    expect(cuda.instructions).toBe(`sm_${first.computeCapability?.replace('.', '')}`)
    const other = device('cuda:0', { precision: 'float32', path: 'stepwise', memoryLimit: 2 ** 20 })
    expect(other.name).toBe(`cuda:0 (${first.name}, float32, stepwise, at most 1048576 bytes)`)
  })

  test('the same options return the same device', () => {
    expect(device('cuda')).toBe(device('cuda:0', { precision: 'tf32', path: 'auto', memoryLimit: 0 }))
    expect(device('cuda')).not.toBe(device('cuda', { precision: 'float32' }))
    expect(device('cuda')).not.toBe(device('cuda', { path: 'stepwise' }))
  })

  test('returns the floats and integers that were uploaded', async () => {
    const on = { device: device('cuda') }
    expect([...(await tensor([1, -2.5, Number.NaN], [3], on).toArray())]).toEqual([1, -2.5, Number.NaN])
    const integers = Int32Array.of(-(2 ** 31), 2 ** 24 + 1)
    expect(await tensor(integers, [2], on).toArray()).toEqual(integers)
    expect(await zeros([0, 3], on).toArray()).toEqual(new Float32Array(0))
  })

  test('downloads more than its pinned memory holds', async () => {
    const on = { device: device('cuda') }
    const size = 2 ** 19
    // 48 MB, several times what the pinned memory of copies under way holds.
    const given = Array.from({ length: 24 }, (_, i) => tensor(new Float32Array(size).fill(i), [size], on))
    for (const [i, one] of given.entries()) {
      expect(
        (await one.toArray()).findIndex(value => value !== i),
        `tensor ${i}`,
      ).toBe(-1)
      one.dispose()
    }
  })

  test('rejects tensors of another device', () => {
    const [a, b] = [zeros([2], { device: device('cuda') }), zeros([2], { device: device('cpu') })]
    expect(thrownBy(() => add(a, b)).code).toBe('ERR_DEVICE')
  })

  test('frees the workspaces of stepped layers when memory runs out', async () => {
    const small = device('cuda', { memoryLimit: 2 ** 20, path: 'stepwise' })
    const layer = new LSTM({ inputSize: 4, hiddenSize: 64, device: small, generator: new Generator(1) })
    const sequences = Array.from({ length: 64 }, (_, i) => new Float32Array(4).fill(Math.sin(i)))
    const run = () =>
      scope(() =>
        layer.forward(packSequence(sequences, { inputSize: 4, device: small })).output.data.toArray(),
      )
    const first = await run()
    await small.synchronize()
    // The parameters and the workspace of the layer's graph, which this leaves no room for.
    const { held } = small.memory()
    expect(held).toBeGreaterThan(3 * 2 ** 16)
    const large = zeros([13 * 2 ** 14], { device: small })
    await large.toArray()
    expect(small.memory().held).toBeLessThan(held + 13 * 2 ** 16)
    large.dispose()
    expect(await run()).toEqual(first)
  })

  test('an op without memory fails, and the next op runs', async () => {
    const small = device('cuda', { memoryLimit: 2 ** 20 })
    const failed = add(zeros([2 ** 20], { device: small }), zeros([2 ** 20], { device: small }))
    expect((await rejectionOf(failed.toArray())).code).toBe('ERR_OUT_OF_MEMORY')
    expect(
      await add(zeros([2], { device: small }), tensor([1, 2], [2], { device: small })).toArray(),
    ).toEqual(Float32Array.of(1, 2))
    expect(small.memory().held).toBeLessThanOrEqual(2 ** 20)
  })

  test('reports the failure of the first op, whenever the device detects it', async () => {
    const small = device('cuda', { memoryLimit: 2 ** 20 + 1 })
    const p = leaf(small, [1])
    setGradient(p, [Number.NaN])
    clipGradNorm([p], 1, { errorIfNonfinite: true }).dispose()
    zeros([2 ** 20], { device: small })
    expect((await rejectionOf(small.synchronize())).code).toBe('ERR_NON_FINITE')
    await small.synchronize()
  })

  test('downloads in progress hold no device memory', async () => {
    const small = device('cuda', { memoryLimit: 2 ** 20 + 2 })
    const tensors = Array.from({ length: 8 }, (_, i) => full([2 ** 14], i, { device: small }))
    const reads = Promise.all(tensors.map(each => each.toArray()))
    for (const each of tensors) each.dispose()
    expect(await zeros([200_000], { device: small }).toArray()).toEqual(new Float32Array(200_000))
    expect((await reads).map(values => values[5])).toEqual([...tensors.keys()])
  })

  /** A label outside of the classes, of which the host knows nothing. */
  function wrongLabels(on: Device) {
    const labels = tensor<1>(Int32Array.of(9, 1), [2], { device: on })
    Object.defineProperty(labels, 'host', { value: null })
    return labels
  }

  test('a wrong label fails reads of the loss, but not the next synchronize', async () => {
    const cuda = device('cuda')
    const large = full([300_000], 1, { device: cuda })
    for (const next of [() => cuda.synchronize(), () => large.toArray()]) {
      const loss = crossEntropy(zeros<2>([2, 3], { device: cuda }), wrongLabels(cuda))
      const [first, second] = await Promise.allSettled([loss.item(), next()])
      expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ERR_OUT_OF_RANGE' } })
      expect(second.status).toBe('fulfilled')
    }
  })

  test('a step after a wrong label changes nothing', async () => {
    const cuda = device('cuda')
    const values = Float32Array.of(1, 2, 3, 4, 5, 6)
    const logits = tensor<2>(values, [2, 3], { device: cuda, requiresGrad: true })
    crossEntropy(logits, wrongLabels(cuda)).backward()
    clipGradNorm([logits], 10, { errorIfNonfinite: true }).dispose()
    new SGD([logits], { lr: 1 }).step()
    expect((await rejectionOf(cuda.synchronize())).code).toBe('ERR_OUT_OF_RANGE')
    expect(await logits.toArray()).toEqual(values)
  })
})
