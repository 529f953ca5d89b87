import cliProgress from 'cli-progress'
import { checkOptions } from '../check.js'
import { formatDuration } from './format.js'

/** The progress of a training run after a step. */
export interface TrainingProgress {
  /** The current epoch, from 1 to `epochs`. */
  epoch: number
  epochs: number
  /** The number of completed steps in this epoch, from 1 to `steps`. */
  step: number
  steps: number
  /** The task's `loss` metric for this step. */
  stepLoss: number
  /** The task's `loss` metric for the epoch so far. */
  loss: number
  /** The number of tokens trained on so far, in all epochs. */
  tokens: number
  tokensPerSecond: number
  /** The time spent on training, without tests and other work between epochs. */
  elapsedSeconds: number
  /** An estimate for the rest of the run; infinite or NaN while it is unknown. */
  remainingSeconds: number
  /** If the step was skipped, which number was not finite; else null. */
  skipped: string | null
}

/** Options of `progressPrinter`. */
export interface ProgressPrinterOptions {
  /** The stream to print to: a bar on a terminal, lines on anything else. */
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean }
  /** Whether to print nothing; default false. */
  quiet?: boolean
}

/** Prints the progress of a training run. */
export interface ProgressPrinter {
  /** Shows one event. A terminal is redrawn at most ten times a second. */
  update(progress: TrainingProgress): void
  /** Draws the last state and ends the line. Call it also if the run fails, because the bar's timer keeps the process alive. */
  stop(): void
}

/**
 * Returns a printer that draws a bar with loss, speed and times on a terminal. Elsewhere it prints a line at the end of each epoch.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if an option is unknown.
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
    // The default turns off the terminal's line wrapping, and a run killed by Ctrl-C would leave it off.
    linewrap: true,
    format: 'epoch {epoch} [{bar}] {percentage}%  loss {loss}  {speed}  {elapsed}, {remaining} left',
  })
  let started = false
  return {
    update(progress) {
      // Measured in epochs, because epochs may have different numbers of steps.
      const done = progress.epoch - 1 + progress.step / progress.steps
      // Started at the first event, because the bar draws immediately and needs a loss.
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
