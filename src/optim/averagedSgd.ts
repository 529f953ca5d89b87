import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { asgdStep, sgdStep } from '../ops/optimizer.js'
import type { AsgdStateName } from './asgd.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import type { Kinds, Parameter } from './state.js'

/** Options of a group of AveragedSGD's parameters. */
export interface AveragedSgdOptions {
  /** The learning rate. Required. */
  lr: number
  /** λ in g + λ p; default 0. */
  weightDecay: number
  /** Whether steps are averaged; default false. Set it to true before the first step that counts. */
  averages: boolean
  /** Maximises the objective: negates the gradient before anything else; default false. */
  maximize: boolean
}

const names: OptionNames<AveragedSgdOptions> = {
  lr: true,
  weightDecay: true,
  averages: true,
  maximize: true,
}

/**
 * Stochastic gradient descent that averages its parameters from some step on (Polyak and Juditsky 1992): p −= lr (g + λ p), and after
 * the k-th step that counts a += (p − a) / k. With `NonMonotonic` of packed-rnn/training, which sets `averages`, it is NT-ASGD
 * (Merity et al. 2018). `ASGD` with `lambda: 0` and `t0: 0` differs in two ways, as in PyTorch: a change of its rate acts one step late,
 * and its average leaves out the first step.
 *
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([8], [1], { requiresGrad: true })
 * using optimizer = new optim.AveragedSGD([p], { lr: 0.25, averages: true })
 * for (let step = 0; step < 2; step++) {
 *   optimizer.zeroGrad()
 *   sum(mul(p, p)).backward()
 *   optimizer.step() // 4, then 2
 * }
 * console.log(await p.toArray(), await optimizer.average(p)?.toArray()) // Float32Array(1) [2] Float32Array(1) [3]
 * ```
 */
export class AveragedSGD extends Optimizer<AveragedSgdOptions, AsgdStateName> {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative rate or weight decay; ERR_INVALID_ARGUMENT for an unknown option, for no
   * parameters or a duplicate one.
   */
  constructor(
    parameters: Grouped<AveragedSgdOptions>,
    defaults: Pick<AveragedSgdOptions, 'lr'> & Partial<AveragedSgdOptions>,
  ) {
    checkOptions('optim.AveragedSGD', defaults, names)
    const initial = { weightDecay: 0, averages: false, maximize: false }
    super('optim.AveragedSGD', parameters, { ...initial, ...defaults }, names)
  }

  /**
   * Returns a parameter's average; null before the first step that counts. The optimiser owns it: later steps update it, and `dispose`
   * disposes it.
   */
  average(parameter: Parameter): Parameter | null {
    return this.stateOf(parameter, 'ax')
  }

  /**
   * Exchanges the values of the parameters with their averages. A second call exchanges them back. Parameters without an average
   * keep their values.
   */
  swapAverages(): void {
    for (const { parameters } of this.groups) {
      for (const parameter of parameters) this.average(parameter)?.exchange(parameter)
    }
  }

  /** @internal */
  protected override check(op: string, at: string, { lr, weightDecay, averages }: AveragedSgdOptions): void {
    checkNumber(op, `${at}lr`, lr, 0)
    checkNumber(op, `${at}weightDecay`, weightDecay, 0)
    if (typeof averages !== 'boolean') throw badArgument(op, `${at}averages`, 'true or false', averages)
  }

  /** @internal */
  protected override kinds({ averages }: AveragedSgdOptions): Kinds<AsgdStateName> {
    if (!averages) return []
    return [
      ['step', 'scalar'],
      ['eta', 'scalar'],
      ['ax', 'parameter'],
    ]
  }

  /** @internal */
  protected override apply(slots: readonly Slots<AveragedSgdOptions, AsgdStateName>[]): void {
    const none = { steps: [], momenta: [], momentum: 0, dampening: 0, nesterov: false }
    sgdStep(
      slots.map(({ options, parameters, gradients }) => ({ ...options, ...none, parameters, gradients })),
    )
    const averaged = slots.filter(({ options }) => options.averages)
    if (averaged.length === 0) return
    // A step of rate 0 that updates the averages alone, from t₀ = −1 so that the first step counts.
    const still = { lr: 0, lambda: 0, alpha: 0, t0: -1, weightDecay: 0, maximize: false }
    asgdStep(
      averaged.map(({ parameters, gradients, state }) => ({
        ...still,
        parameters,
        gradients,
        steps: state('step'),
        rates: state('eta'),
        averages: state('ax'),
      })),
    )
  }
}
