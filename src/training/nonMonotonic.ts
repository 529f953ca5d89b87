import { checkInteger, checkOptions, checkWord } from '../check.js'
import { badArgument } from '../errors.js'
import type { Callback } from './callbacks.js'
import { type EpochRecord, type MetricName, metricOf } from './record.js'
import type { TrainerScheduler } from './schedule.js'

/** When a metric counts as no longer improving. */
export interface NonMonotonicOptions extends MetricName {
  /** n: an epoch triggers if its metric is worse than the best of all but the last n epochs before it; default 5. */
  epochs?: number
  /** Whether a smaller ('min') or a larger ('max') metric is better; default 'min'. */
  mode?: 'min' | 'max'
}

const names = { metric: true, of: true, epochs: true, mode: true } as const

type Checked = Required<NonMonotonicOptions>

function checked(op: string, options: NonMonotonicOptions): Checked {
  checkOptions(op, options, names)
  const all: Checked = { of: 'test', epochs: 5, mode: 'min', ...options }
  checkInteger(op, 'epochs', all.epochs, 1)
  checkWord(op, 'of', all.of, ['training', 'test'])
  checkWord(op, 'mode', all.mode, ['min', 'max'])
  return all
}

/** Whether the last of these values is worse than the best of all but the last n before it. */
function triggers(values: readonly number[], { epochs, mode }: Checked): boolean {
  const [last = Number.NaN] = values.slice(-1)
  const earlier = values.slice(0, -1 - epochs)
  if (earlier.length === 0) return false
  return mode === 'min' ? last > Math.min(...earlier) : last < Math.max(...earlier)
}

/**
 * Starts the averaging of an `AveragedSGD`: NT-ASGD (Merity, Keskar and Socher 2018, algorithm 1). It starts at the end of the first
 * epoch whose metric is worse than the best of all but the last n epochs before it. Epochs without the metric, or with one that
 * is not finite, do not count.
 *
 * @example
 * ```ts
 * import { nn, optim } from 'packed-rnn'
 * import { NonMonotonic } from 'packed-rnn/training'
 *
 * const sgd = new optim.AveragedSGD(new nn.Linear({ inFeatures: 1, outFeatures: 1 }).parameters(), { lr: 30 })
 * const scheduler = new NonMonotonic(sgd, { metric: 'loss', epochs: 5 })
 * console.log(scheduler.stateDict()) // { values: [] }
 * ```
 */
export class NonMonotonic implements TrainerScheduler {
  readonly #groups: readonly { averages: boolean }[]
  readonly #options: Checked
  #values: number[] = []

  /** @throws PackedRnnError ERR_OUT_OF_RANGE if `epochs` is below 1; ERR_INVALID_ARGUMENT if a word or an option is unknown. */
  constructor(optimizer: { groups: readonly { averages: boolean }[] }, options: NonMonotonicOptions) {
    this.#options = checked('NonMonotonic', options)
    this.#groups = optimizer.groups
  }

  /** Reads the metric of an epoch, and starts the averaging if it is due. */
  epoch(record: EpochRecord): void {
    const value = metricOf(record, this.#options)
    if (value === null || !Number.isFinite(value)) return
    this.#values.push(value)
    if (!triggers(this.#values, this.#options)) return
    for (const group of this.#groups) group.averages = true
  }

  /** Returns the metrics so far. Whether averaging has started is part of the optimiser's state. */
  stateDict(): { values: number[] } {
    return { values: [...this.#values] }
  }

  /** Restores a state. @throws PackedRnnError ERR_INVALID_ARGUMENT if it is not a state of `NonMonotonic`. */
  loadStateDict(state: unknown): void {
    const values = typeof state === 'object' && state !== null && 'values' in state ? state.values : null
    if (!Array.isArray(values) || values.some(value => typeof value !== 'number')) {
      throw badArgument('NonMonotonic.loadStateDict', 'state', 'values, a list of numbers', state)
    }
    this.#values = [...values]
  }
}

/**
 * Returns a callback that ends training where `NonMonotonic` would start averaging: the end of AWD-LSTM's fine-tuning, which averages from
 * its first step.
 *
 * @throws PackedRnnError as the constructor of `NonMonotonic`.
 *
 * @example
 * ```ts
 * import { nonMonotonicStopping } from 'packed-rnn/training'
 *
 * console.log(nonMonotonicStopping({ metric: 'loss' }).stops?.([])) // false
 * ```
 */
export function nonMonotonicStopping(options: NonMonotonicOptions): Callback {
  const all = checked('nonMonotonicStopping', options)
  const valuesOf = (history: readonly EpochRecord[]) =>
    history.flatMap(each => metricOf(each, all) ?? []).filter(Number.isFinite)
  return {
    // Of any epoch, so that a resumed run ends where it would have ended.
    stops: history => valuesOf(history).some((_, i, values) => triggers(values.slice(0, i + 1), all)),
  }
}
