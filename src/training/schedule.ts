import { checkFunction, checkInteger, checkNumber, checkOptions, checkWord } from '../check.js'
import { badArgument } from '../errors.js'
import { type EpochRecord, type MetricName, metricOf } from './record.js'

/** Sets learning rates while a trainer runs. */
export interface TrainerScheduler {
  /** Called after each step of the optimiser. */
  step?(): void
  /** Called at the end of each epoch, after its test. */
  epoch?(record: EpochRecord): void
  /** Returns the scheduler's state, which JSON must be able to hold. */
  stateDict(): object
  /** Restores a state that `stateDict` returned. */
  loadStateDict(state: unknown): void
}

/**
 * Returns a scheduler that steps once per epoch, such as `byEpoch(new optim.Scheduler(adam, stepDecay({ stepSize: 10 })))`.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if the scheduler has no `step`.
 *
 * @example
 * ```ts
 * import { nn, optim } from 'packed-rnn'
 * import { byEpoch } from 'packed-rnn/training'
 *
 * const sgd = new optim.SGD(new nn.Linear({ inFeatures: 1, outFeatures: 1 }).parameters(), { lr: 1 })
 * const scheduler = byEpoch(new optim.Scheduler(sgd, optim.stepDecay({ stepSize: 10 })))
 * console.log(typeof scheduler.epoch, typeof scheduler.step) // function undefined
 * ```
 */
export function byEpoch(scheduler: TrainerScheduler): TrainerScheduler {
  checkFunction('byEpoch', 'scheduler.step', scheduler.step)
  return {
    epoch: () => scheduler.step?.(),
    stateDict: () => scheduler.stateDict(),
    loadStateDict: state => scheduler.loadStateDict(state),
  }
}

/** Options of `Plateau`. */
export interface PlateauOptions extends MetricName {
  /** Whether a smaller ('min') or a larger ('max') metric is better; default 'min'. */
  mode?: 'min' | 'max'
  /** The factor by which rates are multiplied; default 0.1. */
  factor?: number
  /** The number of epochs without improvement that are tolerated; default 10. */
  patience?: number
  /** The relative change that counts as an improvement; default 1e-4. */
  threshold?: number
  /** The number of epochs after a reduction that do not count; default 0. */
  cooldown?: number
  /** The smallest rate; default 0. */
  minimum?: number
}

const names = {
  metric: true,
  of: true,
  mode: true,
  factor: true,
  patience: true,
  threshold: true,
  cooldown: true,
  minimum: true,
} as const

/**
 * Lowers the learning rates when a metric stops improving, as torch.optim.lr_scheduler.ReduceLROnPlateau with a relative threshold.
 * After more than `patience` consecutive epochs that are not better than best · (1 ∓ threshold), each rate becomes
 * max(rate · factor, minimum). Epochs without the metric do not count.
 *
 * @example
 * ```ts
 * import { nn, optim } from 'packed-rnn'
 * import { Plateau } from 'packed-rnn/training'
 *
 * const sgd = new optim.SGD(new nn.Linear({ inFeatures: 1, outFeatures: 1 }).parameters(), { lr: 1 })
 * const plateau = new Plateau(sgd, { metric: 'loss', patience: 2 })
 * console.log(typeof plateau.epoch) // function
 * ```
 */
export class Plateau implements TrainerScheduler {
  readonly #groups: readonly { lr: number }[]
  readonly #options: Required<PlateauOptions>
  #best: number | null = null
  #bad = 0
  #cooling = 0

  /** @throws PackedRnnError ERR_OUT_OF_RANGE if a number is out of range; ERR_INVALID_ARGUMENT if a word or an option is unknown. */
  constructor(optimizer: { groups: readonly { lr: number }[] }, options: PlateauOptions) {
    const op = 'Plateau'
    checkOptions(op, options, names)
    const defaults = { of: 'test', mode: 'min', factor: 0.1, patience: 10, threshold: 1e-4 } as const
    const all = { ...defaults, cooldown: 0, minimum: 0, ...options }
    checkWord(op, 'of', all.of, ['training', 'test'])
    checkWord(op, 'mode', all.mode, ['min', 'max'])
    checkNumber(op, 'factor', all.factor, 0, 1)
    checkInteger(op, 'patience', all.patience, 0)
    checkNumber(op, 'threshold', all.threshold, 0)
    checkInteger(op, 'cooldown', all.cooldown, 0)
    checkNumber(op, 'minimum', all.minimum, 0)
    this.#groups = optimizer.groups
    this.#options = all
  }

  /** Reads the metric of an epoch, and lowers the rates if necessary. */
  epoch(record: EpochRecord): void {
    const { mode, factor, patience, threshold, cooldown, minimum } = this.#options
    const value = metricOf(record, this.#options)
    if (value === null) return
    const best = this.#best
    // NaN is never better.
    const bar = best ?? (mode === 'min' ? Infinity : -Infinity)
    const better = mode === 'min' ? value < bar * (1 - threshold) : value > bar * (1 + threshold)
    if (better) this.#best = value
    this.#bad = better ? 0 : this.#bad + 1
    if (this.#cooling > 0) {
      this.#cooling--
      this.#bad = 0
    }
    if (this.#bad <= patience) return
    for (const group of this.#groups) group.lr = Math.max(group.lr * factor, minimum)
    this.#cooling = cooldown
    this.#bad = 0
  }

  /** Returns the best metric and the counters. */
  stateDict(): { best: number | null; bad: number; cooling: number } {
    return { best: this.#best, bad: this.#bad, cooling: this.#cooling }
  }

  /** Restores a state. @throws PackedRnnError ERR_INVALID_ARGUMENT if it is not a state of `Plateau`. */
  loadStateDict(state: unknown): void {
    const some = typeof state === 'object' && state !== null ? state : {}
    const { best, bad, cooling } = { best: undefined, bad: undefined, cooling: undefined, ...some }
    const known = best === null || typeof best === 'number'
    if (!known || typeof bad !== 'number' || typeof cooling !== 'number') {
      throw badArgument('Plateau.loadStateDict', 'state', 'best, bad and cooling', state)
    }
    this.#best = best
    this.#bad = bad
    this.#cooling = cooling
  }
}
