import { noGrad, record } from '../autograd.js'
import { anySize, checkFloat, checkNumber, checkOptions, checkTensor, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import type { PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import { checkShape, empty, type Float, type Matrix, type Tensor, type Vector } from '../tensor.js'
import { dimOf, onRows } from './dims.js'
import { add, div, mul, pow, sub } from './elementwise.js'
import { mean, norm } from './reduce.js'

/** Normalisation of layers, batches and weights. */

/** Options of `layerNorm`. */
export interface LayerNormOptions {
  /** ε, added to the variance; default 1e-5. */
  eps?: number
}
const layerNormNames: OptionNames<LayerNormOptions> = { eps: true }

function sumRows(x: Float, columns: number): Float {
  const sums = empty<1>(x.device, [columns])
  const rows = columns === 0 ? 0 : x.size / columns
  native.sumColumns(x.device.queue, { rows, columns, source: x.buffer, sums: sums.buffer })
  return sums
}

/**
 * Returns (x − mean) / √(variance + ε) · weight + bias over the last dimension (Ba et al. 2016), as
 * torch.nn.functional.layer_norm.
 *
 * @param x [.., C], or a packed sequence.
 * @param weight [C]; default ones.
 * @param bias [C]; default zeros.
 * @example
 * ```ts
 * import { layerNorm, tensor } from 'packed-rnn'
 *
 * const y = await layerNorm(tensor([1, 2, 3, 6, 4, 2], [2, 3])).toArray()
 * console.log([...y].map(value => value.toFixed(3)).join(' ')) // -1.225 0.000 1.225 1.225 0.000 -1.225
 * ```
 */
export function layerNorm<R extends number>(
  x: Tensor<'float32', R>,
  weight?: Vector | null,
  bias?: Vector | null,
  options?: LayerNormOptions,
): Tensor<'float32', R>
export function layerNorm(
  x: PackedSequence,
  weight?: Vector | null,
  bias?: Vector | null,
  options?: LayerNormOptions,
): PackedSequence
export function layerNorm(
  given: Float | PackedSequence,
  weight: Vector | null = null,
  bias: Vector | null = null,
  options: LayerNormOptions = {},
): Float | PackedSequence {
  const op = 'layerNorm'
  checkOptions(op, options, layerNormNames)
  const { eps = 1e-5 } = options
  checkNumber(op, 'eps', eps, 0)
  return onRows(op, given, x => {
    const { device } = x
    const columns = x.shape.at(-1) ?? 1
    const wanted = { dtype: 'float32', shape: [columns], device } as const
    if (weight !== null) checkTensor(op, 'weight', weight, wanted)
    if (bias !== null) checkTensor(op, 'bias', bias, wanted)
    const rows = columns === 0 ? 0 : x.size / columns
    const y = empty<number>(device, x.shape)
    const [means, rates] = [empty<1>(device, [rows]), empty<1>(device, [rows])]
    native.layerNorm(device.queue, {
      rows,
      columns,
      epsilon: eps,
      x: x.buffer,
      weight: weight?.buffer ?? null,
      bias: bias?.buffer ?? null,
      y: y.buffer,
      mean: means.buffer,
      rate: rates.buffer,
    })
    record(op, [x, weight, bias], [y], keeper => {
      const held = [x, means, rates].map(each => keeper.hold<'float32', number>(each))
      const scale = weight && keeper.hold(weight)
      return ([dY], [wantsX, wantsWeight, wantsBias]) => {
        if (!dY) return []
        const dX = wantsX ? empty<number>(device, dY.shape) : null
        const products = wantsWeight ? empty<number>(device, dY.shape) : null
        native.layerNormBackward(device.queue, {
          rows,
          columns,
          x: held[0]!.buffer,
          weight: scale?.buffer ?? null,
          mean: held[1]!.buffer,
          rate: held[2]!.buffer,
          dY: dY.buffer,
          dX: dX?.buffer ?? null,
          dWeights: products?.buffer ?? null,
        })
        const dWeight = products && sumRows(products, columns)
        products?.dispose()
        return [dX, dWeight, wantsBias ? sumRows(dY, columns) : null]
      }
    })
    means.dispose()
    rates.dispose()
    return y
  })
}

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  /** [C]; default ones. */
  weight?: Vector | null
  /** [C]; default zeros. */
  bias?: Vector | null
  /** [C], subtracted outside of training; updated in training. */
  runningMean?: Vector | null
  /** [C], the variance used outside of training; updated in training. */
  runningVar?: Vector | null
  /** Whether to normalise by the rows' own mean and variance; default false. */
  training?: boolean
  /** The share of the new value in a running statistic; default 0.1. */
  momentum?: number
  /** ε, added to the variance; default 1e-5. */
  eps?: number
}
const batchNormNames: OptionNames<BatchNormOptions> = {
  weight: true,
  bias: true,
  runningMean: true,
  runningVar: true,
  training: true,
  momentum: true,
  eps: true,
}

/**
 * Returns (x − mean) / √(variance + ε) · weight + bias, where mean and variance are those of each column
 * (Ioffe and Szegedy 2015), as torch.nn.functional.batch_norm. In training the running statistics are updated
 * in place, the variance with N − 1 in the denominator.
 *
 * @param x [N, C], or a packed sequence of N rows.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT outside of training without running statistics; ERR_SHAPE in
 * training with running statistics and fewer than two rows.
 * @example
 * ```ts
 * import { batchNorm, tensor, zeros } from 'packed-rnn'
 *
 * const runningMean = zeros([2])
 * const runningVar = tensor([1, 1])
 * const y = batchNorm(tensor([1, 10, 3, 30], [2, 2]), { training: true, runningMean, runningVar })
 * console.log([...(await y.toArray())].map(value => value.toFixed(3)).join(' ')) // -1.000 -1.000 1.000 1.000
 * const mean = await runningMean.toArray()
 * console.log(mean[0]?.toFixed(2), mean[1]?.toFixed(2)) // 0.20 2.00
 * ```
 */
export function batchNorm(x: Matrix, options: BatchNormOptions): Matrix
export function batchNorm(x: PackedSequence, options: BatchNormOptions): PackedSequence
export function batchNorm(given: Matrix | PackedSequence, options: BatchNormOptions): Float | PackedSequence {
  const op = 'batchNorm'
  checkOptions(op, options, batchNormNames)
  const { training = false, momentum = 0.1, eps = 1e-5 } = options
  checkNumber(op, 'momentum', momentum, 0, 1)
  checkNumber(op, 'eps', eps, 0)
  return onRows(op, given, x => {
    checkTensor(op, 'x', x, { dtype: 'float32', shape: [anySize, anySize] })
    checkShape(op, x.shape.slice(1))
    const wanted = { dtype: 'float32', shape: [x.shape[1]!], device: x.device } as const
    for (const name of ['weight', 'bias', 'runningMean', 'runningVar'] as const) {
      const each = options[name]
      if (each != null) checkTensor(op, name, each, wanted)
    }
    const { weight, bias, runningMean, runningVar } = options
    return scope(() => {
      if (training && (runningMean ?? runningVar) != null && x.shape[0]! < 2) {
        throw badArgument(op, 'x', 'at least two rows for running statistics', x.shape[0], 'ERR_SHAPE')
      }
      if (!training && (runningMean == null || runningVar == null)) {
        throw badArgument(op, 'runningMean', 'running statistics outside of training', runningMean)
      }
      const ownMean = training ? mean(x, { dim: 0 }) : null
      const centred = sub(x, ownMean ?? runningMean!)
      const variance = training ? mean(mul(centred, centred), { dim: 0 }) : runningVar!
      if (ownMean !== null) {
        const rows = x.shape[0]!
        noGrad(() => {
          move(runningMean, ownMean, momentum, 1)
          move(runningVar, variance, momentum, rows / (rows - 1))
        })
      }
      const normed = mul(centred, pow(add(variance, eps), -0.5))
      const scaled = weight == null ? normed : mul(normed, weight)
      return bias == null ? scaled : add(scaled, bias)
    })
  })
}

/** Moves a running statistic towards a new value, which is multiplied by a factor. */
function move(running: Vector | null | undefined, value: Float, momentum: number, factor: number): void {
  if (running == null) return
  running.become(add(mul(running, 1 - momentum), mul(value, momentum * factor)))
}

/** Options of `weightNorm`. */
export interface WeightNormOptions {
  /** The dimension that g has entries for; default 0. */
  dim?: number
}
const weightNormNames: OptionNames<WeightNormOptions> = { dim: true }

/**
 * Returns v · g / ‖v‖ (Salimans and Kingma 2016), where the norm covers all dimensions but one, as
 * torch.nn.utils.weight_norm.
 *
 * @param g v's shape with 1 in all dimensions but `dim`.
 * @example
 * ```ts
 * import { tensor, weightNorm } from 'packed-rnn'
 *
 * const v = tensor([3, 4, 0, 2], [2, 2])
 * const y = await weightNorm(v, tensor([10, 1], [2, 1])).toArray()
 * console.log([...y].map(value => value.toFixed(2)).join(' ')) // 6.00 8.00 0.00 1.00
 * ```
 */
export function weightNorm<R extends number>(
  v: Tensor<'float32', R>,
  g: Tensor<'float32', R>,
  options?: WeightNormOptions,
): Tensor<'float32', R>
export function weightNorm(v: Float, g: Float, options: WeightNormOptions = {}): Float {
  const op = 'weightNorm'
  checkOptions(op, options, weightNormNames)
  checkFloat(op, 'v', v)
  const own = dimOf(op, 'dim', options.dim ?? 0, v.shape.length)
  const shape = v.shape.map((n, d) => (d === own ? n : 1))
  checkTensor(op, 'g', g, { dtype: 'float32', shape, device: v.device })
  const others = v.shape.flatMap((_, d) => (d === own ? [] : [d]))
  return scope(() => mul(v, div(g, norm(v, { dim: others, keepdim: true }))))
}
