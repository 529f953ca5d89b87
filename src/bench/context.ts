import type { Precision } from '../device.js'
import type { CaseName } from './cases.js'
import type { EqualLengths } from './equalLengths.js'
import type { ModelSize } from './model.js'
import type { Pass, StepPass } from './passes.js'
import type { BenchProcess } from './process.js'

/** The arguments of a case's process. Paths must not contain spaces. */
export interface Setting extends ModelSize {
  name: CaseName
  threads: number
  /** For our process: the URL of the module to import. */
  library: string
  /** For our process. */
  precision: Precision
  /** The folder of the batch, written by `writeDocuments`. */
  folder: string
  /** A safetensors file of the case's parameters by their common names. */
  parameters: string
  /** The numbers of documents and tokens. */
  documents: number
  tokens: number
  /** The numbers of first documents, and of their tokens, for passes that take too long on all documents. */
  few: { documents: number; tokens: number }
  /** The number of steps whose losses are compared. */
  checkedSteps: number
}

/** A timed pass: the request to its process, and its number of tokens. */
export interface Turn {
  who: string
  pass: Pass
  tokens: number
  /** Multiplications of the recurrent layers' products. */
  multiplications: number
  question: string
}

/** The name of a participant in a precision. */
export function nameIn(precision: Precision, who: string): string {
  return precision === 'float32' ? who : `${who} in ${precision}`
}

/** A participant of a case. */
export interface Participant {
  process: BenchProcess
  turns: Turn[]
  /** Notes for readers, by `who`. */
  notes: Record<string, string>
  /** Whether its process does nothing else, so its peak memory is meaningful. */
  alone?: boolean
  /** Whether it is this package and not a peer. */
  ours?: boolean
  /** Of its products; default float32. */
  precision?: Precision
}

/** Our results, which a peer's are compared with. */
export interface Ours {
  losses(pass: StepPass, documents: number, steps: number): Promise<number[]>
  /** The last hidden states of the batch [B, D·H]. */
  states(): Promise<Float32Array>
  /** The layers' results on sequences of equal length, see equalLengths.ts. */
  equalLengths(given: EqualLengths): Promise<Float32Array>
}

/** An installed peer. */
export interface Peer {
  version: string
  /** Starts the peer and compares its results with ours; throws if they differ. Returns null if it does not support the case. */
  join(setting: Setting, ours: Ours): Promise<Participant | null>
}

/** Why a peer is missing, and how to install it. */
export interface Missing {
  missing: string
}
