import { noGrad } from '../autograd.js'
import { checkFloat, checkInteger, checkNumber, checkOptions } from '../check.js'
import { add } from '../ops/elementwise.js'
import { batchNorm, layerNorm } from '../ops/norms.js'
import { permute, reshape } from '../ops/shape.js'
import { PackedSequence } from '../packed.js'
import { type Float, full, type Matrix, ranked, type Scalar, type Tensor, type Vector } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'
import { buffer, parameter } from './parameter.js'

/** Options of `LayerNorm`. */
export interface LayerNormModuleOptions extends ModuleOptions {
  /** C, the size of the last dimension of x. */
  normalizedShape: number
  /** ε, added to the variance; default 1e-5. */
  eps?: number
  /** Whether the layer has a weight and a bias; default true. */
  elementwiseAffine?: boolean
  /** Whether a layer with a weight also has a bias; default true. */
  bias?: boolean
}

/**
 * Layer normalization (Ba et al. 2016), as torch.nn.LayerNorm: (x − mean) / √(variance + ε) · weight + bias, over the last
 * dimension. `weight` [C] is initialized to ones and `bias` [C] to zeros.
 *
 * @example
 * ```ts
 * import { nn, tensor } from 'packed-rnn'
 *
 * const norm = new nn.LayerNorm({ normalizedShape: 2, eps: 0 })
 * console.log(await norm.forward(tensor([1, 3], [1, 2])).toArray()) // Float32Array(2) [-1, 1]
 * ```
 */
export class LayerNorm extends Module {
  readonly eps: number
  /** [C] */
  weight: Vector | null
  /** [C] */
  bias: Vector | null

  /** @throws PackedRnnError if C is below 1, ε is negative, or an option is unknown. */
  constructor(options: LayerNormModuleOptions) {
    const op = 'nn.LayerNorm'
    checkOptions(op, options, {
      ...moduleNames,
      normalizedShape: true,
      eps: true,
      elementwiseAffine: true,
      bias: true,
    })
    super(options)
    const { normalizedShape: C, eps = 1e-5, elementwiseAffine = true, bias = true } = options
    checkInteger(op, 'normalizedShape', C, 1)
    checkNumber(op, 'eps', eps, 0)
    this.eps = eps
    const filled = (value: number) => parameter(full([C], value, { device: this.device }))
    this.weight = elementwiseAffine ? filled(1) : null
    this.bias = elementwiseAffine && bias ? filled(0) : null
  }

  /** Normalizes each row. @param x [.., C], or packed rows [N, C]. @returns the same form and shape. */
  forward<X extends Float | PackedSequence>(x: X): X
  forward(x: Float | PackedSequence): Float | PackedSequence {
    const { weight, bias, eps } = this
    return x instanceof PackedSequence
      ? layerNorm(x, weight, bias, { eps })
      : layerNorm<number>(x, weight, bias, { eps })
  }
}

/** Options of `BatchNorm1d`. */
export interface BatchNorm1dOptions extends ModuleOptions {
  /** C, the number of columns. */
  numFeatures: number
  /** ε, added to the variance; default 1e-5. */
  eps?: number
  /** The weight of the batch's statistics when the running statistics are updated; default 0.1. */
  momentum?: number
  /** Whether the layer has a weight and a bias; default true. */
  affine?: boolean
  /** Whether evaluation mode uses running statistics; default true. If false, it uses the batch's, as training mode does. */
  trackRunningStats?: boolean
}

/**
 * Batch normalization (Ioffe and Szegedy 2015), as torch.nn.BatchNorm1d: (x − mean) / √(variance + ε) · weight + bias, for each
 * column over all rows. In training mode it uses the batch's statistics and updates the running statistics; the running variance
 * divides by N − 1. The buffers have PyTorch's names.
 *
 * @example
 * ```ts
 * import { nn, randn } from 'packed-rnn'
 *
 * const norm = new nn.BatchNorm1d({ numFeatures: 3 })
 * console.log(norm.forward(randn([8, 3])).shape) // [8, 3]
 * console.log(norm.namedBuffers().map(([name]) => name)) // ['running_mean', 'running_var', 'num_batches_tracked']
 * ```
 */
export class BatchNorm1d extends Module {
  readonly eps: number
  readonly momentum: number
  /** [C] */
  weight: Vector | null
  /** [C] */
  bias: Vector | null
  /** [C] */
  running_mean: Vector | null
  /** [C] */
  running_var: Vector | null
  /** The number of batches that updated the running statistics. */
  num_batches_tracked: Scalar | null

  /** @throws PackedRnnError if C is below 1, ε is negative, momentum is outside [0, 1], or an option is unknown. */
  constructor(options: BatchNorm1dOptions) {
    const op = 'nn.BatchNorm1d'
    checkOptions(op, options, {
      ...moduleNames,
      numFeatures: true,
      eps: true,
      momentum: true,
      affine: true,
      trackRunningStats: true,
    })
    super(options)
    const { numFeatures: C, eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options
    checkInteger(op, 'numFeatures', C, 1)
    checkNumber(op, 'eps', eps, 0)
    checkNumber(op, 'momentum', momentum, 0, 1)
    this.eps = eps
    this.momentum = momentum
    const { device } = this
    this.weight = affine ? parameter(full([C], 1, { device })) : null
    this.bias = affine ? parameter(full([C], 0, { device })) : null
    this.running_mean = trackRunningStats ? buffer(full([C], 0, { device })) : null
    this.running_var = trackRunningStats ? buffer(full([C], 1, { device })) : null
    this.num_batches_tracked = trackRunningStats ? buffer(full([], 0, { device })) : null
  }

  /**
   * Normalizes each column.
   *
   * @param x [N, C], [N, C, L], or packed rows [N, C].
   * @returns the same form and shape.
   * @throws PackedRnnError if x has fewer than two rows in training mode.
   */
  forward<X extends Tensor<'float32', 2> | Tensor<'float32', 3> | PackedSequence>(x: X): X
  forward(x: Float | PackedSequence): Float | PackedSequence {
    const { weight, bias, eps, momentum, running_mean: runningMean, running_var: runningVar } = this
    const training = this.training || runningMean === null
    const options = { weight, bias, eps, momentum, runningMean, runningVar, training }
    const y =
      x instanceof PackedSequence ? batchNorm(x, options) : this.#columns(x, rows => batchNorm(rows, options))
    const counter = this.num_batches_tracked
    if (this.training && counter !== null) {
      noGrad(() => {
        using next = add(counter, 1)
        counter.become(next)
      })
    }
    return y
  }

  /** Calls `run` with the rows [N·L, C]. */
  #columns(x: Float, run: (rows: Matrix) => Matrix): Float {
    checkFloat('nn.BatchNorm1d', 'x', x)
    if (x.shape.length !== 3) return run(ranked(x, 2))
    const [N = 0, C = 0, L = 0] = x.shape
    using channelsLast = permute(x, [0, 2, 1])
    using rows = reshape(channelsLast, [N * L, C])
    using y = run(rows)
    using apart = reshape(y, [N, L, C])
    return permute(apart, [0, 2, 1])
  }
}
