import { type BenchCase, gatesOf, inputsOf } from './cases.js'
import type { Pass } from './passes.js'

/** The rows that a participant multiplies in a case. A row is a token of one direction, or padding. */
export interface Work {
  /** Rows of the first layer's input: fewer than `rows` if repeated words are multiplied once. */
  inputRows: number
  /** Rows of all other products. */
  rows: number
  /** Whether a step computes the gradient of the first layer's input. */
  inputGradient: boolean
  /** Rows that the backward pass processes, by layer and direction; default all rows. */
  backward?: readonly (readonly WalkedRows[])[]
}

/** Rows that a backward pass processes in one layer and direction. */
export interface WalkedRows {
  inputRows: number
  rows: number
}

/** Multiplications of the recurrent layers' products in a forward pass, and in a training step. */
export function multiplicationsOf(spec: BenchCase, work: Work): { forward: number; step: number } {
  const { cell, hiddenSize: H, numLayers, bidirectional } = spec
  const columns = gatesOf[cell] * H
  const directions = bidirectional ? 2 : 1
  let [forward, backward] = [0, 0]
  for (let l = 0; l < numLayers; l++) {
    const inputs = inputsOf(spec, l)
    const all: WalkedRows = { inputRows: l === 0 ? work.inputRows : work.rows, rows: work.rows }
    // The gradients of the input weights and of the input.
    const products = l === 0 && !work.inputGradient ? 1 : 2
    for (let d = 0; d < directions; d++) {
      forward += columns * (all.inputRows * inputs + all.rows * H)
      const walked = work.backward?.[l]?.[d] ?? all
      // Two more: the gradients of the recurrent weights and of the state.
      backward += columns * (products * walked.inputRows * inputs + 2 * walked.rows * H)
    }
  }
  return { forward, step: forward + backward }
}

/** The same by pass, for a participant that multiplies zeros too. */
export function multiplicationsByPass(spec: BenchCase, work: Work): Record<Pass, number> {
  const { forward, step } = multiplicationsOf(spec, work)
  return { forward, step, stepLast: step }
}
