import { checkInteger, checkOptions, checkWord } from '../check.js'
import { saveCheckpoint } from './checkpoint.js'
import type { TrainingProgress } from './progress.js'
import { type EpochRecord, type MetricName, metricOf } from './record.js'
import type { TrainerState } from './trainerState.js'

/** The part of a trainer that callbacks may use. */
export interface Running {
  /** The records of the completed epochs. */
  readonly history: readonly EpochRecord[]
  /** See `Trainer.state`. */
  state(): Promise<TrainerState>
}

/** Functions that a trainer calls before it reports an event. It awaits promises. */
export interface Callback {
  /** Called after each step. Up to three later steps are already issued. */
  step?(progress: TrainingProgress, trainer: Running): void | Promise<void>
  /** Called at the end of each epoch, after its test. No step is pending. */
  epoch?(record: EpochRecord, trainer: Running): void | Promise<void>
  /**
   * Called before each epoch; training ends if it returns true. It must depend only on the history, so that a resumed run ends in
   * the same epoch.
   */
  stops?(history: readonly EpochRecord[]): boolean
}

/** Defines which epoch is the best. */
export interface BestOptions extends MetricName {
  /** Whether a smaller ('min') or a larger ('max') metric is better; default 'min'. */
  mode?: 'min' | 'max'
}

const bestNames = { metric: true, of: true, mode: true } as const

/** Returns the best epoch, the first one of equals; null if no epoch has the metric. */
function bestOf(history: readonly EpochRecord[], { mode = 'min', ...name }: BestOptions): EpochRecord | null {
  let best: { record: EpochRecord; value: number } | null = null
  for (const record of history) {
    const value = metricOf(record, name)
    if (value === null || Number.isNaN(value)) continue
    if (best === null || (mode === 'min' ? value < best.value : value > best.value)) best = { record, value }
  }
  return best?.record ?? null
}

/**
 * Returns a callback that ends training after `patience` epochs without improvement. Epochs without the metric do not count.
 *
 * @param options `metric`, `of` and `mode` define the best epoch; `patience` is a number of epochs.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if the patience is below 1; ERR_INVALID_ARGUMENT if a word is invalid or an option is
 * unknown.
 *
 * @example
 * ```ts
 * import { earlyStopping } from 'packed-rnn/training'
 *
 * const callback = earlyStopping({ metric: 'loss', of: 'test', patience: 3 })
 * console.log(callback.stops?.([])) // false
 * ```
 */
export function earlyStopping(options: BestOptions & { patience: number }): Callback {
  checkOptions('earlyStopping', options, { ...bestNames, patience: true })
  checkBest('earlyStopping', options)
  const { patience, ...best } = options
  checkInteger('earlyStopping', 'patience', patience, 1)
  return {
    stops(history) {
      const measured = history.filter(record => metricOf(record, best) !== null)
      const found = bestOf(measured, best)
      const since = found === null ? measured.length : measured.length - 1 - measured.indexOf(found)
      return since >= patience
    },
  }
}

/**
 * Returns a callback that writes a checkpoint after each epoch that is the best so far. `loadCheckpoint` reads it; its `about` is
 * the record of the epoch.
 *
 * @param options `metric`, `of` and `mode` define the best epoch; `directory` is created if it is missing.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if a word is invalid or an option is unknown.
 *
 * @example
 * ```ts
 * import { keepBest } from 'packed-rnn/training'
 *
 * const callback = keepBest({ metric: 'accuracy', mode: 'max', directory: 'best' })
 * console.log(Object.keys(callback)) // ['epoch']
 * ```
 */
export function keepBest(options: BestOptions & { directory: string }): Callback {
  checkOptions('keepBest', options, { ...bestNames, directory: true })
  checkBest('keepBest', options)
  const { directory, ...best } = options
  return {
    async epoch(record, trainer) {
      if (bestOf(trainer.history, best) !== trainer.history.at(-1)) return
      await saveCheckpoint(directory, await trainer.state(), record)
    },
  }
}

function checkBest(op: string, { of = 'test', mode = 'min' }: BestOptions): void {
  checkWord(op, 'of', of, ['training', 'test'])
  checkWord(op, 'mode', mode, ['min', 'max'])
}
