import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import type { CodeFacts, HostFacts } from './facts.js'

/**
 * What a run on a device finds, a JSON object a line. Every process of the run appends, and what it appended is on the disk before it
 * goes on: a run that is cut off leaves all that it had measured.
 */
export type Finding =
  | RunFinding
  | PartFinding
  | DeviceFinding
  | TorchFinding
  | CheckFinding
  | PointFinding
  | DataFinding
  | EpochFinding
  | SuiteFinding
  | TestFinding
  | ToolFinding

export const FORMAT = 'packed-rnn device bench 1'

/** The first line. */
export interface RunFinding {
  finding: 'run'
  format: typeof FORMAT
  started: string
  device: string
  precision: string | null
  /** The limit of the whole run. */
  seconds: number
  parts: string[]
  code: CodeFacts
  host: HostFacts
}

/** The end of a part, or its beginning: without another one, it was cut off with the run. */
export interface PartFinding {
  finding: 'part'
  part: string
  state: 'begun' | 'ended' | 'failed' | 'cut off' | 'left out'
  /** Its limit where it has begun, and else what it took. */
  seconds: number
  /** Why it failed or was left out. */
  reason: string | null
  /** The end of what it wrote, where it failed. */
  output: string | null
}

export interface DeviceFinding {
  finding: 'device'
  name: string | null
  instructions: string | null
  /** Why it does not open. */
  reason: string | null
}

export interface TorchFinding {
  finding: 'torch'
  /** Of PyTorch, CUDA and cuDNN. */
  versions: Record<string, string> | null
  reason: string | null
}

/** Results compared with somebody else's, before anything was timed. */
export interface CheckFinding {
  finding: 'check'
  what: string
  against: string
  /** The largest difference, relative to the largest number of an array. */
  error: number | null
  /** Why it is wrong. */
  reason: string | null
}

/** An LSTM layer's passes over B sequences of T rows, H inputs and H units. */
export interface PointFinding {
  finding: 'point'
  H: number
  B: number
  T: number
  who: string
  /** Microseconds of a layer-step. */
  forward: number | null
  backward: number | null
  rounds: number
  /** Why there are none. */
  reason: string | null
}

/** What epochs are of. */
export interface DataFinding {
  finding: 'data'
  documents: number
  tokens: number
  words: number
  about: string
}

/** An epoch, or as many of its steps as there was time for. */
export interface EpochFinding {
  finding: 'epoch'
  workload: string
  who: string
  steps: number
  of: number
  /** Of these steps. */
  tokens: number
  seconds: number | null
  /** The share of the time that JavaScript spent issuing ops. */
  javascript: number | null
  /** It computes something else than ours. */
  otherFunction: boolean
  reason: string | null
}

/** A shard of the device suite. */
export interface SuiteFinding {
  finding: 'suite'
  shard: string
  passed: number
  skipped: number
  notRun: number
  /** Processes that it took: one more for each device that was lost. */
  processes: number
  /** The test that ran when the time was over: perhaps it hangs. */
  cutOff: string | null
}

/** A test of the suite that failed. */
export interface TestFinding {
  finding: 'test'
  name: string
  reason: string
}

/** What a profiler or a sanitizer said. */
export interface ToolFinding {
  finding: 'tool'
  tool: string
  summary: string
  wrong: boolean
  rows: Record<string, string>[]
}

/** Appends findings to a file. */
export class Findings {
  readonly file: string

  constructor(file: string) {
    this.file = file
  }

  add(finding: Finding): void {
    const file = openSync(this.file, 'a+')
    try {
      // A process that was killed may have left half a line.
      const { size } = fstatSync(file)
      const last = Buffer.alloc(1, '\n')
      if (size > 0) readSync(file, last, 0, 1, size - 1)
      writeSync(file, `${last.toString() === '\n' ? '' : '\n'}${JSON.stringify(finding)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  /** All that are there. A line that was cut off is none. */
  read(): Finding[] {
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .flatMap(line => {
        try {
          const finding: Finding = JSON.parse(line)
          return [finding]
        } catch {
          return []
        }
      })
  }
}
