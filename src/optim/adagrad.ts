import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { adagradStep } from '../ops/optimizer.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import { type Kinds, ONCE_STEPPED } from './state.js'

/** Options of a group of Adagrad's parameters. */
export interface AdagradOptions {
  /** Default 0.01. */
  lr: number
  /** The rate of a parameter's t-th step is lr / (1 + (t − 1) lrDecay); default 0. */
  lrDecay: number
  /** The initial value of s, PyTorch's initial_accumulator_value; default 0. */
  initialAccumulator: number
  /** ε; default 1e-10. */
  eps: number
  /** λ in g + λ p; default 0. */
  weightDecay: number
  /** Maximises the objective: negates the gradient before anything else; default false. */
  maximize: boolean
}

const names: OptionNames<AdagradOptions> = {
  lr: true,
  lrDecay: true,
  initialAccumulator: true,
  eps: true,
  weightDecay: true,
  maximize: true,
}

/** The names of a parameter's state, as in PyTorch. */
export type AdagradStateName = 'step' | 'sum'

/**
 * Adagrad (Duchi et al. 2011, as torch.optim.Adagrad): g += λ p; s += g²; p −= lr g / (√s + ε).
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([3, -2], [2], { requiresGrad: true })
 * using optimizer = new optim.Adagrad([p], { lr: 0.5 })
 * sum(mul(p, p)).backward()
 * optimizer.step()
 * console.log(Array.from(await p.toArray(), x => x.toFixed(3))) // ['2.500', '-1.500']
 * ```
 */
export class Adagrad extends Optimizer<AdagradOptions, AdagradStateName> {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative option; ERR_INVALID_ARGUMENT for an unknown option, for no
   * parameters or a duplicate one.
   */
  constructor(parameters: Grouped<AdagradOptions>, defaults: Partial<AdagradOptions> = {}) {
    checkOptions('optim.Adagrad', defaults, names)
    const initial = {
      lr: 0.01,
      lrDecay: 0,
      initialAccumulator: 0,
      eps: 1e-10,
      weightDecay: 0,
      maximize: false,
    }
    super('optim.Adagrad', parameters, { ...initial, ...defaults }, names)
  }

  /** @internal */
  protected override check(op: string, at: string, options: AdagradOptions): void {
    const { lr, lrDecay, initialAccumulator, eps, weightDecay } = options
    for (const [name, value] of Object.entries({ lr, lrDecay, initialAccumulator, eps, weightDecay })) {
      checkNumber(op, at + name, value, 0)
    }
  }

  /** @internal */
  protected override kinds({ lrDecay }: AdagradOptions): Kinds<AdagradStateName> {
    return [lrDecay === 0 ? ['step', 'scalar', ONCE_STEPPED] : ['step', 'scalar'], ['sum', 'parameter']]
  }

  /** @internal */
  protected override apply(slots: readonly Slots<AdagradOptions, AdagradStateName>[]): void {
    adagradStep(
      slots.map(({ options, parameters, gradients, state }) => ({
        ...options,
        keep: 1,
        add: 1,
        momentum: 0,
        centered: false,
        parameters,
        gradients,
        steps: state('step'),
        sums: state('sum'),
        averages: [],
        momenta: [],
      })),
    )
  }
}
