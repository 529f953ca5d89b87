import { join } from 'node:path'
import { presets } from '../models/presets.js'
import { argsOf } from './commandLine.js'
import { COMPARISON, compareRuns } from './compare.js'
import { readTexts, readVectors } from './data.js'
import { argsOfSeries, newDirectory, openSeries, readSeries } from './directory.js'
import { noPositionals, parse, usageOf } from './options.js'
import { experimentsTable, trainTable } from './runOptions.js'
import { trainSeries } from './series.js'
import { articleSource, readTrain } from './trainOptions.js'
import { contextOf } from './trainRun.js'

export const usage = `packed-rnn experiments [--train FILE --test FILE] [--vectors FILE] [OPTION …]

Trains the four presets of the course notebook, one after the other, with its settings, and prints the output
of compare. Repeat the command with the same options to resume it; finished presets are skipped.

${usageOf(experimentsTable)}`

function parseExperiments(args: string[]) {
  const { values, given, positionals } = parse(args, experimentsTable)
  noPositionals(positionals)
  return { values, given }
}

export async function execute(commandLine: string[], signal: AbortSignal): Promise<void> {
  const { values: said, given: all } = parseExperiments(commandLine)
  const { resume, out } = said
  const { resume: _, out: __, ...given } = all
  const args =
    resume === undefined
      ? argsOf({ ...given, mode: given.mode ?? 'notebook' }, trainTable)
      : argsOfSeries(resume, await readSeries(resume), 'experiments', { ...given, ...(out && { out }) })
  const { values } = parseExperiments(args)
  // The presets agree in all that is read here.
  const { options } = readTrain(args, null)
  const context = contextOf(options, signal)
  const directory = resume ?? out ?? (await newDirectory('experiments'))
  await openSeries(directory, { command: 'experiments', args })

  const texts = await readTexts(articleSource(values), options, signal)
  const vectors = await readVectors(options, [...texts.training, ...texts.test], signal, context.say)
  const members = Object.keys(presets).map(name => ({
    name,
    args: ['--preset', name, ...args],
    corpus: { ...texts, vectors },
  }))
  const directories = await trainSeries(directory, 'experiments', members, context)
  await compareRuns(directories, join(directory, COMPARISON))
}
