import { checkOptions, checkWord } from '../check.js'
import { badArgument } from '../errors.js'
import { formatFixed } from './format.js'
import type { ProgressPrinter, TrainingProgress } from './progress.js'

/** Options of `notebookPrinter`. */
export interface NotebookPrinterOptions {
  /** The stream to print to. */
  stream: NodeJS.WritableStream
  /**
   * `'epoch'` (the default) prints a line for each epoch, as the notebook's batched loop. `'iteration'` prints a line for each
   * step, as its loop over documents.
   */
  form?: 'epoch' | 'iteration'
  /** The IANA time zone of the times in the epoch form; default the process's time zone. */
  timeZone?: string
}

/** The last second since 1970 that a JavaScript date can represent. */
const LAST_SECOND = 8.64e12

/**
 * Returns a printer of the course notebook's progress lines, with its quirks:
 *
 * - Epochs count from 0, and the remaining time includes one epoch too many.
 * - Durations are formatted as local clock times in minutes and seconds. An hour is `00:00`, and time zones with half hours are
 *   30 minutes off.
 * - In the iteration form, the remaining time is 0 if a step takes less than a second.
 *
 * The printer has no clock; it uses the times in the progress that it receives. Times that a clock cannot show are `--:--`.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if the form, the time zone or an option is unknown.
 *
 * @example
 * ```ts
 * import { notebookPrinter } from 'packed-rnn/training'
 *
 * const printer = notebookPrinter({ stream: process.stderr, form: 'iteration' })
 * console.log(typeof printer.update) // function
 * ```
 */
export function notebookPrinter(options: NotebookPrinterOptions): ProgressPrinter {
  checkOptions('notebookPrinter', options, { stream: true, form: true, timeZone: true })
  const { stream, form = 'epoch', timeZone } = options
  checkWord('notebookPrinter', 'form', form, ['epoch', 'iteration'])
  const line = form === 'epoch' ? epochLines(timeZone) : iterationLine
  return {
    update(progress) {
      const text = line(progress)
      if (text !== null) stream.write(`${text}\n`)
    },
    stop() {},
  }
}

function epochLines(timeZone: string | undefined): (progress: TrainingProgress) => string | null {
  const clock = clockOf(timeZone)
  const time = (seconds: number) =>
    Math.abs(seconds) <= LAST_SECOND ? clock.format(seconds * 1000) : '--:--'
  let losses = 0
  return ({ epoch, epochs, step, steps, stepLoss, elapsedSeconds }) => {
    // The notebook averages over batches: a small last batch counts as much as the others.
    losses = step === 1 ? stepLoss : losses + stepLoss
    if (step < steps) return null
    const average = elapsedSeconds / epoch
    const i = epoch - 1
    return (
      `epoch ${i} / ${epochs} ${formatFixed(losses / steps, 4)} avg epoch ${time(average)} ` +
      `total elapsed ${time(elapsedSeconds)} remaining ${time(average * (epochs - i))}`
    )
  }
}

function clockOf(timeZone: string | undefined): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en', { timeZone, minute: '2-digit', second: '2-digit' })
  } catch {
    throw badArgument('notebookPrinter', 'timeZone', 'an IANA time zone', timeZone)
  }
}

function iterationLine({ step, steps, loss, elapsedSeconds }: TrainingProgress): string {
  const remaining = Math.floor(elapsedSeconds / step) * (steps - step)
  const [elapsed, eta] = [elapsedSeconds, remaining].map(seconds => formatFixed(seconds, 2))
  return `iter ${step} / ${steps} ${elapsed}s ${eta}s ${formatFixed(loss, 4)}`
}
