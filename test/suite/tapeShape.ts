import { describe, expect, expectTypeOf, test } from 'vitest'
import { mul } from '../../src/ops/elementwise.js'
import {
  cat,
  clone,
  expand,
  flip,
  narrow,
  permute,
  reshape,
  roll,
  split,
  squeeze,
  stack,
  transpose,
  unsqueeze,
} from '../../src/ops/shape.js'
import { scope } from '../../src/scope.js'
import { type Tensor, tensor, zeros } from '../../src/tensor.js'
import { listed, type TapeCase, type TapeOptions } from '../reference/exactCalls.js'
import { expectOpReproducible } from './op.js'
import { type Calls, elsewhere, expectRefusals, type Float, testNothing, testTape, untyped } from './tape.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

export const shapeCalls: Calls = {
  reshape: ({ x }, o) => reshape(x!, o.shape!),
  clone: ({ x }) => clone(x!),
  transpose: ({ x }, o) => transpose(x!, o.dims![0]!, o.dims![1]!),
  permute: ({ x }, o) => permute(x!, o.dims!),
  squeeze: ({ x }, o) => (o.dim === undefined ? squeeze(x!) : squeeze(x!, o.dim)),
  unsqueeze: ({ x }, o) => unsqueeze(x!, o.dim!),
  expand: ({ x }, o) => expand(x!, o.shape!),
  cat: (x, o) => cat(listed(x), o.dim),
  stack: (x, o) => stack(listed(x), o.dim),
  split: ({ x }, o) => split(x!, o.sizes!, o.dim),
  narrow: ({ x }, o) => narrow(x!, o.dim!, o.start!, o.length!),
  roll: ({ x }, o) => roll(x!, o.shift!, o.dim!),
  flip: ({ x }, o) => flip(x!, o.dim!),
}

/** Numbers are copied; the reference gradient of a copy is a finite difference. */
const EXACT: Tolerance = everywhere(0)
const COPIED: Tolerance = everywhere(1e-9)
/** The gradient of a number that was copied several times is a sum of up to 12 terms. */
const FEW: Tolerance = everywhere(8 * UNIT)

const x = (shape: readonly number[], options: TapeOptions): TapeCase => ({ inputs: { x: shape }, options })

const CASES: readonly (readonly [string, TapeCase])[] = [
  ['clone', x([2, 3], {})],
  ['reshape', x([2, 6], { shape: [3, 4] })],
  ['reshape', x([2, 6], { shape: [-1, 2, 2] })],
  ['reshape', x([1], { shape: [] })],
  ['reshape', x([], { shape: [1, -1] })],
  ['transpose', x([3, 5], { dims: [0, 1] })],
  ['transpose', x([2, 3, 4], { dims: [-1, 0] })],
  ['transpose', x([2, 3, 4, 2], { dims: [1, 2] })],
  ['transpose', x([2, 3], { dims: [1, 1] })],
  ['permute', x([2, 3, 4], { dims: [2, 0, 1] })],
  ['permute', x([2, 1, 3, 2], { dims: [3, -2, 0, 1] })],
  ['permute', x([2, 3], { dims: [0, 1] })],
  ['permute', x([], { dims: [] })],
  ['squeeze', x([1, 3, 1, 2], {})],
  ['squeeze', x([1, 3, 1], { dim: -1 })],
  ['squeeze', x([1, 1], {})],
  ['unsqueeze', x([2, 3], { dim: 0 })],
  ['unsqueeze', x([2, 3], { dim: -1 })],
  ['unsqueeze', x([2, 3], { dim: -3 })],
  ['unsqueeze', x([], { dim: 0 })],
  ['cat', { inputs: { x0: [2, 3], x1: [1, 3], x2: [4, 3] } }],
  ['cat', { inputs: { x0: [2, 1, 2], x1: [2, 3, 2] }, options: { dim: 1 } }],
  ['cat', { inputs: { x0: [2, 3], x1: [2, 0], x2: [2, 2] }, options: { dim: -1 } }],
  ['cat', { inputs: { x0: [3] } }],
  ['stack', { inputs: { x0: [2, 3], x1: [2, 3] } }],
  ['stack', { inputs: { x0: [2, 3], x1: [2, 3], x2: [2, 3] }, options: { dim: -1 } }],
  ['stack', { inputs: { x0: [2, 3], x1: [2, 3] }, options: { dim: 1 } }],
  ['stack', { inputs: { x0: [], x1: [] } }],
  ['split', x([5, 2], { sizes: 2 })],
  ['split', x([2, 5], { sizes: [1, 0, 4], dim: 1 })],
  ['split', x([2, 3, 4], { sizes: 4, dim: -1 })],
  ['narrow', x([5, 3], { dim: 0, start: 1, length: 3 })],
  ['narrow', x([2, 3, 4], { dim: -2, start: 2, length: 1 })],
  ['narrow', x([2, 3], { dim: 1, start: 0, length: 3 })],
  ['roll', x([7], { shift: 2, dim: 0 })],
  ['roll', x([3, 4], { shift: -1, dim: -1 })],
  ['roll', x([2, 3, 2], { shift: 7, dim: 1 })],
  ['flip', x([7], { dim: 0 })],
  ['flip', x([2, 3, 4], { dim: 1 })],
  ['flip', x([2, 3], { dim: -1 })],
]

