import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { sgdStep } from '../ops/optimizer.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import { type Kinds, ONCE_STEPPED } from './state.js'

/** Options of a group of SGD's parameters. */
export interface SgdOptions {
  /** The learning rate. Required. */
  lr: number
  /** μ; default 0. */
  momentum: number
  /** τ; default 0. */
  dampening: number
  /** Default false. Requires momentum above 0 and dampening 0. */
  nesterov: boolean
  /** λ in g + λ p; default 0. */
  weightDecay: number
  /** Maximises the objective: negates the gradient before anything else; default false. */
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

/** The names of a parameter's state, as in PyTorch. */
export type SgdStateName = 'step' | 'momentum_buffer'

/**
 * Stochastic gradient descent (torch.optim.SGD): g += λ p; b = μ b + (1 − τ) g, in the first step b = g; p −= lr b. With
 * Nesterov's momentum (Sutskever et al. 2013) p −= lr (g + μ b), without momentum p −= lr g.
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([3, -2], [2], { requiresGrad: true })
 * using optimizer = new optim.SGD([p], { lr: 0.25 })
 * sum(mul(p, p)).backward()
 * optimizer.step()
 * console.log(await p.toArray()) // Float32Array(2) [1.5, -1]
 * ```
 */
export class SGD extends Optimizer<SgdOptions, SgdStateName> {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative rate, momentum or weight decay; ERR_INVALID_ARGUMENT for
   * `nesterov` without momentum or with dampening, for an unknown option, for no parameters or a duplicate one.
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
      // PyTorch has no counter: a parameter with a buffer has taken a step.
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
