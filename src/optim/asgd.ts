import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { asgdStep } from '../ops/optimizer.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import type { Kinds, Parameter } from './state.js'

/** Options of a group of ASGD's parameters. */
export interface AsgdOptions {
  /** Default 0.01. */
  lr: number
  /** λ, the decay of the parameters and of the rate; default 1e-4. */
  lambda: number
  /** α, the exponent of the rate's decay; default 0.75. */
  alpha: number
  /** t₀, the number of steps before averaging starts; default 1e6. */
  t0: number
  /** In g + weightDecay · p; default 0. */
  weightDecay: number
  /** Maximises the objective: negates the gradient before anything else; default false. */
  maximize: boolean
}

const names: OptionNames<AsgdOptions> = {
  lr: true,
  lambda: true,
  alpha: true,
  t0: true,
  weightDecay: true,
  maximize: true,
}

/** The names of a parameter's state, as in PyTorch. */
export type AsgdStateName = 'step' | 'eta' | 'ax'

/**
 * Averaged stochastic gradient descent (Polyak and Juditsky 1992, as torch.optim.ASGD): p = (1 − λ η) p − η g;
 * a += μ (p − a); then η = lr / (1 + λ lr t)^α and μ = 1 / max(1, t − t₀), where t counts each parameter's steps. Initially
 * η = lr and μ = 1. A new `lr` therefore takes effect one step later.
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([3, -2], [2], { requiresGrad: true })
 * using optimizer = new optim.ASGD([p], { lr: 0.25, lambda: 0 })
 * sum(mul(p, p)).backward()
 * optimizer.step()
 * console.log(await p.toArray()) // Float32Array(2) [1.5, -1]
 * ```
 */
export class ASGD extends Optimizer<AsgdOptions, AsgdStateName> {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative option; ERR_INVALID_ARGUMENT for an unknown option, for no
   * parameters or a duplicate one.
   */
  constructor(parameters: Grouped<AsgdOptions>, defaults: Partial<AsgdOptions> = {}) {
    checkOptions('optim.ASGD', defaults, names)
    const initial = { lr: 0.01, lambda: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0, maximize: false }
    super('optim.ASGD', parameters, { ...initial, ...defaults }, names)
  }

  /**
   * Returns a parameter's average, for evaluation; null before its first step. The optimiser owns it: later steps update it,
   * and `dispose` disposes it.
   */
  average(parameter: Parameter): Parameter | null {
    return this.stateOf(parameter, 'ax')
  }

  /** @internal */
  protected override check(op: string, at: string, options: AsgdOptions): void {
    const { lr, lambda, alpha, t0, weightDecay } = options
    for (const [name, value] of Object.entries({ lr, lambda, alpha, t0, weightDecay })) {
      checkNumber(op, at + name, value, 0)
    }
  }

  /** @internal */
  protected override kinds(): Kinds<AsgdStateName> {
    return [
      ['step', 'scalar'],
      ['eta', 'scalar'],
      ['ax', 'parameter'],
    ]
  }

  /** @internal */
  protected override implied(): readonly string[] {
    return ['mu']
  }

  /** @internal */
  protected override apply(slots: readonly Slots<AsgdOptions, AsgdStateName>[]): void {
    asgdStep(
      slots.map(({ options, parameters, gradients, state }) => ({
        ...options,
        parameters,
        gradients,
        steps: state('step'),
        rates: state('eta'),
        averages: state('ax'),
      })),
    )
  }
}
