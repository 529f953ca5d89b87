import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { adagradStep } from '../ops/optimizer.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import type { Kinds } from './state.js'

/** What a group of RMSprop is stepped with. */
export interface RmspropOptions {
  /** Default 0.01. */
  lr: number
  /** α; default 0.99. */
  alpha: number
  /** ε, added to the root; default 1e-8. */
  eps: number
  /** λ in g + λ p; default 0. */
  weightDecay: number
}

const names: OptionNames<RmspropOptions> = { lr: true, alpha: true, eps: true, weightDecay: true }

/** What the state of a parameter is made of, by PyTorch's names. */
export type RmspropStateName = 'step' | 'square_avg'

/**
 * RMSprop (Tieleman and Hinton 2012, as torch.optim.RMSprop without momentum and centring): g += λ p;
 * v = α v + (1 − α) g²; p −= lr g / (√v + ε).
 */
export class RMSprop extends Optimizer<RmspropOptions, RmspropStateName> {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative rate, epsilon or weight decay, or an α outside [0, 1];
   * ERR_INVALID_ARGUMENT for an unknown option, for no parameter or one that comes twice.
   */
  constructor(parameters: Grouped<RmspropOptions>, defaults: Partial<RmspropOptions> = {}) {
    checkOptions('optim.RMSprop', defaults, names)
    const initial = { lr: 0.01, alpha: 0.99, eps: 1e-8, weightDecay: 0 }
    super('optim.RMSprop', parameters, { ...initial, ...defaults }, names)
  }

  /** @internal */
  protected override check(op: string, at: string, { lr, alpha, eps, weightDecay }: RmspropOptions): void {
    checkNumber(op, `${at}lr`, lr, 0)
    checkNumber(op, `${at}alpha`, alpha, 0, 1)
    checkNumber(op, `${at}eps`, eps, 0)
    checkNumber(op, `${at}weightDecay`, weightDecay, 0)
  }

  /** @internal */
  protected override kinds(): Kinds<RmspropStateName> {
    return [
      ['step', 'scalar'],
      ['square_avg', 'parameter'],
    ]
  }

  /** @internal */
  protected override apply(slots: readonly Slots<RmspropOptions, RmspropStateName>[]): void {
    adagradStep(
      slots.map(({ options, parameters, gradients, state }) => ({
        ...options,
        keep: options.alpha,
        add: 1 - options.alpha,
        lrDecay: 0,
        initialAccumulator: 0,
        parameters,
        gradients,
        steps: state('step'),
        sums: state('square_avg'),
      })),
    )
  }
}
