/**
 * What a run leaves for whoever looks at it: metrics.jsonl, a line an epoch, and results.json, what the end of the run
 * found. report.html and `compare` are made of these two alone.
 * @module
 */
import type { PresetName } from './presets.js'

/** A line of metrics.jsonl: an epoch that is over. Two runs of the same seed differ in the two times alone. */
export interface EpochRecord {
  /** From 1. */
  epoch: number
  /** Steps of all epochs so far, this one included. */
  steps: number
  /** As the training rules average it. */
  loss: number
  /** The share of its documents that the model had right, each before the step that it was part of. */
  accuracy: number
  /** The 2-norm of the LSTM's gradients before clipping, over the epoch's steps. */
  gradNorm: { mean: number; largest: number }
  /** Of its last step. */
  learningRate: number
  /** What the model at the epoch's end does on the test documents; null where it was not asked. */
  test: { loss: number; accuracy: number } | null
  /** Spent on training; the test documents do not count. */
  seconds: number
  tokensPerSecond: number
}

/** results.json. */
export interface RunResults {
  format: 'packed-rnn results 1'
  preset: PresetName
  /** The command line's settings by the names of its options, the defaults included; null where one is not set. */
  settings: Record<string, string | number | boolean | null>
  /** What the times depend on. */
  machine: Record<string, string | number>
  /** Names of the categories, by number. */
  classes: string[]
  /** Words that have a row of the embedding. */
  vocabularySize: number
  /** Tokens of each document. */
  lengths: { training: number[]; test: number[] }
  /** Spent on training, in all epochs. */
  seconds: number
  /** Of the trained model on the test documents; the numbers of their categories and of the predicted ones. */
  test: { loss: number; truth: number[]; predicted: number[] }
  /** The mistakes of the largest probability, the largest first, at most ten. */
  mistakes: Mistake[]
}

/** A test document of which the model was sure, and wrong. */
export interface Mistake {
  /** Its place among the test documents, from 0. */
  document: number
  text: string
  truth: string
  predicted: string
  /** That the model gave to what it predicted. */
  probability: number
}
