import { join } from 'node:path'
import { presets } from '../models/presets.js'
import { COMPARISON, compareRuns } from './compare.js'
import { readTexts, readVectors } from './data.js'
import { argsOfSeries, newDirectory, openSeries, readSeries } from './directory.js'
import { noPositionals, parse } from './options.js'
import { trainSeries } from './series.js'
import { argsOf, articleSource, readCommandLine, runOptions, runUsage } from './trainOptions.js'
import { contextOf } from './trainRun.js'

export const usage = `packed-rnn experiments [--train FILE --test FILE] [--vectors FILE] [OPTION …]

Trains the four presets of the course notebook, one after the other, with its settings, and ends in what
compare prints of them. Given again with the same options it goes on where it was stopped: a preset that
is over is not trained again.

  --mode NAME        notebook (default): every quirk of the course notebook; or fixed
${runUsage}
  --out DIR          where to write, a folder for each preset and compare.html; default
                     runs/experiments, date and time
  --resume DIR       goes on in DIR, with its options`

function parseExperiments(args: string[]) {
  const { values, positionals } = parse(args, {
    ...runOptions,
    out: { type: 'string' },
    resume: { type: 'string' },
  })
  noPositionals(positionals)
  return values
}

export async function execute(commandLine: string[], signal: AbortSignal): Promise<void> {
  const { resume, out, ...given } = parseExperiments(commandLine)
  const args =
    resume === undefined
      ? argsOf({ ...given, mode: given.mode ?? 'notebook' })
      : argsOfSeries(resume, await readSeries(resume), 'experiments', { ...given, ...(out && { out }) })
  const values = parseExperiments(args)
  // The presets agree in all that is read here.
  const { options } = await readCommandLine(args)
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
