import { describe, expect, test } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import { customGrad, detach, grad } from '../../src/index.js'
import { add, exp, mul } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { clone } from '../../src/ops/shape.js'
import { scope } from '../../src/scope.js'
import { type Float, tensor } from '../../src/tensor.js'
import { expectRefusals, untyped } from './tape.js'
import type { Target } from './target.js'

export function gradientsTapeSuite(target: Target): void {
  const leaf = (...values: number[]) =>
    tensor(values, [values.length], { device: target.open(), requiresGrad: true })

  describe(`gradients of the tape on ${target.name}`, () => {
    test('customGrad has the value and the gradient of its functions', () =>
      scope(async () => {
        const square = customGrad(
          x => ({ output: mul(x, x), saved: { x: clone(x) } }),
          ({ x }, [dY]) => [dY ? mul(mul(dY, x), 2) : null],
        )
        const x = leaf(3, -2)
        const y = square(x)
        sum(mul(y, tensor([1, 10], [2], { device: target.open() }))).backward()
        expect([...(await y.toArray())]).toEqual([9, 4])
        expect([...(await x.grad!.toArray())]).toEqual([6, -40])
      }))

    test('grad returns gradients and leaves `grad` of the inputs as it was', () =>
      scope(async () => {
        const [a, b] = [leaf(3), leaf(5)]
        const [dA, dB] = grad(mul(mul(a, a), b), [a, b])
        expect([await dA!.item(), await dB!.item(), a.grad, b.grad]).toEqual([30, 9, null, null])
        const unused = leaf(1)
        expect(grad(mul(a, b), [unused], { allowUnused: true })).toEqual([null])
      }))

    test('detach stops the gradient, and clone passes it on', () =>
      scope(async () => {
        const x = leaf(2)
        sum(add(mul(detach(x), x), clone(x))).backward()
        expect(await x.grad!.item()).toBe(3)
        expect(detach(x).requiresGrad).toBe(false)
        expect(noGrad(() => exp(x)).node).toBeNull()
      }))

    test('a clone keeps its values if the original changes', () =>
      scope(async () => {
        const x = leaf(1, 2)
        const copy = clone(x)
        x.assign(Float32Array.of(7, 8))
        expect([...(await copy.toArray())]).toEqual([1, 2])
      }))

    test('to(device) copies the values without their history', () =>
      scope(async () => {
        const device = target.open()
        using there = await mul(leaf(1, 2), 3).to(device)
        expect([[...(await there.toArray())], there.node, there.requiresGrad]).toEqual([[3, 6], null, false])
        using ids = await tensor(Int32Array.of(4, 5), [2], { device }).to(device)
        expect([ids.dtype, [...(await ids.toArray())]]).toEqual(['int32', [4, 5]])
        await expect(leaf(1).to(untyped('cpu'))).rejects.toThrow('Tensor.to: device: wanted')
      }))
  })

  test(`gradients of the tape on ${target.name}: invalid arguments throw`, () => {
    const device = target.open()
    using constant = tensor([1], [1], { device })
    using x = tensor([1], [1], { device, requiresGrad: true })
    using y = mul(x, constant)
    expectRefusals([
      ['ERR_NO_GRADIENT', 'grad: inputs[0]: requires no gradient', () => grad(y, [constant])],
      ['ERR_NO_GRADIENT', 'grad: outputs[0]', () => grad(constant, [x])],
      [
        'ERR_INVALID_ARGUMENT',
        'customGrad: backward',
        () => customGrad(() => ({ output: x, saved: {} }), untyped(null)),
      ],
      ['ERR_INVALID_ARGUMENT', 'clone: x', () => clone(untyped<Float>(3))],
      ['ERR_INVALID_ARGUMENT', 'detach: ', () => detach(untyped<Float>(3))],
    ])
    y.node?.discard()
  })
}
