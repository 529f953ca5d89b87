import cliProgress from 'cli-progress'
import { checkOptions } from '../check.js'
import { formatDuration } from './format.js'

/** How far a training run is, after a step. */
export interface TrainingProgress {
  /** The current epoch, from 1 to `epochs`. */
  epoch: number
  epochs: number
  /** Steps done in this epoch, from 1 to `steps`. */
  step: number
  steps: number
  /** The mean loss of this step's documents. */
  stepLoss: number
  /** The mean loss of the epoch's documents so far. */
  loss: number
  /** Trained on so far, in all epochs. */
  tokens: number
  tokensPerSecond: number
  /** Spent on training: not what is done between epochs, as tests are. */
  elapsedSeconds: number
  /** The estimate for the rest of the run; infinite or NaN while it is unknown. */
  remainingSeconds: number
  /** Where this step had a number that is not finite, if it was left out for that; else null. */
  skipped: string | null
}

/** Options of `progressPrinter`. */
export interface ProgressPrinterOptions {
  /** Where to print: a bar on a terminal, lines on anything else. */
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean }
  /** Prints nothing; the default is false. */
  quiet?: boolean
}

/** Shows progress to a person. */
export interface ProgressPrinter {
  /** Shows one event. The terminal redraws ten times a second, however many events come. */
  update(progress: TrainingProgress): void
  /** Draws the last state and ends the line. Call it also when the run fails: the bar's timer keeps a process alive. */
  stop(): void
}

/**
 * A bar with loss, speed and times on a terminal; elsewhere one plain line at the end of each epoch.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown option.
 *
 * @example
 * ```ts
 * import { progressPrinter } from 'packed-rnn/training'
 *
 * const printer = progressPrinter({ stream: process.stderr, quiet: true })
 * printer.stop()
 * console.log(typeof printer.update) // function
 * ```
 */
export function progressPrinter(options: ProgressPrinterOptions): ProgressPrinter {
  checkOptions('progressPrinter', options, { stream: true, quiet: true })
  if (options.quiet) return { update() {}, stop() {} }
  return options.stream.isTTY ? barPrinter(options) : linePrinter(options)
}

function barPrinter({ stream }: ProgressPrinterOptions): ProgressPrinter {
  const bar = new cliProgress.SingleBar({
    stream,
    barsize: 10,
    // Its default turns wrapping off on the terminal, which a run killed by Ctrl-C would leave so.
    linewrap: true,
    format: 'epoch {epoch} [{bar}] {percentage}%  loss {loss}  {speed}  {elapsed}, {remaining} left',
  })
  let started = false
  return {
    update(progress) {
      // In epochs, because epochs may differ in their steps.
      const done = progress.epoch - 1 + progress.step / progress.steps
      // Started late, because the bar draws itself at once and has no loss to show before the first event.
      if (started) bar.update(done, texts(progress))
      else bar.start(progress.epochs, done, texts(progress))
      started = true
    },
    stop() {
      bar.stop()
    },
  }
}

function linePrinter({ stream }: ProgressPrinterOptions): ProgressPrinter {
  return {
    update(progress) {
      if (progress.step !== progress.steps) return
      const { epoch, loss, speed, elapsed, remaining } = texts(progress)
      stream.write(`epoch ${epoch}  loss ${loss}  ${speed}  elapsed ${elapsed}  remaining ${remaining}\n`)
    },
    stop() {},
  }
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })

function texts(progress: TrainingProgress) {
  return {
    epoch: `${progress.epoch}/${progress.epochs}`,
    loss: progress.loss.toFixed(4),
    speed: `${compact.format(progress.tokensPerSecond)} tokens/s`,
    elapsed: formatDuration(progress.elapsedSeconds),
    remaining: formatDuration(progress.remainingSeconds),
  }
}
