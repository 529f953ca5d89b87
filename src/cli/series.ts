import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { REPORT_PAGE, writeReport } from '../reports/report.js'
import { CHECKPOINT, PREVIOUS } from '../training/checkpoint.js'
import { RESULTS } from '../training/records.js'
import { trainClassifier } from './classifierJob.js'
import { resumedBy } from './commandLine.js'
import type { Corpus } from './data.js'
import type { Series } from './directory.js'
import { readTrain } from './trainOptions.js'
import type { Context } from './trainRun.js'

/** One of several runs. */
export interface Member {
  /** Its folder. */
  name: string
  /** Its command line for `train`. */
  args: string[]
  corpus: Corpus
}

/**
 * Trains several runs, one after the other, each in a folder of a directory. An interrupted run resumes, and a
 * finished one is not trained again.
 * @returns the directories of all.
 */
export async function trainSeries(
  directory: string,
  command: Series['command'],
  members: readonly Member[],
  context: Context,
): Promise<string[]> {
  const goOn = `packed-rnn ${command} --resume ${directory}`
  const directories = members.map(({ name }) => join(directory, name))
  for (const [i, { args, corpus }] of members.entries()) {
    const out = directories[i]!
    if (existsSync(join(out, RESULTS))) {
      context.say(`${out}: is finished`)
      if (!existsSync(join(out, REPORT_PAGE))) await writeReport(out)
      continue
    }
    const begun = [CHECKPOINT, PREVIOUS].some(file => existsSync(join(out, file)))
    const line = begun ? ['--resume', out] : [...args, '--out', out]
    const command = readTrain(line, await resumedBy(line))
    await trainClassifier(corpus, command, { ...context, goOn })
  }
  return directories
}
