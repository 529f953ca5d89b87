import { checkInteger, checkOptions } from '../check.js'
import { linear } from '../ops/linear.js'
import type { Tensor } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** The size of a linear layer. */
export interface LinearOptions extends ModuleOptions {
  /** Numbers in a row of x. */
  inFeatures: number
  /** Numbers in a row of y. */
  outFeatures: number
  /** Default true. */
  bias?: boolean
}

/**
 * y = x Wᵀ + b, as torch.nn.Linear: `weight` [out, in] and `bias` [out] start uniform on ±1/√in.
 *
 * @example
 * ```ts
 * import { nn, zeros } from 'packed-rnn'
 *
 * const layer = new nn.Linear({ inFeatures: 3, outFeatures: 2 })
 * console.log(layer.namedParameters().map(([name]) => name)) // ['weight', 'bias']
 * console.log(layer.forward(zeros([4, 3])).shape) // [4, 2]
 * ```
 */
export class Linear extends Module {
  /** [out, in] */
  readonly weight: Tensor<'float32', 2>
  /** [out] */
  readonly bias: Tensor<'float32', 1> | null

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for a size below 1; ERR_INVALID_ARGUMENT for an unknown option. */
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
   * @param x [N, in]
   * @returns y [N, out]
   * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
   */
  forward(x: Tensor<'float32', 2>): Tensor<'float32', 2> {
    return linear(x, this.weight, this.bias)
  }
}