const EMPTY: readonly (readonly [string, TapeCase])[] = [
  ['clone', x([0, 3], {})],
  ['reshape', x([0, 3], { shape: [3, 0, 2] })],
  ['transpose', x([0, 3], { dims: [0, 1] })],
  ['permute', x([2, 0, 3], { dims: [2, 1, 0] })],
  ['squeeze', x([1, 0], {})],
  ['unsqueeze', x([0], { dim: 1 })],
  ['expand', x([0, 1], { shape: [2, 0, 3] })],
  ['expand', x([1, 3], { shape: [0, 3] })],
  ['cat', { inputs: { x0: [0, 3], x1: [0, 3] } }],
  ['cat', { inputs: { x0: [0, 3], x1: [2, 3] } }],
  ['stack', { inputs: { x0: [0, 3], x1: [0, 3] }, options: { dim: 1 } }],
  ['split', x([2, 0], { sizes: [1, 1] })],
  ['narrow', x([3, 2], { dim: 0, start: 3, length: 0 })],
  ['narrow', x([0, 2], { dim: 1, start: 1, length: 1 })],
  ['roll', x([0, 3], { shift: 1, dim: 0 })],
  ['flip', x([3, 0], { dim: 0 })],
]

export function shapeTapeSuite(target: Target): void {
  describe(`shapes of the tape on ${target.name}`, () => {
    for (const [op, given] of CASES)
      testTape(target, shapeCalls, op, { ...given, value: EXACT, gradient: COPIED })
    for (const given of [
      x([3, 1], { shape: [3, 4] }),
      x([3], { shape: [2, 2, 3] }),
      x([1, 2, 1], { shape: [3, 2, 4] }),
      x([], { shape: [2, 3] }),
      x([2, 3], { shape: [2, 3] }),
    ]) {
      testTape(target, shapeCalls, 'expand', { ...given, value: EXACT, gradient: FEW })
    }
    testNothing(target, shapeCalls, EMPTY)

    test('a tensor concatenated with itself has the sum of both gradients', () =>
      scope(async () => {
        const device = target.open()
        const a = tensor([1, 2], [2], { device, requiresGrad: true })
        stack([a, cat([narrow(a, 0, 1, 1), narrow(a, 0, 0, 1)])]).backward(
          tensor([1, 2, 3, 4], [2, 2], { device }),
        )
        expect([...(await a.grad!.toArray())]).toEqual([1 + 4, 2 + 3])
      }))

    test('a result stays valid if its source is disposed, and each leaf has its own gradient memory', () =>
      scope(async () => {
        const device = target.open()
        const source = tensor([1, 2, 3, 4], [2, 2], { device, requiresGrad: true })
        const views = [
          reshape(source, [4]),
          transpose(source, 0, 1),
          squeeze(unsqueeze(source, 0), 0),
          narrow(source, 0, 0, 1),
          expand(source, [2, 2]),
        ]
        const given = tensor([1, 1, 1, 1], [4], { device })
        views[0]!.backward(given)
        expect(source.grad!.storage).not.toBe(given.storage)
        source.grad!.dispose()
        source.dispose()
        const found = await Promise.all(views.map(async view => [...(await view.toArray())]))
        expect(found).toEqual([
          [1, 2, 3, 4],
          [1, 3, 2, 4],
          [1, 2, 3, 4],
          [1, 2],
          [1, 2, 3, 4],
        ])
      }))

    test('unused parts of a split have no gradient', () =>
      scope(async () => {
        const device = target.open()
        const a = tensor([1, 2, 3, 4, 5], [5], { device, requiresGrad: true })
        const [, middle] = split(a, 2)
        mul(middle!, middle!).backward(tensor([1, 1], [2], { device }))
        expect([...(await a.grad!.toArray())]).toEqual([0, 0, 6, 8, 0])
      }))

    test('NaN is copied like a number', () =>
      scope(async () => {
        const a = tensor([NaN, Infinity, 1, 2], [2, 2], { device: target.open() })
        expect([...(await transpose(a, 0, 1).toArray())]).toEqual([NaN, 1, Infinity, 2])
        expect([...(await flip(roll(a, 1, 1), 0).toArray())]).toEqual([2, 1, Infinity, NaN])
      }))

    test('the type has the rank if it is known', () => {
      const a = zeros([2, 3], { device: target.open() })
      expectTypeOf(reshape(a, [3, 2, 1])).toEqualTypeOf<Tensor<'float32', 3>>()
      expectTypeOf(transpose(a, 0, 1)).toExtend<Float>()
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'shapes',
        run: input => {
          const [a, b] = [input('a', [30, 70, 40]), input('b', [30, 1, 40])]
          const wide = expand(b, [30, 70, 40])
          return [
            permute(a, [2, 0, 1]),
            cat([a, wide], 2),
            flip(roll(transpose(a, 1, 2), 9, 1), 0),
            stack([a, wide], 1),
          ]
        },
      }))

    test('invalid arguments are rejected', () => refused(target))
  })
}

