import { record } from '../autograd.js'
import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { applyFunction, broadcastShape, broadcastStrides, walkOf } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, type Matrix, ranked, sizeOf, type Tensor } from '../tensor.js'
import { contiguous } from './blocks.js'
import { checkFloat, dimOf, sumTo } from './dims.js'
import { div, maximum, mul } from './elementwise.js'
import { norm, sum } from './reduce.js'

/** Products of matrices and of vectors, in the device's precision. */

/** A batch of matrices, or one for all. */
interface Factors {
  of: Float
  transposed: boolean
}

/** op(a) op(b) for a batch of matrices, without a record; the batches broadcast. */
function multiplied(a: Factors, b: Factors, batch: readonly number[]): Float {
  const [m, k] = sides(a)
  const [, n] = sides(b)
  const count = sizeOf(batch)
  const wide = (factors: Factors) => {
    const { shape } = factors.of
    const own = sizeOf(shape.slice(0, -2))
    if (own === count || own === 1) return { same: own === 1 && count !== 1, tensor: factors.of.alias() }
    const tensor = applyFunction<number>(
      'copy',
      factors.of.device,
      [...batch, ...shape.slice(-2)],
      factors.of,
    )
    return { same: false, tensor }
  }
  const [left, right] = [wide(a), wide(b)]
  const c = empty<number>(a.of.device, [...batch, m, n])
  if (count === 1) {
    native.matmul(c.device.queue, {
      m,
      n,
      k,
      transposeA: a.transposed,
      transposeB: b.transposed,
      a: left.tensor.buffer,
      b: right.tensor.buffer,
      bias: null,
      c: c.buffer,
    })
  } else {
    native.batchMatmul(c.device.queue, {
      batch: count,
      m,
      n,
      k,
      transposeA: a.transposed,
      transposeB: b.transposed,
      sameA: left.same,
      sameB: right.same,
      a: left.tensor.buffer,
      b: right.tensor.buffer,
      c: c.buffer,
    })
  }
  left.tensor.dispose()
  right.tensor.dispose()
  return c
}

function sides({ of, transposed }: Factors): [number, number] {
  const [rows = 1, columns = 1] = of.shape.slice(-2)
  return transposed ? [columns, rows] : [rows, columns]
}

function product(op: string, a: Float, b: Float): Float {
  const batch = broadcastShape(op, 'b', a.shape.slice(0, -2), b.shape.slice(0, -2))
  checkShape(op, [...batch, a.shape.at(-2)!, b.shape.at(-1)!])
  // Matrices that are repeated are copied.
  for (const { shape } of batch.length > 2 ? [a, b] : []) {
    const wide = [...batch, ...shape.slice(-2)]
    walkOf(op, wide, [contiguous(wide), broadcastStrides(shape, wide)])
  }
  const plain = (of: Float): Factors => ({ of, transposed: false })
  const turned = (of: Float): Factors => ({ of, transposed: true })
  // A matrix on the right serves all rows of a batch at once.
  const together = b.shape.length === 2 && a.shape.length > 2
  const c = together
    ? inRows(a, rows => multiplied(plain(rows), plain(b), []))
    : multiplied(plain(a), plain(b), batch)
  record(op, [a, b], [c], keeper => {
    const [heldA, heldB] = [keeper.hold(a), keeper.hold(b)]
    return ([dC], [wantsA, wantsB]) => {
      if (!dC) return [null, null]
      if (together) {
        const dA = wantsA ? inRows(dC, rows => multiplied(plain(rows), turned(heldB), [])) : null
        const [rowsA, rowsC] = [flat(heldA), flat(dC)]
        const dB = wantsB ? multiplied(turned(rowsA), plain(rowsC), []) : null
        rowsA.dispose()
        rowsC.dispose()
        return [dA, dB]
      }
      return [
        wantsA ? sumTo(multiplied(plain(dC), turned(heldB), batch), heldA.shape) : null,
        wantsB ? sumTo(multiplied(turned(heldA), plain(dC), batch), heldB.shape) : null,
      ]
    }
  })
  return c
}

