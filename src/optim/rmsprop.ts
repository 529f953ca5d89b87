import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { adagradStep } from '../ops/optimizer.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import { type Kinds, ONCE_STEPPED, type StateKind } from './state.js'

/** Options of a group of RMSprop's parameters. */
export interface RmspropOptions {
  /** Default 0.01. */
  lr: number
  /** α; default 0.99. */
  alpha: number
  /** ε, added to the root; default 1e-8. */
  eps: number
  /** λ in g + λ p; default 0. */
  weightDecay: number
  /** μ; default 0. */
  momentum: number
  /** Divides by the root of the gradient's estimated variance instead of its mean square (Graves 2013); default false. */
  centered: boolean
  /** Maximises the objective: negates the gradient before anything else; default false. */
  maximize: boolean
}

const names: OptionNames<RmspropOptions> = {
  lr: true,
  alpha: true,
  eps: true,
  weightDecay: true,
  momentum: true,
  centered: true,
  maximize: true,
}

/** The names of a parameter's state, as in PyTorch. */
export type RmspropStateName = 'step' | 'square_avg' | 'grad_avg' | 'momentum_buffer'

/**
 * RMSprop (Tieleman and Hinton 2012, as torch.optim.RMSprop): g += λ p; v = α v + (1 − α) g²; p −= lr g / (√v + ε). With
 * `centered` a = α a + (1 − α) g, and v − a² replaces v under the root; if rounding makes it negative, 0 is used, where
 * PyTorch's step is NaN. With `momentum` b = μ b + g / (√v + ε) and p −= lr b.
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([3, -2], [2], { requiresGrad: true })
 * using optimizer = new optim.RMSprop([p], { lr: 0.1 })
 * sum(mul(p, p)).backward()
 * optimizer.step()
 * console.log(Array.from(await p.toArray(), x => x.toFixed(3))) // ['2.000', '-1.000']
 * ```
 */
export class RMSprop extends Optimizer<RmspropOptions, RmspropStateName> {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative rate, epsilon, weight decay or momentum, or an α outside [0, 1];
   * ERR_INVALID_ARGUMENT for an unknown option, for no parameters or a duplicate one.
   */
  constructor(parameters: Grouped<RmspropOptions>, defaults: Partial<RmspropOptions> = {}) {
    checkOptions('optim.RMSprop', defaults, names)
    const plain = { momentum: 0, centered: false, maximize: false }
    const initial = { lr: 0.01, alpha: 0.99, eps: 1e-8, weightDecay: 0, ...plain }
    super('optim.RMSprop', parameters, { ...initial, ...defaults }, names)
  }

  /** @internal */
  protected override check(op: string, at: string, options: RmspropOptions): void {
    const { lr, alpha, eps, weightDecay, momentum } = options
    checkNumber(op, `${at}lr`, lr, 0)
    checkNumber(op, `${at}alpha`, alpha, 0, 1)
    checkNumber(op, `${at}eps`, eps, 0)
    checkNumber(op, `${at}weightDecay`, weightDecay, 0)
    checkNumber(op, `${at}momentum`, momentum, 0)
  }

  /** @internal */
  protected override kinds({ momentum, centered }: RmspropOptions): Kinds<RmspropStateName> {
    const kinds: [RmspropStateName, StateKind, number?][] = [
      ['step', 'scalar', ONCE_STEPPED],
      ['square_avg', 'parameter'],
    ]
    if (momentum !== 0) kinds.push(['momentum_buffer', 'parameter'])
    if (centered) kinds.push(['grad_avg', 'parameter'])
    return kinds
  }

  /** @internal */
  protected override before(): Partial<RmspropOptions> {
    return { momentum: 0, centered: false, maximize: false }
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
        averages: state('grad_avg'),
        momenta: state('momentum_buffer'),
      })),
    )
  }
}
