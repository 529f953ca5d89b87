import { record } from '../autograd.js'
import { anySize, checkOptions, checkTensor } from '../check.js'
import type { Matmul } from '../contract/products.js'
import { native } from '../native.js'
import type { PackedSequence } from '../packed.js'
import { empty, type Float, type Matrix, ranked, type Vector } from '../tensor.js'
import { onRows } from './dims.js'

function product(
  a: Float,
  b: Matrix,
  bias: Vector | null,
  sizes: Pick<Matmul, 'm' | 'n' | 'k' | 'transposeA' | 'transposeB'>,
): Matrix {
  const c = empty<2>(a.device, [sizes.m, sizes.n])
  native.matmul(a.device.queue, {
    ...sizes,
    a: a.buffer,
    b: b.buffer,
    bias: bias?.buffer ?? null,
    c: c.buffer,
  })
  return c
}

/**
 * Returns y = x Wᵀ + b, without a tape.
 *
 * @param x [N, in]
 * @param weight [out, in]
 * @param bias [out]
 * @returns y [N, out]
 * @example
 * ```ts
 * import { linearForward, tensor } from 'packed-rnn'
 *
 * const weight = tensor([1, 0, 1, 1], [2, 2])
 * const y = linearForward(tensor([1, 2], [1, 2]), weight, tensor([10, 20]))
 * console.log(y.shape, await y.toArray()) // [1, 2] Float32Array(2) [11, 23]
 * ```
 */
export function linearForward(x: Matrix, weight: Matrix, bias: Vector | null = null): Matrix {
  return forward(x, weight, bias)
}

function forward(x: Float, weight: Matrix, bias: Vector | null): Matrix {
  const op = 'linear'
  checkTensor(op, 'weight', weight, { dtype: 'float32', shape: [anySize, anySize] })
  const [outputs, inputs] = weight.shape
  const { device } = weight
  checkTensor(op, 'x', x, { dtype: 'float32', shape: [anySize, inputs], device })
  if (bias !== null) checkTensor(op, 'bias', bias, { dtype: 'float32', shape: [outputs], device })
  return product(x, weight, bias, {
    m: x.shape[0] ?? 0,
    n: outputs,
    k: inputs,
    transposeA: false,
    transposeB: true,
  })
}

/**
 * Returns the gradients of `linearForward`: dX = dY W, dW = dYᵀ x, db = Σ dY over the rows.
 *
 * @param x [N, in]
 * @param weight [out, in]
 * @param dY [N, out]
 * @param wanted which of them to compute; default all.
 * @returns dX [N, in], dWeight [out, in] and dBias [out]; null for those that are not computed.
 * @example
 * ```ts
 * import { linearBackward, tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2], [1, 2])
 * const weight = tensor([1, 0, 1, 1], [2, 2])
 * const { dX, dWeight, dBias } = linearBackward(x, weight, tensor([1, 3], [1, 2]), { bias: false })
 * console.log(await dX?.toArray(), dBias) // Float32Array(2) [4, 3] null
 * console.log(await dWeight?.toArray()) // Float32Array(4) [1, 2, 3, 6]
 * ```
 */
export function linearBackward(
  x: Matrix,
  weight: Matrix,
  dY: Matrix,
  wanted: { x?: boolean; weight?: boolean; bias?: boolean } = {},
): { dX: Matrix | null; dWeight: Matrix | null; dBias: Vector | null } {
  const op = 'linearBackward'
  checkOptions(op, wanted, { x: true, weight: true, bias: true }, 'wanted')
  checkTensor(op, 'weight', weight, { dtype: 'float32', shape: [anySize, anySize] })
  const [n, k] = weight.shape
  const { device } = weight
  checkTensor(op, 'x', x, { dtype: 'float32', shape: [anySize, k], device })
  const m = x.shape[0]
  checkTensor(op, 'dY', dY, { dtype: 'float32', shape: [m, n], device })
  const dX =
    wanted.x === false
      ? null
      : product(dY, weight, null, { m, n: k, k: n, transposeA: false, transposeB: false })
  const dWeight =
    wanted.weight === false
      ? null
      : product(dY, x, null, { m: n, n: k, k: m, transposeA: true, transposeB: false })
  let dBias: Vector | null = null
  if (wanted.bias !== false) {
    dBias = empty<1>(device, [n])
    native.sumColumns(device.queue, { rows: m, columns: n, source: dY.buffer, sums: dBias.buffer })
  }
  return { dX, dWeight, dBias }
}

/**
 * Returns y = x Wᵀ + b, as on PyTorch's page torch.nn.functional.linear.
 *
 * @param x [N, in], a matrix or packed rows
 * @param weight [out, in]
 * @param bias [out]
 * @returns y [N, out], a matrix or packed rows as x
 * @example
 * ```ts
 * import { linear, sum, tensor } from 'packed-rnn'
 *
 * const weight = tensor([1, 0, 1, 1], [2, 2], { requiresGrad: true })
 * const y = linear(tensor([1, 2], [1, 2]), weight)
 * sum(y).backward()
 * console.log(await y.toArray(), await weight.grad?.toArray()) // Float32Array(2) [1, 3] Float32Array(4) [1, 2, 1, 2]
 * ```
 */
export function linear(x: Matrix, weight: Matrix, bias?: Vector | null): Matrix
export function linear(x: PackedSequence, weight: Matrix, bias?: Vector | null): PackedSequence
export function linear(
  x: Matrix | PackedSequence,
  weight: Matrix,
  bias: Vector | null = null,
): Float | PackedSequence {
  return onRows('linear', x, rows => linearOf(rows, weight, bias))
}

function linearOf(x: Float, weight: Matrix, bias: Vector | null): Matrix {
  const y = forward(x, weight, bias)
  record('linear', [x, weight, bias], [y], keeper => {
    const heldX = keeper.hold(x)
    const heldWeight = keeper.hold(weight)
    return ([dY], [wantsX = false, wantsWeight = false, wantsBias = false]) => {
      if (!dY) return []
      const wanted = { x: wantsX, weight: wantsWeight, bias: wantsBias }
      const { dX, dWeight, dBias } = linearBackward(ranked(heldX, 2), heldWeight, ranked(dY, 2), wanted)
      return [dX, dWeight, dBias]
    }
  })
  return y
}
