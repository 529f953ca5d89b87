import { describe, expect, test } from 'vitest'
import * as rnn from '../../src/index.js'
import { defaultGenerator } from '../../src/random.js'
import { cpu, untyped } from '../device/refuses.js'

/** What the fuzzing of the tape's ops found, each as small as it gets. */

const { tensor, zeros } = rnn
const leaf = (values: number[]) =>
  tensor(values, [values.length] as const, { device: cpu, requiresGrad: true })

/** A call throws this message, leaves no tensor, and draws nothing. */
function expectRefused(message: string, call: () => unknown): void {
  const before = [rnn.memory().tensors, defaultGenerator().position]
  expect(call).toThrow(expect.objectContaining({ name: 'PackedRnnError', message }))
  expect([rnn.memory().tensors, defaultGenerator().position]).toEqual(before)
}

describe('invalid arguments are rejected by name, and no tensor remains', () => {
  const x = tensor([1, 2, 3, 4], [2, 2], { device: cpu })
  const scalar = tensor([1], [] as const, { device: cpu })
  const p = untyped<never>
  const ids = new rnn.PackedIds([[0, 1, 0]])
  const indexed = rnn.embedding(leafMatrix(), ids)
  const many = zeros([2, 1, 2, 1, 2, 1], { device: cpu })
  const others = zeros([1, 2, 1, 2, 1, 2], { device: cpu })
  const huge = zeros([2 ** 33, 0], { device: cpu })

  function leafMatrix() {
    return tensor([1, 2, 3, 4], [2, 2], { device: cpu, requiresGrad: true })
  }

  test.each<[message: string, call: () => unknown]>([
    ['crossEntropy: labels: wanted integers, got null', () => rnn.crossEntropy(x, p(null))],
    ['nllLoss: labels: wanted integers, got 3', () => rnn.nllLoss(x, p(3))],
    ['crossEntropyBackward: dLoss: wanted a tensor, got null', () => rnn.crossEntropyBackward(p(x), p(null))],
    ['indexSelect: index: wanted integers, got null', () => rnn.indexSelect(x, 0, p(null))],
    ['oneHot: labels: wanted integers, got x', () => rnn.oneHot(p('x'), 2)],
    ['sum: dim: wanted an array of dimensions, got null', () => rnn.sum(x, { dim: p(null) })],
    ['reshape: shape: wanted an array of sizes, got null', () => rnn.reshape(x, p(null))],
    ['rand: shape: wanted an array of sizes, got x', () => rnn.rand(p('x'))],
    ['permute: dims: wanted an array of dimensions, got null', () => rnn.permute(x, p(null))],
    ['split: sizes: wanted an array of sizes, got null', () => rnn.split(x, p(null))],
    ['split: sizes: wanted an integer from 512 to 2147483647, got 1', () => rnn.split(huge, 1)],
    ['topk: k: wanted an integer from 1 to 1, got 0', () => rnn.topk(scalar, 0)],
    ['dropout: options: wanted an object, got null', () => rnn.dropout(x, 0.5, p(null))],
    ['dropout: p: wanted a number from 0 to 1, got 2', () => rnn.dropout(indexed, 2, { shared: 'time' })],
    ['dropout: x: wanted a tensor, got null', () => rnn.dropout(p(null), 0.5)],
    ['randn: generator: wanted a Generator, got null', () => rnn.randn([1], { generator: p(null) })],
    ['arange: options: wanted an object, got null', () => rnn.arange(0, 1, p(null))],
    [
      'arange: the number of values: wanted an integer from 0 to 268435456, got 1e+300',
      () => rnn.arange(0, 1e300),
    ],
    ['multinomial: samples: wanted an integer from 1 to 2, got 3', () => rnn.multinomial(x, 3)],
    [
      'splitSequences: counts: wanted an array of numbers, got null',
      () => rnn.splitSequences(indexed, p(null)),
    ],
    [
      'unfold: kernelSize: wanted an integer from 1 to 65536, got 2147483647',
      () => rnn.unfold(indexed, { kernelSize: 2 ** 31 - 1 }),
    ],
    [
      'add: shape: wanted at most 4 dimensions that are not contiguous, got [2, 2, 2, 2, 2, 2]',
      () => rnn.add(many, others),
    ],
    [
      'softmax: dim: wanted an integer from -2 to 1, got 2',
      () => rnn.softmax(indexed, { dim: 2 }), // the rows of indexed sequences were on the tape
    ],
    ['detach: x: wanted a tensor, got null', () => rnn.detach(p(null))],
    ['grad: outputs: wanted an array of tensors, got null', () => rnn.grad(p(null), [])],
    ['customGrad: forward: wanted a function, got 3', () => rnn.customGrad(p(3), () => [])],
    [
      'customGrad: forward: wanted an object with output and saved, got null',
      () =>
        rnn.customGrad(
          () => p(null),
          () => [],
        )(),
    ],
    [
      'customGrad: output: wanted a tensor or an array of tensors, got 3',
      () =>
        rnn.customGrad(
          () => ({ output: p(3), saved: rnn.exp(x) }),
          () => [],
        )(),
    ],
    ['repeatRows: sequences: wanted Sequences, got null', () => rnn.repeatRows(x, p(null))],
  ])('%s', expectRefused)

  test('a call of `grad` that throws leaves the tape unchanged, and gradients of several outputs are combined', async () => {
    const [a, b, other] = [leaf([2]), leaf([3]), leaf([1])]
    const shared = rnn.mul(a, b)
    const [y, z] = [rnn.neg(shared), rnn.exp(rnn.mul(shared, 0))]
    expectRefused('grad: inputs[1]: no output was computed from it', () => rnn.grad(y, [a, other]))
    expectRefused('grad: outputs[1]: wanted a tensor, got null', () => rnn.grad([y, p(null)], [a]))
    const constant = tensor([1], [1], { device: cpu })
    const product = rnn.mul(a, constant)
    expectRefused('grad: inputs[0]: requires no gradient', () => rnn.grad(product, [constant]))
    expect(await rnn.grad(product, [a])[0]!.item()).toBe(1)
    const [dA, dB] = rnn.grad([y, z], [a, b])
    expect([await dA!.item(), await dB!.item(), a.grad]).toEqual([-3, -2, null])
  })

  test('a `grad` of another shape is rejected before anything is added', async () => {
    const [a, b] = [leaf([2]), leaf([3])]
    a.grad = x
    const y = rnn.mul(a, b)
    expectRefused('backward: grad: wanted shape [1], got [2, 2]', () => y.backward())
    a.grad = null
    y.backward()
    expect(await b.grad!.item()).toBe(2)
  })

  test('`gather` and `scatterAdd` of a scalar', async () => {
    const index = tensor(Int32Array.of(0), [] as const, { device: cpu })
    expect(await rnn.gather(scalar, 0, index).item()).toBe(1)
    expect(await rnn.scatterAdd(scalar, 0, index, scalar).item()).toBe(2)
  })

  test('a batch of one row does not make running statistics NaN', () => {
    const [row, runningVar] = [tensor([1, 2], [1, 2], { device: cpu }), leaf([1, 1])]
    expectRefused('batchNorm: x: wanted at least two rows for running statistics, got 1', () =>
      rnn.batchNorm(row, { training: true, runningVar }),
    )
  })
})
