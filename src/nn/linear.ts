import { checkInteger, checkOptions, checkTensor } from '../check.js'
import { linear } from '../ops/linear.js'
import { withRows } from '../ops/rows.js'
import { reshape } from '../ops/shape.js'
import { PackedSequence } from '../packed.js'
import { type Float, ranked, type Tensor } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** Options of `Linear`. */
export interface LinearOptions extends ModuleOptions {
  /** The size of the last dimension of x. */
  inFeatures: number
  /** The size of the last dimension of y. */
  outFeatures: number
  /** Whether the layer has a bias; default true. */
  bias?: boolean
}

/**
 * y = x Wᵀ + b, as torch.nn.Linear. `weight` [out, in] and `bias` [out] are initialized from U(−1/√in, 1/√in).
 *
 * @example
 * ```ts
 * import { nn, packSequence, randn } from 'packed-rnn'
 *
 * const linear = new nn.Linear({ inFeatures: 4, outFeatures: 2 })
 * console.log(linear.forward(randn([3, 5, 4])).shape) // [3, 5, 2]
 * const rows = packSequence([new Float32Array(8), new Float32Array(4)], { inputSize: 4 })
 * console.log(linear.forward(rows).width) // 2
 * ```
 */
export class Linear extends Module {
  /** [out, in] */
  weight: Tensor<'float32', 2>
  /** [out] */
  bias: Tensor<'float32', 1> | null

  /** @throws PackedRnnError if a size is below 1 or an option is unknown. */
  constructor(options: LinearOptions) {
    checkOptions('nn.Linear', options, { ...moduleNames, inFeatures: true, outFeatures: true, bias: true })
    super(options)
    const { inFeatures, outFeatures, bias = true } = options
    checkInteger('nn.Linear', 'inFeatures', inFeatures, 1)
    checkInteger('nn.Linear', 'outFeatures', outFeatures, 1)
    const bound = 1 / Math.sqrt(inFeatures)
    this.weight = this.uniform<2>('weight', [outFeatures, inFeatures], bound)
    this.bias = bias ? this.uniform<1>('bias', [outFeatures], bound) : null
  }

  /**
   * Applies the layer.
   *
   * @param x [.., in], or packed rows [N, in].
   * @returns y [.., out], or packed rows [N, out].
   * @throws PackedRnnError if the last dimension of x is not `in`, or x is on another device.
   */
  forward<X extends Float | PackedSequence>(x: X): X
  forward(x: Float | PackedSequence): Float | PackedSequence {
    const { weight, bias } = this
    if (x instanceof PackedSequence) {
      return withRows('nn.Linear', x, rows => new PackedSequence(linear(rows, weight, bias), x.sequences))
    }
    checkTensor('nn.Linear', 'x', x, { dtype: 'float32' })
    if (x.shape.length === 2) return linear(ranked(x, 2), weight, bias)
    const columns = x.shape.at(-1) ?? 1
    using rows = reshape(x, [columns === 0 ? 0 : x.size / columns, columns])
    using y = linear(rows, weight, bias)
    return reshape<number>(y, [...x.shape.slice(0, -1), weight.shape[0]])
  }
}
