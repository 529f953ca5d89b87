import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { fileFailure } from '../files/failure.js'
import { readWhole } from '../files/read.js'
import { makeDirectory, writeWhole } from '../files/write.js'
import { parseJson } from '../formats/json.js'
import { CHECKPOINT, PREVIOUS } from '../training/checkpoint.js'
import { METRICS, RESULTS } from '../training/records.js'
import { UsageError } from './options.js'

/** The file of the command line of several runs. */
const SERIES = 'series.json'

/** Makes `runs/<name>-<local date and time>`, which no other run has. @throws PackedRnnError (rejects) naming it. */
export async function newDirectory(name: string): Promise<string> {
  // Swedish writes 2026-11-28 15:41:07.
  const time = new Date().toLocaleString('sv').replace(' ', '-').replaceAll(':', '')
  const base = join('runs', `${name}-${time}`)
  await makeDirectory('runs')
  for (let n = 1; ; n++) {
    const directory = n === 1 ? base : `${base}-${n}`
    try {
      // Not recursive: of two runs that begin at once, each would find that it has made the directory.
      await mkdir(directory)
      return directory
    } catch (error) {
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
      if (!exists) throw fileFailure(directory, error)
    }
  }
}

/** @throws UsageError where a directory holds a run, whose files a new one would replace, or several. */
export function checkFree(directory: string): void {
  const found = [CHECKPOINT, PREVIOUS, METRICS, RESULTS, SERIES].find(file =>
    existsSync(join(directory, file)),
  )
  if (found === undefined) return
  throw new UsageError(
    `--out: wanted a directory without a run, got ${directory}, which has a ${found}; to resume: --resume ${directory}`,
  )
}

const seriesSchema = v.object({
  format: v.literal('packed-rnn series 1'),
  command: v.picklist(['train', 'experiments']),
  args: v.array(v.string()),
})

/** The command line of several runs, each in a folder of one directory. */
export type Series = Omit<v.InferOutput<typeof seriesSchema>, 'format'>

/** The command line of the runs in a directory; null where it does not hold several. */
export async function readSeries(directory: string): Promise<Series | null> {
  const file = join(directory, SERIES)
  if (!existsSync(file)) return null
  return parseJson(seriesSchema, (await readWhole(file)).toString('utf8'), file)
}

/** Makes a directory that of several runs, or finds that it is. @throws UsageError where it holds others. */
export async function openSeries(directory: string, series: Series): Promise<void> {
  const before = await readSeries(directory)
  if (before === null) {
    checkFree(directory)
    await makeDirectory(directory)
    const text = JSON.stringify({ format: 'packed-rnn series 1', ...series })
    await writeWhole(join(directory, SERIES), Buffer.from(`${text}\n`))
  } else if (commandOf(before) !== commandOf(series)) {
    const wanted = 'a directory without runs, or with those of the same command'
    throw new UsageError(`--out: wanted ${wanted}, got ${directory}, which has runs of ${commandOf(before)}`)
  }
}

/** The arguments of several runs, for `--resume`. @throws UsageError for another command's, or other options beside it. */
export function argsOfSeries(
  directory: string,
  series: Series | null,
  command: Series['command'],
  others: object,
): string[] {
  if (series === null)
    throw new UsageError(`--resume: wanted runs of ${command}, got ${directory}, which has none`)
  if (series.command !== command) {
    throw new UsageError(
      `--resume: wanted runs of ${command}, got ${directory}, which has runs of ${commandOf(series)}`,
    )
  }
  const [other] = Object.keys(others)
  if (other !== undefined) {
    throw new UsageError(
      `--resume: wanted no other option, because ${directory} has several runs, got --${other}`,
    )
  }
  return series.args
}

function commandOf({ command, args }: Series): string {
  return ['packed-rnn', command, ...args].join(' ')
}
