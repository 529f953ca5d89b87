import type { Precision } from '../device.js'
import type { CaseName } from './cases.js'
import type { EqualLengths } from './equalLengths.js'
import type { ModelSize } from './model.js'
import type { BenchProcess } from './process.js'

/** What a process of a case is told. Paths hold no space. */
export interface Setting extends ModelSize {
  name: CaseName
  threads: number
  /** Ours: the URL of what is imported. */
  library: string
  /** Ours. */
  precision: Precision
  /** Where the batch lies, written by `writeDocuments`. */
  folder: string
  /** Parameters of the case by their common names, a safetensors file. */
  parameters: string
  /** Documents and their tokens. */
  documents: number
  tokens: number
  /** The first documents, for what takes too long on all; and their tokens. */
  few: { documents: number; tokens: number }
  /** Steps whose losses are compared. */
  checkedSteps: number
}

/**
 * What is timed: a forward pass; a training step whose loss reads the mean of all states, so that every state has a
 * gradient; and a training step whose loss reads the last states alone.
 */
export const passes = ['forward', 'step', 'stepLast'] as const
export type Pass = (typeof passes)[number]
export type StepPass = Exclude<Pass, 'forward'>

/** How the states of a document become one vector. */
export type BenchPooling = 'mean' | 'final'

export const poolingOf = { step: 'mean', stepLast: 'final' } as const satisfies Record<StepPass, BenchPooling>

/** A pass that is timed: what to ask its process for, and of how many tokens it is. */
export interface Turn {
  who: string
  pass: Pass
  tokens: number
  /** Of the recurrent layers' products. */
  multiplications: number
  question: string
}

/** Somebody who takes part in a case. */
export interface Participant {
  process: BenchProcess
  turns: Turn[]
  /** By `who`: what a reader must know to compare. */
  notes: Record<string, string>
  /** Whether its process does nothing but this, so that its memory says something. */
  alone?: boolean
  /** Whether it is no peer but this package. */
  ours?: boolean
}

/** What a peer's results are compared with: ours. */
export interface Ours {
  losses(pass: StepPass, documents: number, steps: number): Promise<number[]>
  /** The last hidden states of the batch [B, D·H]. */
  states(): Promise<Float32Array>
  /** What the layers compute of sequences of equal length, see equalLengths.ts. */
  equalLengths(given: EqualLengths): Promise<Float32Array>
}

/** A peer that is installed, and can join a case. */
export interface Peer {
  version: string
  /** Null where it has nothing for the case. Its results have been compared with ours, and an error says otherwise. */
  join(setting: Setting, ours: Ours): Promise<Participant | null>
}

/** Why a peer is not there, and how it could be. */
export interface Missing {
  missing: string
}