function refused(target: Target): void {
  const device = target.open()
  const [a, b, gone] = [zeros([2, 3], { device }), zeros([3, 2], { device }), zeros([2, 3], { device })]
  gone.dispose()
  const integers = untyped<Float>(tensor(new Int32Array(6), [2, 3], { device }))
  const calls: Record<string, (given: Float) => unknown> = {
    reshape: given => reshape(given, [6]),
    transpose: given => transpose(given, 0, 1),
    permute: given => permute(given, [1, 0]),
    squeeze: given => squeeze(given),
    unsqueeze: given => unsqueeze(given, 0),
    expand: given => expand(given, [4, 2, 3]),
    split: given => split(given, 1),
    narrow: given => narrow(given, 0, 0, 1),
    roll: given => roll(given, 1, 0),
    flip: given => flip(given, 0),
  }
  for (const [op, call] of Object.entries(calls)) {
    expectRefusals([
      ['ERR_DTYPE', `${op}: x`, () => call(integers)],
      ['ERR_DISPOSED', `${op}: x`, () => call(gone)],
      ['ERR_INVALID_ARGUMENT', `${op}: x`, () => call(untyped(3))],
    ])
  }
  expectRefusals([
    ['ERR_SHAPE', 'reshape: shape', () => reshape(a, [5])],
    ['ERR_SHAPE', 'reshape: shape', () => reshape(a, [-1, -1])],
    ['ERR_SHAPE', 'reshape: shape', () => reshape(a, [-1, 4])],
    ['ERR_OUT_OF_RANGE', 'transpose: dim1', () => transpose(a, 0, 2)],
    ['ERR_OUT_OF_RANGE', 'transpose: dim0', () => transpose(a, -3, 0)],
    ['ERR_SHAPE', 'permute: dims', () => permute(a, [0])],
    ['ERR_OUT_OF_RANGE', 'permute: dims', () => permute(a, [0, 2])],
    ['ERR_INVALID_ARGUMENT', 'permute: dims', () => permute(a, [0, 0])],
    ['ERR_OUT_OF_RANGE', 'squeeze: dim', () => squeeze(a, 2)],
    ['ERR_OUT_OF_RANGE', 'unsqueeze: dim', () => unsqueeze(a, 3)],
    ['ERR_SHAPE', 'expand: ', () => expand(a, [2, 4])],
    ['ERR_SHAPE', 'expand: ', () => expand(a, [3])],
    ['ERR_INVALID_ARGUMENT', 'cat: tensors', () => cat([])],
    ['ERR_SHAPE', 'cat: tensors[1]', () => cat([a, b])],
    ['ERR_OUT_OF_RANGE', 'cat: dim', () => cat([a, a], 2)],
    ['ERR_DTYPE', 'cat: tensors[1]', () => cat([a, integers])],
    ['ERR_DISPOSED', 'cat: tensors[1]', () => cat([a, gone])],
    ['ERR_INVALID_ARGUMENT', 'stack: tensors', () => stack([])],
    ['ERR_SHAPE', 'stack: tensors[1]', () => stack([a, b])],
    ['ERR_OUT_OF_RANGE', 'stack: dim', () => stack([a, a], 3)],
    ['ERR_SHAPE', 'split: ', () => split(a, [1, 2])],
    ['ERR_OUT_OF_RANGE', 'split: ', () => split(a, 0)],
    ['ERR_OUT_OF_RANGE', 'split: dim', () => split(a, 1, 2)],
    ['ERR_OUT_OF_RANGE', 'narrow: dim', () => narrow(a, 2, 0, 1)],
    ['ERR_OUT_OF_RANGE', 'narrow: start', () => narrow(a, 1, 4, 0)],
    ['ERR_OUT_OF_RANGE', 'narrow: length', () => narrow(a, 1, 2, 2)],
    ['ERR_OUT_OF_RANGE', 'roll: shift', () => roll(a, 0.5, 0)],
    ['ERR_OUT_OF_RANGE', 'roll: dim', () => roll(a, 1, 2)],
    ['ERR_OUT_OF_RANGE', 'flip: dim', () => flip(a, 2)],
  ])
  const other = elsewhere(target)
  if (other === null) return
  const far = zeros([2, 3], { device: other })
  expectRefusals([
    ['ERR_DEVICE', 'cat: tensors[1]', () => cat([a, far])],
    ['ERR_DEVICE', 'stack: tensors[1]', () => stack([a, far])],
  ])
}
