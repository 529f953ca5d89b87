import { checkNumber } from '../check.js'
import { sgdStep } from '../ops/optimizer.js'
import type { Tensor } from '../tensor.js'
import { Optimizer, type Slot, stateLike } from './optimizer.js'

interface State {
  momentum: Tensor<'float32'> | null
  started: boolean
}

/**
 * Stochastic gradient descent (torch.optim.SGD): buf = μ buf + g, the first time g; p −= lr buf. Without momentum
 * p −= lr g.
 */
export class SGD extends Optimizer<State> {
  readonly momentum: number

  /** @throws PackedRnnError ERR_OUT_OF_RANGE for a negative learning rate or momentum. */
  constructor(parameters: readonly Tensor<'float32'>[], options: { lr: number; momentum?: number }) {
    const { lr, momentum = 0 } = options
    checkNumber('optim.SGD', 'lr', lr, 0)
    checkNumber('optim.SGD', 'momentum', momentum, 0)
    super('optim.SGD', parameters, lr)
    this.momentum = momentum
  }

  protected override start(parameter: Tensor<'float32'>): State {
    return { momentum: this.momentum === 0 ? null : stateLike(parameter), started: false }
  }

  protected override apply(slots: readonly Slot<State>[]): void {
    sgdStep({
      parameters: slots.map(slot => slot.parameter),
      gradients: slots.map(slot => slot.gradient),
      momenta: slots.flatMap(slot => slot.state.momentum ?? []),
      firstSteps: slots.map(slot => !slot.state.started),
      learningRate: this.learningRate,
      momentum: this.momentum,
    })
    for (const { state } of slots) state.started = true
  }
}
