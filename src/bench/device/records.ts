import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import type { CodeFacts, HostFacts } from './facts.js'

/**
 * The findings of a run on a device, one JSON object per line. Every process of the run appends lines and syncs them to the disk, so
 * an interrupted run keeps all its measurements.
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
  /** The time limit of the whole run. */
  seconds: number
  parts: string[]
  code: CodeFacts
  host: HostFacts
}

/** The beginning or the end of a part. Without an end, the part was cut off with the run. */
export interface PartFinding {
  finding: 'part'
  part: string
  state: 'begun' | 'ended' | 'failed' | 'cut off' | 'left out'
  /** Its time limit at the beginning, and the time that it took at the end. */
  seconds: number
  /** The reason why it failed or was left out. */
  reason: string | null
  /** The end of its output, if it failed. */
  output: string | null
}

export interface DeviceFinding {
  finding: 'device'
  name: string | null
  instructions: string | null
  /** The reason why it does not open. */
  reason: string | null
}

export interface TorchFinding {
  finding: 'torch'
  /** Versions of PyTorch, CUDA and cuDNN. */
  versions: Record<string, string> | null
  reason: string | null
}

/** A comparison of results before timing. */
export interface CheckFinding {
  finding: 'check'
  what: string
  against: string
  /** The largest difference, relative to the largest number of an array. */
  error: number | null
  /** The reason why it is wrong. */
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
  /** The reason why there are no times. */
  reason: string | null
}

/** The data of the epochs. */
export interface DataFinding {
  finding: 'data'
  documents: number
  tokens: number
  words: number
  about: string
}

/** An epoch, or the steps that there was time for. */
export interface EpochFinding {
  finding: 'epoch'
  workload: string
  who: string
  steps: number
  of: number
  /** Tokens of these steps. */
  tokens: number
  seconds: number | null
  /** The share of the time that JavaScript spent issuing ops. */
  javascript: number | null
  /** Whether it computes a different function than ours. */
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
  /** The number of processes: one, and one more for each lost device. */
  processes: number
  /** The test that was running when the time was over; it may hang. */
  cutOff: string | null
}

/** A failed test of the suite. */
export interface TestFinding {
  finding: 'test'
  name: string
  reason: string
}

/** The result of a profiler or a sanitizer. */
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
      // A killed process may have left an incomplete line.
      const { size } = fstatSync(file)
      const last = Buffer.alloc(1, '\n')
      if (size > 0) readSync(file, last, 0, 1, size - 1)
      writeSync(file, `${last.toString() === '\n' ? '' : '\n'}${JSON.stringify(finding)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  /** Reads all findings. Incomplete lines are skipped. */
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
