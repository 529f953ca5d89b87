import { checkNumber } from '../check.js'
import { adamStep } from '../ops/optimizer.js'
import type { Tensor } from '../tensor.js'
import { Optimizer, type Slot, stateLike } from './optimizer.js'

interface State {
  mean: Tensor<'float32'>
  variance: Tensor<'float32'>
  steps: number
}

export interface AdamOptions {
  /** Default 1e-3. */
  lr?: number
  /** Default [0.9, 0.999]. */
  betas?: readonly [number, number]
  /** Default 1e-8, added after the bias correction. */
  eps?: number
}

/**
 * Adam (Kingma and Ba 2015, as torch.optim.Adam): m += (1 − β₁)(g − m), v = β₂ v + (1 − β₂) g²,
 * p −= lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε), where t counts a parameter's own steps.
 */
export class Adam extends Optimizer<State> {
  readonly betas: readonly [number, number]
  readonly eps: number

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for a negative rate or epsilon, or a β outside [0, 1). */
  constructor(parameters: readonly Tensor<'float32'>[], options: AdamOptions = {}) {
    const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 } = options
    checkNumber('optim.Adam', 'lr', lr, 0)
    checkNumber('optim.Adam', 'betas[0]', betas[0], 0, 1 - 2 ** -53)
    checkNumber('optim.Adam', 'betas[1]', betas[1], 0, 1 - 2 ** -53)
    checkNumber('optim.Adam', 'eps', eps, 0)
    super('optim.Adam', parameters, lr)
    this.betas = betas
    this.eps = eps
  }

  protected override start(parameter: Tensor<'float32'>): State {
    return { mean: stateLike(parameter), variance: stateLike(parameter), steps: 0 }
  }

  protected override apply(slots: readonly Slot<State>[]): void {
    for (const { state } of slots) state.steps++
    adamStep({
      parameters: slots.map(slot => slot.parameter),
      gradients: slots.map(slot => slot.gradient),
      means: slots.map(slot => slot.state.mean),
      variances: slots.map(slot => slot.state.variance),
      steps: slots.map(slot => slot.state.steps),
      learningRate: this.learningRate,
      beta1: this.betas[0],
      beta2: this.betas[1],
      epsilon: this.eps,
    })
  }
}
