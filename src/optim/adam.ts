import { checkNumber, checkOptions, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { adamStep } from '../ops/optimizer.js'
import { type Grouped, Optimizer, type Slots } from './optimizer.js'
import type { Kinds } from './state.js'

/** Options of a group of Adam's or AdamW's parameters. */
export interface AdamOptions {
  /** Default 1e-3. */
  lr: number
  /** β₁ and β₂; default [0.9, 0.999]. */
  betas: readonly [number, number]
  /** ε, added after the bias correction; default 1e-8. */
  eps: number
  /** λ; default 0, for AdamW 0.01. */
  weightDecay: number
  /** Divides by the root of the largest v of all steps so far (Reddi et al. 2018); default false. */
  amsgrad: boolean
  /** Maximises the objective: negates the gradient before anything else; default false. */
  maximize: boolean
}

const names: OptionNames<AdamOptions> = {
  lr: true,
  betas: true,
  eps: true,
  weightDecay: true,
  amsgrad: true,
  maximize: true,
}

/** The names of a parameter's state, as in PyTorch. */
export type AdamStateName = 'step' | 'exp_avg' | 'exp_avg_sq' | 'max_exp_avg_sq'

const defaultOptions: AdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
}

/** The common part of Adam and AdamW. */
abstract class AdamFamily extends Optimizer<AdamOptions, AdamStateName> {
  readonly #decoupled: boolean

  /** @internal */
  constructor(
    op: string,
    parameters: Grouped<AdamOptions>,
    initial: AdamOptions,
    defaults: Partial<AdamOptions>,
    decoupled: boolean,
  ) {
    checkOptions(op, defaults, names)
    super(op, parameters, { ...initial, ...defaults }, names)
    this.#decoupled = decoupled
  }

  /** @internal */
  protected override check(op: string, at: string, { lr, betas, eps, weightDecay }: AdamOptions): void {
    if (!Array.isArray(betas)) throw badArgument(op, `${at}betas`, 'two numbers', betas)
    checkNumber(op, `${at}lr`, lr, 0)
    checkNumber(op, `${at}betas[0]`, betas[0], 0, 1 - 2 ** -53)
    checkNumber(op, `${at}betas[1]`, betas[1], 0, 1 - 2 ** -53)
    checkNumber(op, `${at}eps`, eps, 0)
    checkNumber(op, `${at}weightDecay`, weightDecay, 0)
  }

  /** @internal */
  protected override kinds({ amsgrad }: AdamOptions): Kinds<AdamStateName> {
    const always: Kinds<AdamStateName> = [
      ['step', 'scalar'],
      ['exp_avg', 'parameter'],
      ['exp_avg_sq', 'parameter'],
    ]
    return amsgrad ? [...always, ['max_exp_avg_sq', 'parameter']] : always
  }

  /** @internal */
  protected override apply(slots: readonly Slots<AdamOptions, AdamStateName>[]): void {
    adamStep(
      slots.map(({ options, parameters, gradients, state }) => ({
        ...options,
        beta1: options.betas[0],
        beta2: options.betas[1],
        decoupled: this.#decoupled,
        parameters,
        gradients,
        steps: state('step'),
        means: state('exp_avg'),
        variances: state('exp_avg_sq'),
        maxima: state('max_exp_avg_sq'),
      })),
    )
  }
}

/**
 * Adam (Kingma and Ba 2015, as torch.optim.Adam): g += λ p; m += (1 − β₁)(g − m); v = β₂ v + (1 − β₂) g²;
 * p −= lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε), where t counts each parameter's steps. With `amsgrad` v in the last
 * formula is the largest v so far.
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([3, -2], [2], { requiresGrad: true })
 * using optimizer = new optim.Adam([p], { lr: 0.5 })
 * sum(mul(p, p)).backward()
 * optimizer.step()
 * console.log(Array.from(await p.toArray(), x => x.toFixed(3))) // ['2.500', '-1.500']
 * ```
 */
export class Adam extends AdamFamily {
  /**
   * @throws PackedRnnError ERR_OUT_OF_RANGE for a negative rate, epsilon or weight decay, or a β outside [0, 1);
   * ERR_INVALID_ARGUMENT for an unknown option, for no parameters or a duplicate one.
   */
  constructor(parameters: Grouped<AdamOptions>, defaults: Partial<AdamOptions> = {}) {
    super('optim.Adam', parameters, defaultOptions, defaults, false)
  }
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019, as torch.optim.AdamW): p −= lr λ p comes first, and g is the
 * gradient of the loss without decay.
 * @example
 * ```ts
 * import { mul, optim, sum, tensor } from 'packed-rnn'
 *
 * const p = tensor([3, -2], [2], { requiresGrad: true })
 * using optimizer = new optim.AdamW([p], { lr: 0.5, weightDecay: 0.1 })
 * sum(mul(p, p)).backward()
 * optimizer.step()
 * console.log(Array.from(await p.toArray(), x => x.toFixed(3))) // ['2.350', '-1.400']
 * ```
 */
export class AdamW extends AdamFamily {
  /** @throws PackedRnnError as `Adam`. */
  constructor(parameters: Grouped<AdamOptions>, defaults: Partial<AdamOptions> = {}) {
    super('optim.AdamW', parameters, { ...defaultOptions, weightDecay: 0.01 }, defaults, true)
  }
}
