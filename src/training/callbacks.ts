import { checkInteger, checkOptions, checkWord } from '../check.js'
import { saveCheckpoint } from './checkpoint.js'
import type { TrainingProgress } from './progress.js'
import { type EpochRecord, type MetricName, metricOf } from './record.js'
import type { TrainerState } from './trainerState.js'

/** What a callback may ask a trainer. */
export interface Running {
  /** The epochs that are over. */
  readonly history: readonly EpochRecord[]
  /** As of `Trainer`. */
  state(): Promise<TrainerState>
}

/** What a trainer calls before it reports an event; a promise is awaited. */
export interface Callback {
  /** After each step. Up to three later steps are issued by then. */
  step?(progress: TrainingProgress, trainer: Running): void | Promise<void>
  /** At the end of each epoch, after its test. Nothing is pending. */
  epoch?(record: EpochRecord, trainer: Running): void | Promise<void>
  /** Before each epoch: whether training ends here. It reads the history alone, so that a resumed run ends where it did. */
  stops?(history: readonly EpochRecord[]): boolean
}

/** Which epoch is the best. */
export interface BestOptions extends MetricName {
  /** Whether a better metric is smaller or larger; default 'min'. */
  mode?: 'min' | 'max'
}

const bestNames = { metric: true, of: true, mode: true } as const

/** The first of the best epochs, null where none has the metric. */
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
 * Ends training where the best epoch is `patience` measured epochs ago.
 *
 * @param options `metric`, `of`, `mode`: what is best; `patience`: epochs that have the metric and are not better.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for a patience below 1; ERR_INVALID_ARGUMENT for a bad word or an unknown option.
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
 * Writes a checkpoint into a directory after each epoch that is the best so far; `loadCheckpoint` reads it, and its `about` is
 * the epoch's record.
 *
 * @param options `metric`, `of`, `mode`: what is best; `directory`: of the checkpoint, made where it is missing.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for a bad word or an unknown option.
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
