import { checkOptions, checkWord } from '../check.js'
import { badArgument } from '../errors.js'
import { formatFixed } from './format.js'
import type { ProgressPrinter, TrainingProgress } from './progress.js'

/** Options of `notebookPrinter`. */
export interface NotebookPrinterOptions {
  /** Where to print. */
  stream: NodeJS.WritableStream
  /**
   * `'epoch'` (the default): a line an epoch, as the notebook's batched loop prints. `'iteration'`: a line a step, as its
   * loop over documents does.
   */
  form?: 'epoch' | 'iteration'
  /** The IANA time zone of the epoch form's times; the default is the process's own. */
  timeZone?: string
}

/** From 1970, that a JavaScript date can tell. */
const LAST_SECOND = 8.64e12

/**
 * Prints the course notebook's progress lines, their oddities included: epochs counted from 0; one epoch too many in what
 * remains; minutes and seconds read off a clock in local time, so that an hour is `00:00` and half-hour zones are 30
 * minutes off; and an iteration form whose estimate is 0 while a step takes less than a second.
 *
 * It has no clock: the times are those of the progress that it is shown. One that no clock shows is `--:--`.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown form, time zone or option.
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
    // The notebook's mean is over batches: a small last one counts as much as the others.
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
