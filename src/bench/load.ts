/** How long `import 'packed-rnn'` takes: in fresh processes, because a process imports a module once. */
import { execFile } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { median } from '../median.js'
import type { Against } from './against.js'
import { OURS } from './ourSide.js'

const run = promisify(execFile)

/** The times of one side. */
export interface LoadTimes {
  /** From the import to its end: the median, and each process's. */
  milliseconds: number
  samples: number[]
  /** From the start of the process to its exit: the median. */
  processMilliseconds: number
}

/** The import of a package's entry point, for each side. */
export interface LoadResults {
  processes: number
  /** The median of a process that imports nothing. */
  emptyProcessMilliseconds: number
  sides: Record<string, LoadTimes>
}

export interface LoadOptions {
  against: Against | null
  /** Processes of each side. */
  processes: number
  signal: AbortSignal | undefined
}

/** A package's entry point, which a process imports. */
interface Side {
  who: string
  url: string
}

const ENTRY = new URL('../index.js', import.meta.url).href

/**
 * Imports the package in fresh processes, which take turns with another checkout's and with processes that import nothing. Each
 * side has a process more, which fills the file system's cache and does not count.
 * @throws Error (rejects) if a process fails, or the import has no `tensor`; the signal's reason when that aborts.
 */
export async function measureLoad({ against, processes, signal }: LoadOptions): Promise<LoadResults> {
  const sides: Side[] = [{ who: OURS, url: ENTRY }]
  if (against !== null) sides.push({ who: against.who, url: entryOf(against) })
  const samples = new Map(sides.map(({ who }) => [who, [] as Sample[]]))
  const empty: number[] = []
  for (let round = 0; round <= processes; round++) {
    signal?.throwIfAborted()
    for (const { who, url } of sides) {
      const sample = await sampleOf(program(url), signal)
      if (round > 0) samples.get(who)!.push(sample)
    }
    const nothing = await sampleOf('console.log(0)', signal)
    if (round > 0) empty.push(nothing.process)
  }
  return {
    processes,
    emptyProcessMilliseconds: median(empty),
    sides: Object.fromEntries([...samples].map(([who, found]) => [who, timesOf(found)])),
  }
}

function entryOf({ directory }: Against): string {
  return pathToFileURL(`${directory}/dist/index.js`).href
}

/** The milliseconds of an import on stdout. Without an export of the package it was another module. */
function program(url: string): string {
  return `const start = performance.now()
const { tensor } = await import(${JSON.stringify(url)})
console.log(performance.now() - start)
if (typeof tensor !== 'function') throw new Error('wanted the export tensor, got none')`
}

interface Sample {
  import: number
  process: number
}

async function sampleOf(source: string, signal: AbortSignal | undefined): Promise<Sample> {
  const start = performance.now()
  const args = ['--input-type=module', '--eval', source]
  const { stdout } = await run(process.execPath, args, signal && { signal })
  return { import: Number(stdout), process: performance.now() - start }
}

function timesOf(found: readonly Sample[]): LoadTimes {
  const samples = found.map(sample => sample.import)
  const processMilliseconds = median(found.map(sample => sample.process))
  return { milliseconds: median(samples), samples, processMilliseconds }
}