function flat(x: Float): Matrix {
  const columns = x.shape.at(-1) ?? 1
  return x.as<2>([sizeOf(x.shape.slice(0, -1)), columns])
}

/** What f makes of the rows of x, in the shape of its batch. */
function inRows(x: Float, f: (rows: Matrix) => Float): Float {
  const rows = flat(x)
  const found = f(rows)
  rows.dispose()
  const y = found.as<number>([...x.shape.slice(0, -1), found.shape.at(-1) ?? 1])
  found.dispose()
  return y
}

/**
 * Products of matrices, as torch.matmul with at least two dimensions.
 *
 * @param a [.., m, k]
 * @param b [.., k, n]; the dimensions before the last two broadcast.
 * @returns [.., m, n]
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function matmul<R extends number>(
  a: Tensor<'float32', R>,
  b: Tensor<'float32', R>,
): Tensor<'float32', R>
export function matmul(a: Float, b: Float): Float
export function matmul(a: Float, b: Float): Float {
  const op = 'matmul'
  checkFloat(op, 'a', a)
  checkFloat(op, 'b', b, a.device)
  if (a.shape.length < 2) throw badArgument(op, 'a', 'at least two dimensions', a.shape, 'ERR_SHAPE')
  const k = a.shape.at(-1)!
  if (b.shape.length < 2 || b.shape.at(-2) !== k) {
    throw badArgument(op, 'b', `shape [.., ${k}, *]`, b.shape, 'ERR_SHAPE')
  }
  return product(op, a, b)
}

/**
 * A product for each of a batch, as torch.bmm.
 *
 * @param a [B, m, k]
 * @param b [B, k, n]
 * @returns [B, m, n]
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_INVALID_ARGUMENT.
 */
export function bmm(a: Tensor<'float32', 3>, b: Tensor<'float32', 3>): Tensor<'float32', 3> {
  const op = 'bmm'
  checkFloat(op, 'a', a)
  if (a.shape.length !== 3) throw badArgument(op, 'a', 'three dimensions', a.shape, 'ERR_SHAPE')
  checkFloat(op, 'b', b, a.device)
  const [batch, , k] = a.shape
  if (b.shape.length !== 3 || b.shape[0] !== batch || b.shape[1] !== k) {
    throw badArgument(op, 'b', `shape [${batch}, ${k}, *]`, b.shape, 'ERR_SHAPE')
  }
  return ranked(product(op, a, b), 3)
}

/** Along which dimension, and how small a norm may be. */
export interface CosineOptions {
  /** Default 1. */
  dim?: number
  /** What a smaller norm counts as; default 1e-8. */
  eps?: number
}
const cosineNames: OptionNames<CosineOptions> = { dim: true, eps: true }

/**
 * Σ a b / (max(‖a‖, ε) max(‖b‖, ε)) along a dimension, as torch.nn.functional.cosine_similarity.
 * @throws PackedRnnError ERR_SHAPE where the shapes differ; ERR_OUT_OF_RANGE for another dimension or a negative ε; ERR_DTYPE,
 * ERR_DEVICE, ERR_DISPOSED.
 */
export function cosineSimilarity(a: Float, b: Float, options: CosineOptions = {}): Float {
  const op = 'cosineSimilarity'
  checkOptions(op, options, cosineNames)
  const { dim = 1, eps = 1e-8 } = options
  checkFloat(op, 'a', a)
  checkFloat(op, 'b', b, a.device)
  const same = a.shape.length === b.shape.length && a.shape.every((n, d) => n === b.shape[d])
  if (!same) throw badArgument(op, 'b', `shape [${a.shape.join(', ')}]`, b.shape, 'ERR_SHAPE')
  const along = { dim: dimOf(op, 'dim', dim, a.shape.length) }
  checkNumber(op, 'eps', eps, 0)
  checkShape(
    op,
    a.shape.filter((_, d) => d !== along.dim),
  )
  return scope(() => {
    const norms = mul(maximum(norm(a, along), eps), maximum(norm(b, along), eps))
    return div(sum(mul(a, b), along), norms)
  })
}
