import { checkInteger } from '../check.js'
import { linear } from '../ops/linear.js'
import type { Tensor } from '../tensor.js'
import { Module, type ModuleOptions } from './module.js'

export interface LinearOptions extends ModuleOptions {
  inFeatures: number
  outFeatures: number
  /** Default true. */
  bias?: boolean
}

/** y = x Wᵀ + b, as torch.nn.Linear: `weight` [out, in] and `bias` [out] start uniform on ±1/√in. */
export class Linear extends Module {
  readonly weight: Tensor<'float32', 2>
  readonly bias: Tensor<'float32', 1> | null

  constructor(options: LinearOptions) {
    super(options)
    const { inFeatures, outFeatures, bias = true } = options
    checkInteger('nn.Linear', 'inFeatures', inFeatures, 1)
    checkInteger('nn.Linear', 'outFeatures', outFeatures, 1)
    const bound = 1 / Math.sqrt(inFeatures)
    this.weight = this.uniform<2>('weight', [outFeatures, inFeatures], bound)
    this.bias = bias ? this.uniform<1>('bias', [outFeatures], bound) : null
  }

  /** @param x [N, in] @returns [N, out] */
  forward(x: Tensor<'float32', 2>): Tensor<'float32', 2> {
    return linear(x, this.weight, this.bias)
  }
}
