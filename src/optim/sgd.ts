import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { sgdStep } from '../ops/optimizer.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import { type Kinds, ONCE_STEPPED } from './state.js'

/** What a group of SGD is stepped with. */
export interface SgdOptions {
  /** The learning rate, which has no default. */
  lr: number
  /** μ; default 0. */
  momentum: number
  /** τ; default 0. */
  dampening: number
  /** Default false; wants momentum and no dampening. */
  nesterov: boolean
  /** λ in g + λ p; default 0. */
  weightDecay: number
  /** Makes the objective large instead of small: the gradient's sign is turned before anything else; default false. */
  maximize: boolean
}

const names: OptionNames<SgdOptions> = {
  lr: true,
  momentum: true,
  dampening: true,
  nesterov: true,
  weightDecay: true,
  maximize: true,
}

/** What the state of a parameter is made of, by PyTorch's names. */
export type SgdStateName = 'step' | 'momentum_buffer'

/**
 * Stochastic gradient descent (torch.optim.SGD): g += λ p; b = μ b + (1 − τ) g, the first time b = g; p −= lr b. With
 * Nesterov's momentum (as in Sutskever et al. 2013) p −= lr (g + μ b), without momentum p −= lr g.
 */
export class SGD extends Optimizer<SgdOptions, SgdStateName> {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative rate, momentum or weight decay, ERR_INVALID_ARGUMENT for
   * `nesterov` without momentum or with dampening, for an unknown option, for no parameter or one that comes twice.
   */
  constructor(parameters: Grouped<SgdOptions>, defaults: Pick<SgdOptions, 'lr'> & Partial<SgdOptions>) {
    checkOptions('optim.SGD', defaults, names)
    const initial = { momentum: 0, dampening: 0, nesterov: false, weightDecay: 0, maximize: false }
    super('optim.SGD', parameters, { ...initial, ...defaults }, names)
  }

  /** @internal */
  protected override check(op: string, at: string, options: SgdOptions): void {
    const { lr, momentum, dampening, nesterov, weightDecay } = options
    checkNumber(op, `${at}lr`, lr, 0)
    checkNumber(op, `${at}momentum`, momentum, 0)
    checkNumber(op, `${at}dampening`, dampening, -Infinity)
    checkNumber(op, `${at}weightDecay`, weightDecay, 0)
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      const got = `momentum ${momentum} and dampening ${dampening}`
      throw badArgument(op, `${at}nesterov`, 'momentum above 0 and dampening 0', got)
    }
  }

  /** @internal */
  protected override kinds({ momentum }: SgdOptions): Kinds<SgdStateName> {
    if (momentum === 0) return []
    return [
      // PyTorch has no counter: who has a buffer took a step.
      ['step', 'scalar', ONCE_STEPPED],
      ['momentum_buffer', 'parameter'],
    ]
  }

  /** @internal */
  protected override apply(slots: readonly Slots<SgdOptions, SgdStateName>[]): void {
    sgdStep(
      slots.map(({ options, parameters, gradients, state }) => ({
        ...options,
        parameters,
        gradients,
        steps: state('step'),
        momenta: state('momentum_buffer'),
      })),
    )
  }
}
