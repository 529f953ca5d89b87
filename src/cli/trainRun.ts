import { join } from 'node:path'
import { machineFacts } from '../bench/machine.js'
import type { Device } from '../device.js'
import { writeWhole } from '../files/write.js'
import type { Module } from '../nn/index.js'
import { writeReportOf } from '../reports/report.js'
import type { TaskView } from '../reports/taskView.js'
import { viewOfRun } from '../reports/views.js'
import type { Loader } from '../training/loader.js'
import { type ProgressPrinter, progressPrinter } from '../training/progress.js'
import type { CommonResults, EpochRecord, Metrics, TaskResults } from '../training/record.js'
import { writeResults } from '../training/records.js'
import { RunLog } from '../training/runLog.js'
import type { State } from '../training/task.js'
import { Trainer } from '../training/trainer.js'
import type { TestOptions, TrainerOptions, TrainingEvent } from '../training/trainerOptions.js'
import type { About, Command, From } from './commandLine.js'
import { type DeviceChoice, openDevice } from './deviceOptions.js'
import { newDirectory } from './directory.js'

/** The file of the report, in a run's directory. */
const REPORT = 'report.txt'

/** What the command line says of a run of any task. */
export interface RunOptions {
  out: string | undefined
  /** Steps between checkpoints within an epoch; undefined: none. */
  checkpoint: number | undefined
  device: DeviceChoice
  quiet: boolean
}

/** What all runs of a process share. */
export interface Context {
  device: Device
  signal: AbortSignal
  /** Prints a line, except with `--quiet`. */
  say(text: string): void
  /** The command that resumes an interrupted run; default: that of the run alone. */
  goOn?: string
}

/** What a command line says of them. */
export function contextOf(
  { device, quiet }: Pick<RunOptions, 'device' | 'quiet'>,
  signal: AbortSignal,
): Context {
  const say = (text: string) => {
    if (!quiet) process.stderr.write(`${text}\n`)
  }
  return { device: openDevice(device), signal, say }
}

/** What a task trains. The run owns model and optimiser. */
export interface Job<Batch, Carry extends State, Answer, Own extends object> {
  task: string
  /** The run's name; the directory's begins with it where none is given. */
  name: string
  /** The data, for a person: `600 documents, 812 words`. */
  about: string
  trainer: TrainerOptions<Batch, Carry, Answer, Module>
  loader: Loader<Batch>
  epochs: number
  /** As of `EpochsOptions`; undefined: no test before the end. */
  test: TestOptions<Batch, Carry> | undefined
  settings: CommonResults['settings']
  /** What shows progress; default a bar. */
  printer?: ProgressPrinter
  /** What the page shows; default what reports know of the task. */
  view?: TaskView
  /** What is left of the trained model, asked for after the last epoch. */
  finish(): Promise<Ending<Own>>
}

/** What a task leaves of a trained model. */
export interface Ending<Own extends object> {
  /** For report.txt and the terminal. */
  report: string
  /** As the task reports them of the test items. */
  metrics: Metrics
  /** The task's own part of results.json. */
  own: Own
  /** Writes the trained model into the run's directory. */
  save(directory: string): Promise<void>
}

/** What a run leaves, beside its files. */
export interface Outcome<Own extends object> {
  directory: string
  epochs: readonly EpochRecord[]
  results: TaskResults<Own>
  report: string
}

/**
 * Trains one run of any task, from its beginning or from its checkpoint, and writes its directory: a checkpoint and a line of
 * metrics.jsonl after each epoch; the model, report.txt, results.json and report.html at the end.
 */
export async function trainRun<Batch, Carry extends State, Answer, Own extends object>(
  job: Job<Batch, Carry, Answer, Own>,
  { options, args, from }: Command<RunOptions>,
  { device, signal, say, goOn }: Context,
): Promise<Outcome<Own>> {
  const { loader, epochs, test } = job
  using _model = job.trainer.model
  using _optimizer = job.trainer.optimizer
  const directory = options.out ?? (await newDirectory(job.name))
  say(`${directory}: ${job.name} on ${device.name}, ${device.instructions}: ${job.about}, ${epochs} epochs`)
  const trainer = new Trainer(job.trainer)
  if (from !== null) {
    trainer.restore(from.state)
    tellOfStop(from, directory, device, say)
  }
  const about: About = { args, kind: device.kind, precision: device.precision }
  const log = new RunLog(directory, trainer, about)
  await log.begin()
  let training = true
  try {
    const printer = job.printer ?? progressPrinter({ stream: process.stderr, quiet: options.quiet })
    const events = trainer.fit(loader, { epochs, signal, ...(test && { test }) })
    await follow(events, log, printer, options)
    // From here on the job may load other weights; the last checkpoint is the end of the last epoch.
    training = false
    const { report, metrics, own, save } = await job.finish()
    const common: CommonResults = {
      format: 'packed-rnn results 2',
      task: job.task,
      settings: job.settings,
      machine: machineOf(device),
      seconds: trainer.history.reduce((sum, { seconds }) => sum + seconds, 0),
      clip: job.trainer.clip?.maxNorm ?? null,
      metrics,
    }
    const results = { ...common, ...own }
    await save(directory)
    await writeWhole(join(directory, REPORT), Buffer.from(report))
    // A directory with results.json has a finished run. The page is made of the directory's files.
    await writeResults(directory, results)
    await writeReportOf(directory, job.view ?? (await viewOfRun(directory)))
    return { directory, epochs: trainer.history, results, report }
  } catch (error) {
    if (signal.aborted) {
      if (training) await log.save()
      process.stderr.write(`packed-rnn: to resume: ${goOn ?? `packed-rnn train --resume ${directory}`}\n`)
    }
    throw error
  }
}

/** Prints where a run resumes, and what differs from an uninterrupted one. */
function tellOfStop(
  { state, about, passedOver }: From,
  directory: string,
  device: Device,
  say: Context['say'],
): void {
  if (passedOver !== null) {
    process.stderr.write(`packed-rnn: ${passedOver.message}; using the previous checkpoint\n`)
  }
  say(`${directory}: resumes after ${state.position.epoch} epochs and ${state.position.step} steps`)
  if (about.kind === device.kind && about.precision === device.precision) return
  const before = `${about.kind} in ${about.precision}`
  say(`${directory}: was on ${before} before, so the bits differ from those of an uninterrupted run`)
}

/** Shows the events of a run, and keeps its log. */
async function follow(
  events: AsyncIterable<TrainingEvent>,
  log: RunLog,
  printer: ProgressPrinter,
  { checkpoint }: RunOptions,
): Promise<void> {
  try {
    for await (const event of events) {
      const isStep = event.event === 'step'
      if (isStep) printer.update(event)
      if (isStep && event.skipped !== null) {
        process.stderr.write(`packed-rnn: ${event.skipped}; the step is left out\n`)
      }
      const asked = isStep && checkpoint !== undefined && event.step % checkpoint === 0
      if (log.due || asked) await log.save()
    }
  } finally {
    printer.stop()
  }
}

function machineOf(device: Device): CommonResults['machine'] {
  const { kind, name, precision, threads } = device
  const { load: _, ...facts } = machineFacts(device)
  return { device: kind, deviceName: name, precision, ...(threads !== null && { threads }), ...facts }
}
